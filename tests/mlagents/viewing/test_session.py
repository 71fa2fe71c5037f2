"""A play that is looked at: who decides, what is earned, taking over an agent, and recording that."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.viewing.hands import Hands
from mlagents.viewing.session import AgentName, Session
from mlagents.viewing.teaching import Teacher
from mlagents_envs.demonstrations import load_demonstration
from toys.line_game import GOAL, LINE, Always, LineEnv, OneCast

FIRST, SECOND = AgentName(LINE, 0), AgentName(LINE, 1)


def session_of(tmp_path, choice=0, turn_based=False):
    env = LineEnv(turn_based)
    session = Session(env, OneCast(Always(choice)), Hands(), Teacher(tmp_path / "line.demo"))
    session.reset()
    return env, session


def test_rewards_and_decisions_of_every_agent_are_counted(tmp_path):
    env, session = session_of(tmp_path, choice=1)
    assert session.agents == [FIRST, SECOND]
    assert session.chosen == FIRST
    for _ in range(2):
        session.step()
    assert session.score(FIRST).decisions == 2
    assert env.cells.tolist() == [2, 2]
    session.step()  # into the goal; the next episodes begin at once
    assert [(each.own, each.decisions) for each in session.ended(LINE)] == [(1.0, 3), (1.0, 3)]
    assert session.score(FIRST).own == 0.0
    assert session.agents == [FIRST, SECOND]


class GroupEnv(LineEnv):
    """Its group earns a quarter at every step."""

    def _report(self, reward, over):
        super()._report(reward, over)
        decisions, ends = self._reports[LINE]
        for steps in (decisions, ends):
            steps.group_id[:] = 1
            steps.group_reward[:] = 0.25


def test_what_a_group_earns_is_counted_apart_from_the_first_decision_on(tmp_path):
    env = GroupEnv()
    session = Session(env, OneCast(Always(0)), Hands(), Teacher(tmp_path / "x.demo"))
    session.reset()
    session.step()
    score = session.score(AgentName(LINE, 0))
    assert (score.own, score.group, score.in_group) == (0.0, 0.5, True)
    assert session.moment.score.group == 0.25


def test_players_forget_whose_episodes_ended(tmp_path):
    env = LineEnv()
    player = Always(1)
    session = Session(env, OneCast(player), Hands(), Teacher(tmp_path / "line.demo"))
    session.reset()
    for _ in range(GOAL):
        session.step()
    assert player.forgotten == [0, 1]


def test_the_moment_is_what_the_chosen_agent_saw_when_it_decided(tmp_path):
    _, session = session_of(tmp_path, choice=1)
    session.step()
    session.choose(SECOND)
    assert session.moment is None
    session.step()
    moment = session.moment
    assert moment.number == 2
    np.testing.assert_array_equal(moment.obs[0], (1.0, GOAL))
    np.testing.assert_array_equal(moment.action.discrete, [(1,)])
    np.testing.assert_allclose(moment.explanation.probabilities[0], (0.0, 1.0, 0.0))
    assert moment.explanation.samples == 64


def test_what_was_seen_in_an_episode_that_has_ended_is_not_of_the_one_that_begins(tmp_path):
    _, session = session_of(tmp_path)
    session.take_over(FIRST)
    session.hands.hold(["right"])
    for _ in range(2):
        session.step()
    assert session.moment_of_episode is session.moment is not None
    session.step()  # the third step to the right is the goal
    assert session.last_end is not None
    assert session.moment is not None
    assert session.moment_of_episode is None
    session.step()
    assert session.moment_of_episode is session.moment is not None


def test_who_is_taken_over_goes_where_keys_say_and_the_other_does_not(tmp_path):
    env, session = session_of(tmp_path, choice=0)
    session.take_over(SECOND)
    assert session.chosen == SECOND
    session.hands.hold(["right"])
    session.step()
    session.step()
    assert env.cells.tolist() == [0, 2]
    session.hands.hold([])
    session.step()
    assert env.cells.tolist() == [0, 2]
    session.hands.hold(["left"])
    session.step()
    assert env.cells.tolist() == [0, 1]
    session.release()
    session.step()
    assert env.cells.tolist() == [0, 1]


def test_a_tap_between_two_decisions_counts_once(tmp_path):
    env, session = session_of(tmp_path)
    session.take_over(FIRST)
    session.hands.hold(["right"])
    session.hands.hold([])
    session.step()
    session.step()
    assert env.cells.tolist() == [1, 0]


def test_time_stands_still_until_a_key_is_pressed(tmp_path):
    env, session = session_of(tmp_path, turn_based=True)
    assert not session.waits_for_person
    session.take_over(FIRST)
    assert session.waits_for_person
    session.hands.hold(["right"])
    assert not session.waits_for_person
    session.step()
    assert session.waits_for_person  # it is still held, but that was one move
    assert env.cells.tolist() == [1, 0]


def test_nobody_takes_over_what_has_no_keys(tmp_path):
    _, session = session_of(tmp_path)
    with pytest.raises(ValueError, match="no keys are known for Other"):
        session.take_over(AgentName("Other?team=0", 0))


def test_what_is_taught_is_a_demonstration_of_that_agent_alone(tmp_path):
    _, session = session_of(tmp_path, choice=2)
    session.take_over(SECOND)
    session.record()
    session.hands.hold(["right"])
    for _ in range(GOAL + 1):
        session.step()
    (listed,) = session.teacher.recordings
    assert (listed.episodes, listed.decisions, listed.reward) == (1, 4, 1.0)
    session.release()
    assert not session.teacher.is_recording
    (whole,) = load_demonstration(tmp_path / "line.demo").episodes
    assert whole.action.discrete[:, 0].tolist() == [1, 1, 1]
    assert whole.obs[0][:, 0].tolist() == [0, 1, 2, 3]
    assert whole.reward.tolist() == [0, 0, 1]  # of the one that had begun nothing is known but its first observation


def test_each_recording_is_a_file_of_its_own_and_files_that_are_there_stay(tmp_path):
    (tmp_path / "line.demo").write_bytes(b"mine")
    _, session = session_of(tmp_path)
    session.take_over(FIRST)
    for _ in range(2):
        session.record()
        session.hands.hold(["right"])
        session.step()
        session.step()
        session.teacher.stop()
    assert [each.path.name for each in session.teacher.recordings] == ["line-2.demo", "line-3.demo"]
    assert (tmp_path / "line.demo").read_bytes() == b"mine"
    assert [each.decisions for each in session.teacher.recordings] == [2, 2]


def test_a_recording_without_a_decision_is_not_kept(tmp_path):
    _, session = session_of(tmp_path)
    session.take_over(FIRST)
    session.record()
    session.teacher.stop()
    assert session.teacher.recordings == []
    assert list(tmp_path.iterdir()) == []


def test_a_reset_in_the_middle_leaves_the_begun_episode_out(tmp_path):
    _, session = session_of(tmp_path)
    session.take_over(FIRST)
    session.record()
    session.hands.hold(["right"])
    session.step()
    session.reset()
    (listed,) = session.teacher.recordings
    assert listed.decisions == 0
    for _ in range(GOAL):
        session.step()
    session.release()
    assert [len(e) for e in load_demonstration(tmp_path / "line.demo").episodes] == [3]


def test_recording_needs_an_agent_that_is_taken_over(tmp_path):
    _, session = session_of(tmp_path)
    with pytest.raises(ValueError, match="take over an agent first"):
        session.record()
