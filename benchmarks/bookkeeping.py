"""What the loop costs beside simulation and networks, per agent step, for 64 agents with a horizon of 64.

The environment replays prepared reports. "collector" is observe and decide with an actor that answers at
once, segments being copied into the learner's rows; "loop" is the whole training loop with a learner that
never updates, less the actor's matrix products, so it has sampling, packing of actions, statistics and
timers in it, too.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import official
from acting import make_3dball_policy
from measure import Figure

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.data.segments import FlatSegments, Segment, WeightsId
from mlagents.nn.policy import Policy
from mlagents.rollout.actor import Actor, Decision
from mlagents.rollout.bodies import acting_body
from mlagents.rollout.collector import Collector
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import BehaviorSettings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.loop import TrainingLoop
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

AGENTS = 64
HORIZON = 64
EPISODE = 512
NAME = "3DBall?team=0"
Report = tuple[DecisionSteps, TerminalSteps]


class Replay(BaseEnv):
    """An environment that takes no time: one cycle of reports in which every agent ends one episode."""

    def __init__(self, spec: BehaviorSpec) -> None:
        rng = np.random.default_rng(0)
        self._specs = {NAME: spec}
        self.reports = [self._report(spec, rng, t) for t in range(EPISODE)]
        self._cycle: Iterator[Report] = itertools.cycle(self.reports)
        self._now = next(self._cycle)

    def _report(self, spec: BehaviorSpec, rng: np.random.Generator, t: int) -> Report:
        ids = np.arange(AGENTS, dtype=np.int32)
        obs = [rng.standard_normal((AGENTS, *o.shape), np.float32) for o in spec.observation_specs]
        decision = DecisionSteps(
            obs, np.full(AGENTS, 0.1, np.float32), ids, None, ids * 0, np.zeros(AGENTS, np.float32)
        )
        every = EPISODE // AGENTS
        if t % every:
            return decision, TerminalSteps.empty(spec)
        over = slice(t // every, t // every + 1)
        terminal = TerminalSteps(
            [o[over] for o in obs],
            decision.reward[over],
            np.zeros(1, np.bool_),
            ids[over],
            decision.group_id[over],
            decision.group_reward[over],
        )
        return decision, terminal

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """One behavior."""
        return self._specs

    def reset(self) -> None:
        """Nothing happens."""

    def step(self) -> None:
        """Go on to the next report."""
        self._now = next(self._cycle)

    def get_steps(self, behavior_name: str) -> Report:
        """Return the report."""
        return self._now

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        """Ignore the actions."""

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        """Ignore the action."""

    def close(self) -> None:
        """Nothing to close."""


class Storing:
    """A learner that stores experience and never learns."""

    def __init__(self, policy: Policy, spec: BehaviorSpec) -> None:
        self.steps = self.version = 0
        self.compile_seconds = 0.0
        self._policy = policy
        self._rows = FlatSegments(spec, 16 * AGENTS * HORIZON)

    def snapshot(self) -> Policy:
        """Return the policy."""
        return self._policy

    def extend(self, segments: Iterable[Segment]) -> None:
        """Copy them, and begin anew when there is much."""
        for segment in segments:
            if self._rows.used > self._rows.capacity // 2:
                self._rows.clear()
            self._rows.extend(segment)
            self.steps += len(segment)

    def reserve(self, lanes: int) -> None:
        """There is room."""

    def ready(self) -> bool:
        """Never."""
        return False

    def update(self) -> dict[str, float]:
        """Never called."""
        return {}

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing was kept."""

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Nothing is taken over."""


class Prompt:
    """An actor whose answer is always the same, and ready."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def act(self, *_: object) -> Decision:
        """Return the answer."""
        return self._decision


def collecting(spec: BehaviorSpec, env: Replay, learner: Storing, decision: Decision) -> Any:
    """Return a function that collects one cycle of reports."""
    behavior = BehaviorId.parse(NAME)
    collector, newest = Collector(behavior, spec, HORIZON), WeightsId(behavior.name)
    actors = {newest: Prompt(decision)}

    def cycle() -> None:
        for decisions, terminals in env.reports:
            collector.recycle()
            segments, _ = collector.observe(0, 0, decisions, terminals)
            for _ in collector.decide(actors, lambda worker: newest, 0):
                pass
            learner.extend(segments)

    return cycle


def looping(env: Replay, learner: Storing) -> Any:
    """Return a function that runs the training loop for one cycle of reports."""
    section = official.behavior() | {
        "time_horizon": HORIZON,
        "max_steps": 10**12,
        "checkpoint_interval": 10**12,
    }
    settings = BehaviorSettings.model_validate(section)
    statistics = Statistics([])
    sampler = LocalSampler(InlinePool(env, EnvironmentParametersChannel(), StatsSideChannel()))

    def make(name: str, spec: BehaviorSpec) -> Behavior:
        return Behavior(name, spec, settings, learner, statistics, np.random.default_rng(0), training=True)

    parameters, ignore = ParameterSchedule({}), lambda *_: None
    loop = TrainingLoop(sampler, make, statistics, parameters, ignore, ignore)

    def cycle() -> None:
        countdown = iter([False] * EPISODE)
        loop.run(lambda: next(countdown, True))

    return cycle


def main() -> None:
    seconds = 1.0 if measure.arguments(__doc__).quick else 8.0
    sim = default_registry["3DBall"].make()
    spec = next(iter(sim.behavior_specs.values()))
    sim.close()
    policy, env = make_3dball_policy(), Replay(spec)
    actor, body = Actor(policy, np.random.default_rng(0)), acting_body(policy)
    observations = env.reports[0][0].obs

    def products() -> None:
        for decision, _ in env.reports:
            body(decision.obs, None)

    us = measure.cpu_us(
        {
            "collector": collecting(spec, env, Storing(policy, spec), actor.act(observations, None)),
            "loop": looping(env, Storing(policy, spec)),
            "products": products,
        },
        seconds,
    )
    collector, loop, hidden = (us[name] / EPISODE / AGENTS for name in ("collector", "loop", "products"))
    measure.emit(
        "bookkeeping",
        [
            Figure("collector: observe and decide, without the actor", collector, "us/step"),
            Figure("whole loop, without the actor's matrix products", loop - hidden, "us/step"),
            Figure("the actor's matrix products", hidden, "us/step"),
        ],
    )


if __name__ == "__main__":
    main()
