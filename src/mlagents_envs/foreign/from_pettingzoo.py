"""PettingZoo environments as a `BaseEnv`.

```
env = make_pettingzoo("pettingzoo.butterfly.pistonball_v6", seed=1)  # behavior "pistonball?team=0"
```

Agents with equal spaces share a behavior. If there is one such kind, the behavior has the name of the module
without version; of several kinds each adds what its first agent is called, without number:
`knights_archers_zombies_archer?team=0`. What is observed and how actions are meant is in `encoding`. A mask of
allowed actions is taken from the key `action_mask` of the observation or of the info.

An agent that ends before the others is silent until all have ended; then the next game begins, in the same report.
"""

from __future__ import annotations

import pkgutil
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pettingzoo
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import (
    aec_to_parallel,
    turn_based_aec_to_parallel,
    turn_based_aec_to_parallel_wrapper,
)

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
    checked_areas,
)
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.exception import UnityEnvironmentException, UnityException
from mlagents_envs.foreign.encoding import ActionDecoder, ObservationEncoder
from mlagents_envs.foreign.local_env import LocalEnv, import_module
from mlagents_envs.foreign.masks import MASK_KEY, forbidden, has_mask, join_rows
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.stepped_env import Report
from mlagents_envs.user_errors import describe


class _Kind:
    """Agents that observe and act alike: one behavior."""

    def __init__(self, behavior: BehaviorName, spaces: tuple[Any, Any]) -> None:
        self.behavior = behavior
        self.spaces = spaces
        self.decoder = ActionDecoder(spaces[1])
        self.mask_in_obs = has_mask(spaces[0], self.decoder.spec)
        self.encoder = ObservationEncoder(spaces[0], masked=self.mask_in_obs)
        self.spec = BehaviorSpec(self.encoder.specs, self.decoder.spec)


class _Game:
    """One copy of the environment.

    Attributes:
      env: the copy.
      kinds: agent -> its kind; spaces may change from game to game, but not within one.
      observations: agent -> what it observed last.
      earned: agent -> its reward since it was last reported.
      decided: agents that acted in this game; the end of another is nobody's business.
    """

    def __init__(self, env: ParallelEnv, seed: int) -> None:
        self.env = env
        self.kinds: dict[Any, _Kind] = {}
        self.observations: dict[Any, Any] = {}
        self.earned: defaultdict[Any, float] = defaultdict(float)
        self.decided: set[Any] = set()
        self._infos: Mapping[Any, Mapping[str, Any]] = {}
        self._seed: int | None = seed

    def begin(self) -> None:
        """Reset; the first time with the seed."""
        self.observations, self._infos = self.env.reset(seed=self._seed)
        self._seed = None
        self.earned.clear()
        self.decided.clear()
        self.kinds.clear()

    def play(self, actions: Mapping[Any, Any]) -> dict[Any, bool]:
        """Do one step, and return who ended, and whether by interruption."""
        before = list(self.env.agents)
        observations, rewards, terminations, truncations, self._infos = self.env.step(actions)
        self.observations.update(observations)
        for agent, reward in rewards.items():
            self.earned[agent] += float(reward)
        left = set(self.env.agents)
        ended = [a for a in before if a not in left or terminations.get(a) or truncations.get(a)]
        return {agent: bool(truncations.get(agent)) and not terminations.get(agent) for agent in ended}

    def deciding(self) -> list[Any]:
        """Return who acts next: the one whose turn it is, or everybody."""
        if isinstance(self.env, turn_based_aec_to_parallel_wrapper):
            return [self.env.aec_env.agent_selection] if self.env.agents else []
        return list(self.env.agents)

    def allowed(self, agent: Any) -> Any:
        """Return the agent's mask in the form of the environment, or None."""
        if self.kinds[agent].mask_in_obs:
            return self.observations[agent][MASK_KEY]
        return self._infos.get(agent, {}).get(MASK_KEY)


class _Row(NamedTuple):
    """One agent in a report."""

    game: int
    agent: Any
    agent_id: int
    observation: Any
    reward: float
    allowed: Any = None
    interrupted: bool = False


