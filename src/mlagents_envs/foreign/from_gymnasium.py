"""Gymnasium environments as a `BaseEnv`: several copies, each with one agent.

```
env = make_gymnasium("CartPole-v1", num_areas=8, seed=1)  # behavior "CartPole?team=0"
```

What is observed and how actions are meant is in `encoding`. `terminated` ends an episode, `truncated` interrupts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mlagents_envs.base_env import (
    ActionTuple,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
    checked_areas,
)
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.exception import UnityEnvironmentException, UnityException
from mlagents_envs.foreign.checked import CheckedEnv
from mlagents_envs.foreign.copies import Copies
from mlagents_envs.foreign.encoding import ActionDecoder, ObservationEncoder
from mlagents_envs.foreign.local_env import LocalEnv, import_module
from mlagents_envs.foreign.masks import MASK_KEY, forbidden, has_mask, join_columns, join_rows
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.stepped_env import Report
from mlagents_envs.user_errors import describe

DEFAULT_NUM_AREAS = 8


class GymnasiumEnvironment(LocalEnv):
    """A vector of Gymnasium environments; agent i lives in copy i.

    With autoreset in the same step, an agent whose episode ended also begins the next in the same report. With
    autoreset in the next step, as vectors written by hand mostly have it, it begins one step later.

    Args:
      vector_env: the copies. Autoreset must not be disabled.
      behavior: fully qualified name of the agents' behavior.
      seed: of the first `reset()`; the same seed and the same actions give the same observations.
      side_channels: see `LocalEnv`.
      title: what messages call the environment; `behavior` if None.

    Raises:
      UnityObservationException, UnityActionException: its spaces cannot be learned, see `encoding`.
      UnityEnvironmentException: autoreset is disabled.
    """

    def __init__(
        self,
        vector_env: VectorEnv[Any, Any, Any],
        behavior: BehaviorName,
        seed: int = 0,
        side_channels: list[SideChannel] | None = None,
        title: str | None = None,
    ) -> None:
        observations, actions = vector_env.single_observation_space, vector_env.single_action_space
        super().__init__(
            side_channels, title=title or behavior, spaces=f"observations in {observations} and a number as reward"
        )
        mode = vector_env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        if mode == AutoresetMode.DISABLED:
            raise UnityEnvironmentException(
                f"{vector_env} does not reset by itself; make it with autoreset_mode SAME_STEP or NEXT_STEP."
            )
        self._vector_env = vector_env
        self._same_step = mode == AutoresetMode.SAME_STEP
        self._seed: int | None = seed
        self._behavior = behavior
        self._decoder = ActionDecoder(actions)
        self._mask_in_obs = has_mask(observations, self._decoder.spec)
        self._encoder = ObservationEncoder(observations, masked=self._mask_in_obs)
        self._specs[behavior] = BehaviorSpec(self._encoder.specs, self._decoder.spec)
        self._ids: NDArray[np.int32] = np.arange(vector_env.num_envs, dtype=np.int32)
        self._nobody = TerminalSteps.empty(self._specs[behavior])
        self._watcher: Callable[[], None] | None = None
        self._watched_steps, self._steps = 1, 0
        self._waiting = self._ids  # who decides: after NEXT_STEP ends, not everybody

    def _reset(self) -> dict[BehaviorName, Report]:
        observations, infos = self._vector_env.reset(seed=self._first_seed())
        encoded = self._encoder.encode_batch(observations)
        allowed = self._allowed(observations, infos)
        decisions = self._decisions(encoded, allowed, np.zeros(len(self._ids), np.float32), self._ids)
        self._look()
        return {self._behavior: (decisions, self._nobody)}

    def _advance(self, actions: Mapping[BehaviorName, ActionTuple]) -> dict[BehaviorName, Report]:
        everybody = self._decoder.decode(self._for_everybody(actions[self._behavior]))
        observations, reward, terminated, truncated, infos = self._vector_env.step(everybody)
        self._look()
        reward, terminated = np.array(reward, np.float32), np.asarray(terminated, np.bool_)
        encoded = self._encoder.encode_batch(observations)
        over = terminated | truncated
        if not np.count_nonzero(over):
            decisions = self._decisions(encoded, self._allowed(observations, infos), reward, self._ids)
            return {self._behavior: (decisions, self._nobody)}
        ended = np.flatnonzero(over)
        if self._same_step:
            last = self._encoder.encode([infos["final_obs"][row] for row in ended])
        else:
            last = [column[ended] for column in encoded]
        terminals = TerminalSteps(last, reward[ended], ~terminated[ended], self._ids[ended])
        reward[ended] = 0.0  # it belongs to the episode that ended
        who = self._ids if self._same_step else np.delete(self._ids, ended)
        return {self._behavior: (self._decisions(encoded, self._allowed(observations, infos), reward, who), terminals)}

    @property
    def step_seconds(self) -> float:
        """How long a step takes for spectators: as its author says, or 1/30 s."""
        return 1.0 / float(self._vector_env.metadata.get("render_fps") or 30)

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return what the first copy shows now: uint8 [height, width, 3], black beside it.

        Raises:
          UnityEnvironmentException: it draws nothing: it was not made with `render_mode="rgb_array"`, or has none.
        """
        try:
            frames: Any = self._vector_env.render()
        except (ImportError, gymnasium.error.Error) as error:
            raise UnityEnvironmentException(f"{self._behavior} cannot be drawn: {error}") from error
        if not frames or frames[0] is None:
            raise UnityEnvironmentException(
                f"{self._behavior} draws no pictures; it needs the render mode rgb_array, and has"
                f" {self._vector_env.metadata.get('render_modes') or 'none'}."
            )
        frame = Image.fromarray(np.asarray(frames[0], np.uint8))
        return np.array(ImageOps.pad(frame, (width, height)))

    def watch(self, watcher: Callable[[], None], every: int) -> None:
        """Call `watcher` at every reset and after every so many steps."""
        self._watcher, self._watched_steps = watcher, every

    def _look(self) -> None:
        if self._watcher is not None and self._steps % self._watched_steps == 0:
            self._watcher()
        self._steps += 1

    def _for_everybody(self, actions: ActionTuple) -> ActionTuple:
        """Return the actions of all copies: a copy that is about to reset ignores its action."""
        if len(self._waiting) == len(self._ids):
            return actions
        everybody = self._decoder.spec.empty_action(len(self._ids))
        everybody.continuous[self._waiting], everybody.discrete[self._waiting] = actions.continuous, actions.discrete
        return everybody

    def _allowed(self, observations: Any, infos: Mapping[str, Any]) -> NDArray[np.bool_] | None:
        """Return bool [copies, sum of branches]; None if no copy says what is allowed."""
        if self._mask_in_obs:
            return join_columns(observations[MASK_KEY])
        if MASK_KEY not in infos:
            return None
        allowed = join_rows(infos[MASK_KEY], self._decoder.spec)
        allowed[~infos.get(f"_{MASK_KEY}", np.ones(len(allowed), np.bool_))] = True  # zeros stand for who has no mask
        return allowed

    def _decisions(
        self,
        encoded: list[NDArray[np.float32]],
        allowed: NDArray[np.bool_] | None,
        reward: NDArray[np.float32],
        who: NDArray[np.int32],
    ) -> DecisionSteps:
        self._waiting = who
        if who is not self._ids:
            encoded, reward = [column[who] for column in encoded], reward[who]
            allowed = None if allowed is None else allowed[who]
        mask = None if allowed is None else forbidden(allowed, self._decoder.spec)
        return DecisionSteps(encoded, reward, who.copy(), mask)

    def _first_seed(self) -> int | None:
        seed, self._seed = self._seed, None
        return seed

    def _close(self) -> None:
        self._vector_env.close()


