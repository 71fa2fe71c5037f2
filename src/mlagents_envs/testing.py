"""The contract of `BaseEnv` as a suite that authors of environments run.

```
def test_my_environment() -> None:
    check_env(lambda: MyEnvironment(seed=3))
```

It plays the environment with random actions that respect the masks, and looks at everything that is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import numpy as np

from mlagents_envs._conformity import Columns, check_batch, check_same, check_spec, columns_of, fail
from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException

_Reports = dict[str, tuple[DecisionSteps, TerminalSteps]]


def check_env(make_env: Callable[[], BaseEnv], *, steps: int = 200, seed: int = 0, deterministic: bool = False) -> None:
    """Hold an environment against the contract of `BaseEnv`.

    Args:
      make_env: makes a fresh environment; called two or four times, and one environment lives at a time.
      steps: how long to play; enough for some episodes to end, or nothing can be said about ends.
      seed: of the actions.
      deterministic: ask also that two environments report the same when they are given the same actions.

    Raises:
      AssertionError: the environment breaks the contract: where, what was expected, what was found.
    """
    with _made(make_env) as env:
        _check_play(env, steps, np.random.default_rng(seed))
        _check_errors(env)
        _check_close(env)
    with _made(make_env) as env:
        _check_step_first(env, np.random.default_rng(seed))
    if deterministic:
        with _made(make_env) as env:
            first = _play(env, steps, np.random.default_rng(seed))
        with _made(make_env) as env:
            second = _play(env, steps, np.random.default_rng(seed))
        check_same(first, second, "two environments to report the same")


@contextmanager
def _made(make_env: Callable[[], BaseEnv]) -> Iterator[BaseEnv]:
    env = make_env()
    if not isinstance(env, BaseEnv):
        fail("make_env()", "a BaseEnv", f"a {type(env).__name__}")
    try:
        yield env
    finally:
        with suppress(Exception):  # a second close() may raise, and the first fault should stay the one to see
            env.close()


def _check_play(env: BaseEnv, steps: int, rng: np.random.Generator) -> None:
    watch = _Watch(env)
    for begin in (0, steps // 2):
        where = f"reset() after {begin} steps"
        env.reset()
        watch.look_after_reset(where)
        env.reset()
        reports = watch.look_after_reset(f"{where}, and once more")
        for step in range(begin, begin + steps // 2):
            handed_out = _columns(f"step {step}", reports)
            before = [(label, column.copy()) for label, column in handed_out]
            _act(env, reports, step, rng)
            env.step()
            check_same(before, handed_out, "arrays handed out before a step to stay as they were")
            reports = watch.look_after_step(step)
        watch.check_none_lost(begin, begin + steps // 2)


def _act(env: BaseEnv, reports: _Reports, step: int, rng: np.random.Generator) -> None:
    """Set all actions; those of one agent in every fifth step, none in every seventh."""
    if step % 7 == 6:
        return
    for name, (decisions, _) in reports.items():
        actions = _random_actions(env.behavior_specs[name].action_spec, decisions, rng)
        if step % 5 == 4 and len(decisions) > 0:
            row = int(rng.integers(len(decisions)))
            one = ActionTuple(actions.continuous[[row]], actions.discrete[[row]])
            env.set_action_for_agent(name, int(decisions.agent_id[row]), one)
        else:
            env.set_actions(name, actions)


def _random_actions(spec: ActionSpec, decisions: DecisionSteps, rng: np.random.Generator) -> ActionTuple:
    """Draw uniformly from what is allowed."""
    n = len(decisions)
    discrete = np.zeros((n, spec.discrete_size), np.int32)
    for branch, size in enumerate(spec.discrete_branches):
        ticket = rng.random((n, size))
        if decisions.action_mask is not None:
            ticket[decisions.action_mask[branch]] = -1.0
        discrete[:, branch] = ticket.argmax(axis=1)
    return ActionTuple(rng.uniform(-1, 1, (n, spec.continuous_size)), discrete)


def _play(env: BaseEnv, steps: int, rng: np.random.Generator) -> Columns:
    """Return everything that is reported in a number of steps."""
    env.reset()
    columns: Columns = []
    for step in range(steps):
        reports = {name: env.get_steps(name) for name in env.behavior_specs}
        columns += _columns(f"step {step}", reports)
        _act(env, reports, step, rng)
        env.step()
    return columns


def _columns(where: str, reports: _Reports) -> Columns:
    columns: Columns = []
    for name, (decisions, terminals) in reports.items():
        columns += columns_of(f"{where}, {name}, DecisionSteps", decisions)
        columns += columns_of(f"{where}, {name}, TerminalSteps", terminals)
    return columns


class _Watch:
    """Looks at everything that is reported, and remembers what later reports must agree with."""

    def __init__(self, env: BaseEnv) -> None:
        self._env = env
        self._specs: dict[str, BehaviorSpec] = {}
        self._seen: dict[str, set[int]] = {}  # behavior -> all its ids
        self._newest: dict[str, int] = {}  # behavior -> the step in which an unknown id came last
        self._waiting: dict[tuple[str, int], int] = {}  # agent in an episode -> step of its last decision
        self._ended: set[tuple[str, int]] = set()  # agents between two episodes

    def look_after_reset(self, where: str) -> _Reports:
        """Check that agents begin, and are the ones known before."""
        reports = self._look(where)
        for name, (decisions, terminals) in reports.items():
            here, before = set(decisions.agent_id.tolist()), self._seen.get(name, set())
            if len(terminals) > 0:
                fail(
                    f"{where}, {name}, TerminalSteps",
                    "no agents: a reset ends no episode",
                    terminals.agent_id,
                )
            if here and before and not here & before:
                fail(f"{where}, {name}", f"agents to keep their ids {before}", f"only new ids {here}")
        if not any(len(decisions) for decisions, _ in reports.values()):
            fail(where, "an agent that asks for a decision", "none in any behavior")
        self._waiting.clear()
        self._ended.clear()
        self._note(where, -1, reports)
        return reports

    def look_after_step(self, step: int) -> _Reports:
        """Check that some agent reports, and that nobody ends twice."""
        where = f"step {step}"
        reports = self._look(where)
        if not any(len(batch) for pair in reports.values() for batch in pair):
            fail(where, "step() to advance until at least one agent reports", "no agent in any behavior")
        self._note(where, step, reports)
        return reports

    def check_none_lost(self, begin: int, end: int) -> None:
        """Check that nobody fell silent without an end while agents under new ids came: that is one agent, renamed."""
        for (name, agent), last in self._waiting.items():
            if last < (begin + end) / 2 and self._newest[name] > max(last, begin):
                fail(
                    f"steps {begin} to {end}, {name}",
                    f"agent {agent} to report again under its id, after its decision in step {last}",
                    f"nothing of it, but new ids up to step {self._newest[name]}",
                )

    def _look(self, where: str) -> _Reports:
        specs = self._env.behavior_specs
        if not isinstance(specs, Mapping) or not specs:
            fail(f"{where}, behavior_specs", "a Mapping with at least one behavior", repr(specs))
        for name, known in self._specs.items():
            if specs.get(name) != known:
                fail(f"{where}, behavior_specs[{name!r}]", f"what it was, {known}", specs.get(name))
        reports: _Reports = {}
        for name, spec in specs.items():
            if name not in self._specs:
                check_spec(name, spec)
                self._specs[name] = spec
            reports[name] = self._report(f"{where}, {name}", name, spec)
        _check_owners(where, reports)
        return reports

    def _report(self, where: str, name: str, spec: BehaviorSpec) -> tuple[DecisionSteps, TerminalSteps]:
        pair = self._env.get_steps(name)
        if not isinstance(pair, tuple) or [type(batch) for batch in pair] != [DecisionSteps, TerminalSteps]:
            fail(f"{where}, get_steps()", "(DecisionSteps, TerminalSteps)", repr(pair))
        check_batch(f"{where}, DecisionSteps", pair[0], spec)
        check_batch(f"{where}, TerminalSteps", pair[1], spec)
        again = self._env.get_steps(name)
        check_same(
            _columns(where, {name: pair}),
            _columns(where, {name: again}),
            "get_steps() to give the same twice",
        )
        return pair

    def _note(self, where: str, step: int, reports: _Reports) -> None:
        for name, (decisions, terminals) in reports.items():
            for agent in terminals.agent_id.tolist():  # first: who is in both ended, then began anew
                if (name, agent) in self._ended:
                    fail(f"{where}, {name}, TerminalSteps", f"agent {agent} to decide between two ends", "none")
                self._ended.add((name, agent))
                self._waiting.pop((name, agent), None)
            for agent in decisions.agent_id.tolist():
                self._ended.discard((name, agent))
                self._waiting[name, agent] = step
                if agent not in self._seen.setdefault(name, set()):
                    self._seen[name].add(agent)
                    self._newest[name] = step


def _check_owners(where: str, reports: _Reports) -> None:
    owner: dict[int, str] = {}
    for name, pair in reports.items():
        for agent in {int(agent) for batch in pair for agent in batch}:
            if owner.setdefault(agent, name) != name:
                fail(where, "an agent id to belong to one behavior", f"{agent} in {owner[agent]} and in {name}")


def _check_errors(env: BaseEnv) -> None:
    """Check that wrong calls are refused, and that the environment works on."""
    env.reset()
    for name, spec in env.behavior_specs.items():
        decisions, _ = env.get_steps(name)
        _check_misfits(env, name, spec.action_spec, len(decisions))
        one = spec.action_spec.empty_action(1)
        absent = max([0, *decisions.agent_id.tolist()]) + 1000
        what = f"set_action_for_agent({name!r}, {absent}), an agent without a pending decision,"
        _check_raises(what, IndexError, env.set_action_for_agent, name, absent, one)
        for agent in decisions.agent_id.tolist()[:1]:
            what, two = (
                f"set_action_for_agent({name!r}, {agent}) with two rows",
                spec.action_spec.empty_action(2),
            )
            _check_raises(what, UnityActionException, env.set_action_for_agent, name, agent, two)
    stranger, action = "no such behavior?team=0", ActionTuple(np.zeros((0, 0)))
    _check_raises("get_steps() of an unknown behavior", UnityActionException, env.get_steps, stranger)
    what = "set_actions() of an unknown behavior"
    _check_raises(what, UnityActionException, env.set_actions, stranger, action)
    what = "set_action_for_agent() of an unknown behavior"
    _check_raises(what, UnityActionException, env.set_action_for_agent, stranger, 0, action)
    env.step()
    _Watch(env).look_after_step(0)


def _check_misfits(env: BaseEnv, name: str, spec: ActionSpec, n: int) -> None:
    fitting = spec.empty_action(n)
    misfits = {
        "one row too many": spec.empty_action(n + 1),
        "one continuous action too many": ActionTuple(np.zeros((n, spec.continuous_size + 1)), fitting.discrete),
        "one branch too many": ActionTuple(fitting.continuous, np.zeros((n, spec.discrete_size + 1))),
    }
    for fault, misfit in misfits.items():
        _check_raises(f"set_actions({name!r}) with {fault}", UnityActionException, env.set_actions, name, misfit)


def _check_close(env: BaseEnv) -> None:
    env.close()
    _check_raises("step() after close()", UnityEnvironmentException, env.step)
    _check_raises("reset() after close()", UnityEnvironmentException, env.reset)


def _check_raises(what: str, expected: type[Exception], call: Callable[..., object], *args: object) -> None:
    try:
        call(*args)
    except expected:
        return
    except Exception as error:
        raise AssertionError(f"{what}: expected {expected.__name__}, found {error!r}") from error
    fail(what, expected.__name__, "no exception")


def _check_step_first(env: BaseEnv, rng: np.random.Generator) -> None:
    """Check that the first step() ever acts as reset()."""
    env.step()
    watch = _Watch(env)
    reports = watch.look_after_reset("step() before any reset()")
    _act(env, reports, 0, rng)
    env.step()
    watch.look_after_step(0)