class PettingZooEnvironment(LocalEnv):
    """Copies of a PettingZoo environment.

    Args:
      envs: the copies. Those that take turns come from `turn_based_aec_to_parallel`; who is not at turn is silent.
      name: of the environment, for its behaviors.
      seeds: one per copy, of its first `reset()`.
      side_channels: see `LocalEnv`.

    Raises:
      UnityObservationException, UnityActionException: spaces cannot be learned, see `encoding`.
    """

    def __init__(
        self,
        envs: Sequence[ParallelEnv],
        name: str,
        seeds: Iterable[int],
        side_channels: list[SideChannel] | None = None,
    ) -> None:
        super().__init__(side_channels, title=f"pettingzoo:{name}", spaces="dicts by agent, as their spaces say")
        self._name = name
        self._games = [_Game(env, seed) for env, seed in zip(envs, seeds, strict=True)]
        self._kinds: list[_Kind] = []
        self._ids: dict[tuple[int, Any, BehaviorName], int] = {}
        self._waiting: dict[BehaviorName, list[_Row]] = {}
        self._meet(self._games[0], getattr(envs[0], "possible_agents", ()))

    def _reset(self) -> dict[BehaviorName, Report]:
        for game in self._games:
            game.begin()
        return self._report({})

    def _advance(self, actions: Mapping[BehaviorName, ActionTuple]) -> dict[BehaviorName, Report]:
        chosen: list[dict[Any, Any]] = [{} for _ in self._games]
        for kind in self._kinds:
            rows = self._waiting[kind.behavior]
            for row, value in zip(rows, kind.decoder.decode(actions[kind.behavior]), strict=True):
                chosen[row.game][row.agent] = value
        ended: defaultdict[BehaviorName, list[_Row]] = defaultdict(list)
        for index, game in enumerate(self._games):
            for agent, interrupted in game.play(chosen[index]).items():
                if agent in game.decided:
                    row = self._row(index, agent)
                    ended[game.kinds[agent].behavior].append(row._replace(interrupted=interrupted))
            if not game.env.agents:
                game.begin()
        return self._report(ended)

    def _report(self, ended: Mapping[BehaviorName, list[_Row]]) -> dict[BehaviorName, Report]:
        waiting: defaultdict[BehaviorName, list[_Row]] = defaultdict(list)
        for index, game in enumerate(self._games):
            agents = game.deciding()
            self._meet(game, agents)
            game.decided.update(agents)
            for agent in agents:
                row = self._row(index, agent)
                waiting[game.kinds[agent].behavior].append(row._replace(allowed=game.allowed(agent)))
        self._waiting = {kind.behavior: waiting[kind.behavior] for kind in self._kinds}
        return {
            kind.behavior: (
                _decisions(waiting[kind.behavior], kind),
                _terminals(ended.get(kind.behavior, []), kind),
            )
            for kind in self._kinds
        }

    def _row(self, index: int, agent: Any) -> _Row:
        game = self._games[index]
        agent_id = self._ids.setdefault((index, agent, game.kinds[agent].behavior), len(self._ids))
        return _Row(index, agent, agent_id, game.observations[agent], game.earned.pop(agent, 0.0))

    def _meet(self, game: _Game, agents: Iterable[Any]) -> None:
        """Find out of what kind agents are that were not seen in this game before."""
        spaces = {a: (game.env.observation_space(a), game.env.action_space(a)) for a in agents if a not in game.kinds}
        first = not self._kinds
        for agent, pair in spaces.items():
            kind = next((known for known in self._kinds if known.spaces == pair), None)
            if kind is None:
                alone = first and all(other == pair for other in spaces.values())
                kind = _Kind(self._new_behavior(agent, alone), pair)
                self._kinds.append(kind)
                self._specs[kind.behavior] = kind.spec
            game.kinds[agent] = kind

    def _new_behavior(self, agent: Any, alone: bool) -> BehaviorName:
        plain = str(agent).partition("?")[0]  # our own adapter's agents carry `?team=0?agent_id=1`
        stem = re.sub(r"_?\d+$", "", plain)
        names = [self._name] if alone else [f"{self._name}_{stem}", f"{self._name}_{plain}"]
        names.append(f"{self._name}_{plain}_{len(self._kinds)}")
        return next(name for name in (str(BehaviorId(name)) for name in names) if name not in self._specs)

    def _close(self) -> None:
        for game in self._games:
            game.env.close()


def _decisions(rows: list[_Row], kind: _Kind) -> DecisionSteps:
    return DecisionSteps(
        kind.encoder.encode([row.observation for row in rows]),
        np.array([row.reward for row in rows], np.float32),
        np.array([row.agent_id for row in rows], np.int32),
        _mask([row.allowed for row in rows], kind.spec.action_spec),
    )