def make_gymnasium(
    env_id: str,
    *,
    seed: int = 0,
    num_areas: int | None = None,
    side_channels: list[SideChannel] | None = None,
    render_mode: str | None = None,
) -> GymnasiumEnvironment:
    """Return copies of a registered Gymnasium environment, by its own vectorised form if it has one.

    Args:
      env_id: as for `gymnasium.make`, `module:Name-v0` included. The behavior is called `Name?team=0`: without
        module, namespace and version.
      seed: of the first reset.
      num_areas: the number of copies; None for 8.
      side_channels: see `LocalEnv`.
      render_mode: `rgb_array` to have pictures of it.

    Raises:
      UnityEnvironmentException: there is no such environment, or it cannot be made here.
      UnityObservationException, UnityActionException: its spaces cannot be learned.
      ValueError: `num_areas` is less than 1 or more than `MOST_AREAS`.
    """
    copies = checked_areas(DEFAULT_NUM_AREAS if num_areas is None else num_areas)
    module, _, registered_id = env_id.rpartition(":")
    title = f"gym:{env_id}"
    try:
        if module:
            import_module(module)
        registered = gymnasium.spec(registered_id)
        vector_env = _make_vector(registered, copies, title, render_mode)
    except gymnasium.error.Error as error:
        raise UnityEnvironmentException(f"{title}: {error}{_near(registered_id)}") from error
    except ImportError as error:
        raise UnityEnvironmentException(f"{title}: {_advised(error, registered_id)}") from error
    except UnityException:
        raise
    except Exception as error:  # of code of users
        raise UnityEnvironmentException(f"{title} cannot be made: {describe(error)}.") from error
    # Distinct for all copies of all workers, whose seeds follow each other.
    first = int(np.random.SeedSequence(seed % 2**32).generate_state(1)[0])
    return GymnasiumEnvironment(vector_env, str(BehaviorId(registered.name)), first, side_channels, title)


def _make_vector(registered: EnvSpec, copies: int, title: str, render_mode: str | None) -> VectorEnv[Any, Any, Any]:
    mode: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
    if registered.vector_entry_point:
        return gymnasium.make_vec(registered, num_envs=copies, **mode)
    return Copies([lambda: CheckedEnv(gymnasium.make(registered, **mode), title)] * copies)


def _advised(error: ImportError, env_id: str) -> str:
    """Return the error, with the package to install where Gymnasium does not name it."""
    text = str(error).rstrip(".")
    registered = gymnasium.registry.get(env_id)
    family = re.match(r"gymnasium\.envs\.(\w+)", str(registered.entry_point)) if registered else None
    if family and "pip install" not in text:
        return f"{text}. Try: pip install 'gymnasium[{family[1].replace('_', '-')}]'"
    return text


def _near(env_id: str) -> str:
    if env_id.startswith("ALE/"):
        return f" Try: pip install ale-py, and gym:ale_py:{env_id}"
    by_lower = {known.lower(): known for known in gymnasium.registry}
    near = [by_lower[match] for match in get_close_matches(env_id.lower(), by_lower)]
    return f" Registered are, for example, {', '.join(near)}." if near and env_id not in near else ""
