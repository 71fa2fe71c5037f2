"""Recordings made in Unity, played again action by action, and models trained in Unity, at play here."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from fidelity_motion import BENCHMARK, CUBES, PLAY, RECORDING, Row, Runner
from numpy.typing import NDArray

from mlagents.inference import Model, RandomPolicy, evaluate, load_model
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps
from mlagents_envs.demonstrations import load_demonstration
from mlagents_envs.registry import default_registry

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
EPISODES = 100
STANDING_SPEED = 1e-2  # m/s, upwards or downwards
WITHIN_SPEED = 0.01  # m/s
FREE_M = 5.0
FALLING, NEAR, FREE = "falling", "near to something", f"ahead, nothing within {FREE_M:g} m"

sys.path.append(str(ROOT / "tests" / "mlagents_sim"))


# Recordings


def ball_rows(path: Path) -> list[Row]:
    """One decision from each recorded state, as the test of 3DBall does it."""
    from test_ball3d_recording import Recording, replay

    (episode,) = load_demonstration(path).episodes
    observation = episode.obs[0].astype(np.float64)
    action = np.concatenate((episode.action.continuous, np.zeros((1, 2), np.float32)))
    reward = np.concatenate(([0.0], episode.reward))
    error = replay(Recording(observation, action, reward)) - observation[1:]
    rms = np.sqrt((error**2).mean(0))
    decisions = f"{len(error)} decisions, each from the recorded state"
    return [
        Row("3DBall", f"{decisions}: rotation, largest error", 0.0, float(np.abs(error[:, :2]).max()), RECORDING),
        *(
            Row("3DBall", f"the same: position {axis}, RMS error, mm", 0.0, 1000.0 * float(value), RECORDING)
            for axis, value in zip("xyz", rms[2:5], strict=True)
        ),
        *(
            Row("3DBall", f"the same: velocity {axis}, RMS error, m/s", 0.0, float(value), RECORDING)
            for axis, value in zip("xyz", rms[5:], strict=True)
        ),
    ]


def basic_rows(path: Path) -> list[Row]:
    """All episodes from their beginnings."""
    env = default_registry["Basic"].make(num_areas=1)
    (behavior,) = env.behavior_specs
    demonstration = load_demonstration(path)
    wrong, returns = 0, []
    for episode in demonstration.episodes:
        env.reset()
        total = 0.0
        for action, reward, seen in zip(episode.action.discrete, episode.reward, episode.obs[0][1:], strict=True):
            env.set_actions(behavior, ActionTuple(discrete=action[np.newaxis]))
            env.step()
            decisions, terminals = env.get_steps(behavior)
            earned = (terminals if len(terminals) else decisions).reward[0]
            wrong += not (np.isclose(earned, reward) and np.array_equal(decisions.obs[0][0], seen))
            total += float(earned)
        if episode.is_whole:
            returns.append(total)
    return [
        Row("Basic", f"{demonstration.decisions} decisions: other outcomes than recorded", 0.0, wrong, RECORDING),
        Row("Basic", "return of the recorded actions", demonstration.mean_reward, float(np.mean(returns)), RECORDING),
    ]


def pyramids_rows(path: Path) -> list[Row]:
    """Return the velocity, as the agent feels it, after one decision from each recorded velocity.

    Where everything was is not recorded, so a cube on an empty floor plays it again: collisions are errors here.
    Apart from them are the decisions before and after which the level rays met nothing near.
    """
    (cube,) = (cube for cube in CUBES if cube.environment == "Pyramids")
    runner = Runner(cube)
    errors: dict[str, list[float]] = {FALLING: [], NEAR: [], FREE: []}
    for episode in load_demonstration(path).episodes:
        (seen,) = episode.obs
        velocity = seen[:, -3:].astype(np.float64)
        reach = _nearest(seen)
        for row, action in enumerate(episode.action.discrete):
            before, after = velocity[row : row + 2]
            falls = max(before[1], after[1]) < -STANDING_SPEED
            if not falls and max(abs(before[1]), abs(after[1])) > STANDING_SPEED:
                continue  # lands, or is lifted
            runner.place(before, height=100.0 if falls else 0.0)
            for _ in range(runner.world.decision_period):
                ended = runner.step(action.tolist())
            is_free = before[2] > 0.0 and reach[row : row + 2].min() > FREE_M
            where = FALLING if falls else FREE if is_free else NEAR
            errors[where].append(float(np.linalg.norm(_as_felt(ended, runner.boxes.yaw[0, 0]) - after)))
    rows = []
    for where, found in errors.items():
        within = 100.0 * float(np.mean(np.array(found) < WITHIN_SPEED))
        rows += [
            Row("Pyramids", f"{len(found)} decisions {where}: median error, m/s", 0.0, np.median(found), RECORDING),
            Row("Pyramids", f"the same: error below {WITHIN_SPEED} m/s, %", None, within, RECORDING),
        ]
    return rows


def _nearest(seen: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the shortest of the 7 level rays goes, float64 [n], m. A ray that met nothing has a 0 for its length."""
    rays = seen[:, :56].reshape(-1, 7, 8)
    return 35.0 * np.where(rays[:, :, 6] == 1.0, 1.0, rays[:, :, 7]).min(1).astype(np.float64)