def _terminals(rows: list[_Row], kind: _Kind) -> TerminalSteps:
    return TerminalSteps(
        kind.encoder.encode([row.observation for row in rows]),
        np.array([row.reward for row in rows], np.float32),
        np.array([row.interrupted for row in rows], np.bool_),
        np.array([row.agent_id for row in rows], np.int32),
    )


def _mask(allowed: list[Any], spec: ActionSpec) -> list[NDArray[np.bool_]] | None:
    return None if all(mask is None for mask in allowed) else forbidden(join_rows(allowed, spec), spec)


def make_pettingzoo(
    module: str, *, seed: int = 0, num_areas: int | None = None, side_channels: list[SideChannel] | None = None
) -> PettingZooEnvironment:
    """Return copies of the environment of a module.

    Args:
      module: with a function or class `parallel_env`, or `env`, that needs no arguments. A module of PettingZoo may
        be named without its package: `pistonball_v6`.
      seed: of the first reset.
      num_areas: the number of copies; None for 1.
      side_channels: see `LocalEnv`.

    Raises:
      UnityEnvironmentException: there is no such module, or it cannot be imported, or has no environment.
      UnityObservationException, UnityActionException: spaces cannot be learned.
      ValueError: `num_areas` is less than 1 or more than `MOST_AREAS`.
    """
    copies = checked_areas(1 if num_areas is None else num_areas)
    make = _constructor(_import(module), module)
    name = re.sub(r"_v\d+$", "", module.rpartition(".")[2])
    seeds = np.random.SeedSequence(seed % 2**32).generate_state(copies)
    try:
        return PettingZooEnvironment([make() for _ in range(copies)], name, map(int, seeds), side_channels)
    except UnityException:
        raise
    except Exception as error:  # of code of users
        raise UnityEnvironmentException(f"pettingzoo:{module} cannot be made: {describe(error)}.") from error


def _constructor(module: ModuleType, name: str) -> Callable[[], ParallelEnv]:
    if callable(parallel_env := getattr(module, "parallel_env", None)):
        return lambda: parallel_env()
    if callable(env := getattr(module, "env", None)):
        return lambda: _parallel(env())
    raise UnityEnvironmentException(
        f"pettingzoo:{name}: expected a function `parallel_env` or `env` in {module.__name__}, found neither."
    )


def _parallel(env: AECEnv) -> ParallelEnv:
    return aec_to_parallel(env) if env.metadata.get("is_parallelizable") else turn_based_aec_to_parallel(env)


def _import(name: str) -> ModuleType:
    known = _known_modules()
    full_name = known.get(name, name)
    try:
        return import_module(full_name)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and f"{full_name}.".startswith(f"{error.name}."):
            near = get_close_matches(name.rpartition(".")[2], known)
            hint = f" Did you mean {' or '.join(known[match] for match in near)}?" if near else _moved(name)
            raise UnityEnvironmentException(f"pettingzoo:{name}: there is no module {full_name}.{hint}") from error
        package, _, rest = full_name.partition(".")
        advice = f" Try: pip install 'pettingzoo[{rest.partition('.')[0]}]'" if package == "pettingzoo" else ""
        text = str(error).rstrip(".")
        raise UnityEnvironmentException(
            f"pettingzoo:{name}: {full_name} cannot be imported: {text}.{_moved(name) or advice}"
        ) from error
    except Exception as error:
        raise UnityEnvironmentException(f"pettingzoo:{name} cannot be imported: {describe(error)}.") from error


def _moved(name: str) -> str:
    """Return where the environments went that PettingZoo had once."""
    short = name.rpartition(".")[2]
    return f" Try: pip install mpe2, and pettingzoo:mpe2.{short}" if short.startswith("simple_") else ""


def _known_modules() -> dict[str, str]:
    """Return short name -> full name of the environments that come with PettingZoo; none of them is imported."""
    families = [m.name for m in pkgutil.iter_modules(pettingzoo.__path__) if m.ispkg]
    folders = {family: [f"{path}/{family}" for path in pettingzoo.__path__] for family in families}
    return {
        module.name: f"pettingzoo.{family}.{module.name}"
        for family, paths in folders.items()
        for module in pkgutil.iter_modules(paths)
        if re.search(r"_v\d+$", module.name)
    }
