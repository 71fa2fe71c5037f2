"""Both ends of the exchange in one process."""

from __future__ import annotations

import gc
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pool_checks import NAME, assert_same
from pool_environments import LATECOMER, WALKER, Scene

from mlagents.rollout.exchange import Block, News, PoolEnd, WorkerEnd, decode_report, encode_report
from mlagents_envs.base_env import ActionTuple, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityActionException, UnityObservationException
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel


class Pair:
    """A scene whose reports go through shared memory."""

    def __init__(self) -> None:
        self.parameters = EnvironmentParametersChannel()
        self.scene = Scene(5, [self.parameters, StatsSideChannel()])
        self.worker, self.pool = WorkerEnd(), PoolEnd()

    def reset(self, **parameters: float):
        for name, value in parameters.items():
            self.parameters.set_float_parameter(name, value)
        self.scene.reset()
        return self.pass_on()

    def step(self):
        self.scene.step()
        return self.pass_on()

    def pass_on(self):
        self.message = self.worker.report(self.scene, self.pool.free_slot, {})
        counts, _ = self.pool.adopt(self.message)
        return self.pool.read(counts)


def test_reports_arrive_as_they_were_made():
    pair = Pair()
    steps = pair.reset(agents=12)
    for _ in range(10):
        assert list(steps) == [NAME]
        assert_same(steps[NAME], pair.scene.get_steps(NAME))
        steps = pair.step()


def test_steady_state_sends_counts_only():
    pair = Pair()
    pair.reset(agents=12)
    assert decode_report(pair.message)[1] is not None
    pair.step()
    assert len(pair.message) == 1 + 2 + 3 * 4  # tag, length, three counts of one behavior


def test_a_report_holds_while_the_next_is_written():
    pair = Pair()
    first = pair.reset(agents=4)[NAME][0]
    before = first.obs[0].copy()
    pair.scene.step()
    pair.worker.report(pair.scene, pair.pool.free_slot, {})
    np.testing.assert_array_equal(first.obs[0], before)


def test_more_agents_get_a_larger_block_and_old_arrays_stay():
    pair = Pair()
    old = pair.reset(agents=3)[NAME][0]
    before = old.obs[1].copy()
    for agents in (8, 9, 100, 2, 0, 500):
        steps = pair.reset(agents=agents)
        assert len(steps[NAME][0]) == agents
        assert_same(steps[NAME], pair.scene.get_steps(NAME))
    np.testing.assert_array_equal(old.obs[1], before)
    pair.pool.release()
    np.testing.assert_array_equal(old.obs[1], before)
    del old, steps
    gc.collect()  # an exception in a destructor would be an error here


def test_behaviors_may_come_later():
    pair = Pair()
    steps = pair.reset(late=2)
    for _ in range(6):
        assert list(steps) == list(pair.scene.behavior_specs) == list(pair.pool.specs)
        for name in steps:
            assert_same(steps[name], pair.scene.get_steps(name))
        steps = pair.step()
    assert pair.pool.specs["Latecomer?team=0"] == LATECOMER


def test_names_of_blocks_are_gone_once_mapped():
    pair = Pair()
    pair.reset()
    _, news = decode_report(pair.message)
    ((name, _),) = news.blocks.values()
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)


def test_actions_arrive_and_are_copies():
    pair = Pair()
    pair.reset(agents=2, late=0)
    actions = ActionTuple(np.array([[1, 2], [3, 4]], np.float32), np.array([[0, 1], [2, 0]], np.int32))
    request = pair.pool.write_actions({NAME: actions})
    ((name, got),) = pair.worker.actions(request)
    assert name == NAME
    pair.pool.write_actions({NAME: ActionTuple(actions.continuous * 0, actions.discrete * 0)})
    np.testing.assert_array_equal(got.continuous, actions.continuous)
    np.testing.assert_array_equal(got.discrete, actions.discrete)
    assert (got.continuous.dtype, got.discrete.dtype) == (np.float32, np.int32)


def test_actions_that_do_not_fit_are_refused():
    pair = Pair()
    pair.reset(agents=2)
    with pytest.raises(UnityActionException, match=r"\(3, 2\)"):
        pair.pool.write_actions({NAME: WALKER.action_spec.empty_action(3)})
    with pytest.raises(UnityActionException, match="Walker"):
        pair.pool.write_actions({"Runner?team=0": WALKER.action_spec.empty_action(2)})


def test_observations_that_do_not_fit_their_spec_are_refused():
    block = Block(WALKER, 8)
    try:
        obs = [np.zeros((1, 8), np.float32), np.zeros((2, 3, 4, 4), np.float32)]
        wrong = DecisionSteps(obs, np.zeros(2, np.float32), np.arange(2, dtype=np.int32), None)
        with pytest.raises(UnityObservationException, match=r"\(1, 8\); expected \(2, 8\)"):
            block.write(0, wrong, TerminalSteps.empty(WALKER))
    finally:
        block.unlink()
        block.release()


counts = st.lists(st.integers(0, 2**31 - 1), max_size=30)
names = st.dictionaries(st.text(max_size=9), st.tuples(st.text(max_size=9), st.integers()), max_size=3)
values = st.lists(st.tuples(st.floats(allow_nan=False), st.sampled_from(StatsAggregationMethod)), max_size=3)


@settings(deadline=None)
@given(counts, names, st.dictionaries(st.text(max_size=9), values, max_size=3))
def test_report_messages_come_back(counts, blocks, stats):
    got, news = decode_report(encode_report(counts, News({}, blocks, stats)))
    assert list(got) == counts
    assert (news or News({}, {}, {})) == News({}, blocks, stats)