def _as_felt(velocity: NDArray[np.float64], yaw: float) -> NDArray[np.float64]:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array((c * velocity[0] - s * velocity[2], velocity[1], s * velocity[0] + c * velocity[2]))


RECORDINGS: dict[str, Callable[[Path], list[Row]]] = {
    "Expert3DBall.demo": ball_rows,
    "ExpertBasic.demo": basic_rows,
    "ExpertPyramid.demo": pyramids_rows,
}


def recording_rows() -> list[Row]:
    """All recordings that are there."""
    files = {DATA / "demos" / name: replay for name, replay in RECORDINGS.items()}
    return [row for file, replay in files.items() if file.exists() for row in replay(file)]


# Models


class Still:
    """Does nothing."""

    def __init__(self, spec: BehaviorSpec) -> None:
        self._action_spec = spec.action_spec

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return zeros."""
        return self._action_spec.empty_action(len(decision_steps))

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Nothing is remembered."""


class Confused:
    """A model that sees or does something else than it wants.

    Args:
      model: what it is without.
      sees: changes float32 [n, size], the first observation.
      does: changes the actions.
    """

    def __init__(
        self,
        model: Model,
        sees: Callable[[NDArray[np.float32]], NDArray[np.float32]],
        does: Callable[[ActionTuple], ActionTuple],
    ) -> None:
        self._model, self._sees, self._does = model, sees, does

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return the changed actions for the changed observations."""
        changed = copy.copy(decision_steps)
        changed.obs = [self._sees(changed.obs[0]), *changed.obs[1:]]
        return self._does(self._model.act(changed, deterministic, rng))

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Let the model forget them."""
        self._model.forget(agent_ids)


def _mean_return(environment: str, make_model: Callable[[BehaviorSpec], Model], episodes: int) -> float:
    """Play the most likely continuous actions, and sampled discrete ones."""
    env = default_registry[environment].make(seed=1)
    ((behavior, spec),) = env.behavior_specs.items()
    deterministic = spec.action_spec.is_continuous()
    mean = evaluate(env, {behavior: make_model(spec)}, episodes, deterministic=deterministic)[behavior].mean
    env.close()
    return mean


def _unchanged(thing: Any) -> Any:
    return thing


def _without_velocity(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    return seen * np.array([1, 1, 1, 1, 1, 0, 0, 0], np.float32)


def _tilts_swapped(seen: NDArray[np.float32]) -> NDArray[np.float32]:
    return seen[:, [1, 0, 2, 3, 4, 5, 6, 7]]


def _turns_swapped(action: ActionTuple) -> ActionTuple:
    return ActionTuple(discrete=np.array([0, 1, 2, 4, 3], np.int32)[action.discrete])


MODELS = (
    ("nn/3DBall.nn", 100.0, BENCHMARK),
    ("onnx/3DBall.onnx", 100.0, BENCHMARK),
    ("nn/Basic.nn", 0.93, BENCHMARK),
    ("onnx/Basic.onnx", 0.93, BENCHMARK),
    ("nn/GridWorld.nn", 0.8, BENCHMARK),
    ("nn/Hallway.nn", 0.7, BENCHMARK),
)
CONFUSIONS = (
    ("nn/3DBall.nn", "blind to velocity", _without_velocity, _unchanged),
    ("nn/3DBall.nn", "its tilts swapped", _tilts_swapped, _unchanged),
    ("nn/Hallway.nn", "left and right swapped", _unchanged, _turns_swapped),
)


def model_rows(quick: bool) -> list[Row]:
    """Mean returns of models that are there, of models that were confused, and of nobody."""
    episodes = 12 if quick else EPISODES
    rows = [
        Row("3DBall", "return of random actions, about", 0.9, _mean_return("3DBall", RandomPolicy, episodes), PLAY),
        Row("3DBall", "return of no actions, about", 1.5, _mean_return("3DBall", Still, episodes), PLAY),
    ]
    for file, unity, source in MODELS:
        path = DATA / file
        if path.exists():
            mean = _mean_return(path.stem, lambda spec, path=path: load_model(path, spec), episodes)
            rows.append(Row(path.stem, f"return of {path.name}", unity, mean, source))
    for file, change, sees, does in CONFUSIONS:
        path = DATA / file
        if path.exists():
            mean = _mean_return(
                path.stem,
                lambda spec, path=path, sees=sees, does=does: Confused(load_model(path, spec), sees, does),
                episodes,
            )
            rows.append(Row(path.stem, f"return of {path.name}, {change}", None, mean, PLAY))
    return rows
