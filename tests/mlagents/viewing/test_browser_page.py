"""The page without a browser: a server that nobody looks at, whose handles are read and clicked."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest

from mlagents.errors import UsageError
from mlagents.viewing.browser import LOOPBACK, Address, Show, free_demo_path, open_server, url
from mlagents.viewing.candidates import Chance, Rule
from mlagents.viewing.cast import ChosenCast
from mlagents.viewing.hands import Hands
from mlagents.viewing.session import AgentName, Session
from mlagents.viewing.teaching import Teacher
from mlagents_envs.exception import UnityEnvironmentException
from toys.line_game import LINE, LineEnv

viser = pytest.importorskip("viser")

ANY_PORT = Address(LOOPBACK, 0)


@pytest.fixture
def server():
    with open_server(ANY_PORT, "Line") as server:
        yield server


def show_of(server, tmp_path, env=None, **options):
    env = env or LineEnv()
    cast = ChosenCast([Chance(), Rule(env.heuristic, frozenset({LINE}))], env.behavior_specs)
    session = Session(env, cast, Hands(), Teacher(tmp_path / "line.demo"))
    changes = []
    show = Show(server, env, session, cast, "Line", lambda *change: changes.append(change), run_idle=True, **options)
    show.changes = changes
    return show


def run_for(show, decisions):
    """Play so many decisions as fast as it goes, then whatever else was asked for."""
    stop, step = threading.Event(), show.session.step
    show.pace.speed = np.inf

    def counted():
        step()
        if show.session._reports > decisions:
            stop.set()

    show.session.step = counted
    try:
        show.run(stop)
    finally:
        show.session.step = step


def node(server, name):
    return server.scene.get_handle_by_name(name)


def test_bodies_that_move_are_moved_and_those_that_do_not_are_sent_once(server, tmp_path):
    env = LineEnv()
    show = show_of(server, tmp_path, env)
    show._scene.show()
    still = node(server, "/world/box/still")
    assert still.batched_positions.shape == (3, 3)
    assert node(server, "/world/box/moving") is None
    env.cells[1] = 2
    show._scene.show()
    assert node(server, "/world/box/still").batched_positions.shape == (2, 3)
    moving = node(server, "/world/box/moving")
    np.testing.assert_allclose(moving.batched_positions, [(2.0, 3.0, 0.0)])
    env.cells[1] = 1
    show._scene.show()
    assert node(server, "/world/box/moving") is moving  # not made anew
    np.testing.assert_allclose(moving.batched_positions, [(1.0, 3.0, 0.0)])


def test_the_camera_begins_where_everything_is_in_view(server, tmp_path):
    show_of(server, tmp_path)
    np.testing.assert_allclose(server.initial_camera.position, (1.5, -8.0, 8.0))
    np.testing.assert_allclose(server.initial_camera.look_at, (1.5, 1.5, 0.0))


def test_a_followed_agent_stays_where_it_is(server, tmp_path):
    env = LineEnv()
    show = show_of(server, tmp_path, env)
    agent = AgentName(LINE, 1)
    show._scene.show_agent(agent, {}, True)
    env.cells[1] = 2
    show._scene.show_agent(agent, {}, True)
    np.testing.assert_allclose(node(server, "/world").position, (-2.0, 0.0, 0.0))
    assert node(server, "/world/chosen").text == "agent 1"
    show._scene.show_agent(agent, {}, False)
    np.testing.assert_allclose(node(server, "/world").position, (0.0, 0.0, 0.0))


def test_what_there_is_is_seen_before_the_first_decision_which_may_be_compiled(server, tmp_path):
    show = show_of(server, tmp_path)
    stop = threading.Event()
    stop.set()
    show.run(stop)
    assert node(server, "/world/box/still").batched_positions.shape == (3, 3)
    assert "getting ready" in show._watch._status.content
    show.session.step()
    show._watch.refresh()
    assert "getting ready" not in show._watch._status.content


def test_what_is_clicked_happens_between_two_decisions(server, tmp_path):
    show = show_of(server, tmp_path)
    show.give(show._watch._toggle)
    show.give(lambda: setattr(show._watch._speed, "value", "2 x"))
    show.give(show._watch._set_speed)
    assert not show.pace.paused
    show._obey()
    assert show.pace.paused
    assert show.pace.speed == 2.0
    show._watch.refresh()
    assert show._watch._pause.label == "Go on"


def test_agents_are_listed_and_one_is_looked_at(server, tmp_path):
    show = show_of(server, tmp_path)
    run_for(show, 2)
    show._watch.refresh()
    assert show._watch._agent.options == ("Line, agent 0", "Line, agent 1")
    show._watch._agent.value = "Line, agent 1"
    show._watch._choose()
    assert show.session.chosen == AgentName(LINE, 1)
    assert "random actions" in show._watch._status.content


def test_the_page_says_why_an_agent_does_what(server, tmp_path):
    show = show_of(server, tmp_path)
    run_for(show, 5)
    show._why.refresh()
    assert "cell, goal" in show._why._observation.content
    assert "33 %" in show._why._action.content
    assert "go right" in show._why._action.content
    reward = show._why._reward._plot
    assert [series["label"] for series in reward.series] == ["decision", "own"]
    assert len(reward.data[0]) == len(reward.data[1]) >= 2
    chance = show._why._chance._plot
    np.testing.assert_allclose(chance.data[1], 1 / 3)
    assert show._why._value._plot is None  # chance values nothing
    show.session.choose(AgentName(LINE, 1))
    show._why.listen()
    assert len(show._why._reward._rows) == 0  # another agent's begin anew


def test_nothing_is_said_of_decisions_that_a_reset_has_undone(server, tmp_path):
    show = show_of(server, tmp_path)
    run_for(show, 5)
    show._why.refresh()
    assert "cell, goal" in show._why._observation.content
    show.session.reset()
    show._why.refresh()
    assert show._why._observation.content == show._why._action.content == ""
    show.session.step()
    show._why.listen()
    show._why.refresh()
    assert "cell, goal" in show._why._observation.content
    assert "you act" not in show._why._action.content
    show.session.take_over(AgentName(LINE, 0))
    show.session.step()
    show._why.listen()
    show._why.refresh()
    assert ">you act; beside it stands what the player would do instead</div>" in show._why._action.content


def test_the_plot_of_rewards_shows_what_the_end_of_an_episode_pays(server, tmp_path):
    show = show_of(server, tmp_path)
    show.session.take_over(AgentName(LINE, 0))
    show.session.hands.hold(["right"])
    for _ in range(5):
        show.session.step()
        show._why.listen()
    # Before the decisions of the first episode it has nothing; its end pays 1, and the next begins with nothing again.
    assert list(show._why._reward._rows) == [(0.0,), (0.0,), (0.0,), (1.0,), (0.0,), (0.0,)]


def test_a_person_takes_over_and_records(server, tmp_path):
    env = LineEnv()
    show = show_of(server, tmp_path, env)
    show._teach._take_or_give_back()
    assert show.session.taken == AgentName(LINE, 0)
    field = show._teach._field
    assert field._field.visible
    assert "onerror" in field._script.content
    assert [button.label for button in show._teach._shown] == ["go right (right or d)", "go left (left or a)"]
    show._teach._start_or_stop()
    show.session.hands.hold(["right"])
    for _ in range(4):
        show.session.step()
    show._teach.refresh()
    assert show._teach._record.label == "Stop recording"
    assert "| line.demo ● | 1 | 4 | 1.00 |" in show._teach._list.content
    show._teach._take_or_give_back()
    show._teach.refresh()
    assert (tmp_path / "line.demo").is_file()
    assert not field._field.visible
    assert field._script.content == ""


def test_players_are_chosen(server, tmp_path):
    show = show_of(server, tmp_path)
    choice = show._players._choices[LINE]
    assert choice.options == ("random actions", "the author's rule")
    choice.value = "the author's rule"
    show._players._choose(LINE)
    assert show._cast.chosen[LINE] == "the author's rule"
    show._players.refresh()
    assert show._players._text.content == "Line team 0: the author's rule"


def test_parameters_are_sliders(server, tmp_path):
    show = show_of(server, tmp_path)
    (slider,) = [
        each for each in server.gui._gui_input_handle_from_uuid.values() if getattr(each, "label", "") == "goal_worth"
    ]
    assert (slider.min, slider.max, slider.value) == (0.0, 5.0, 1.0)
    slider.value = 2.5
    for _ in range(100):
        show._obey()
        if show.changes:
            break
        threading.Event().wait(0.02)
    assert show.changes == [("goal_worth", 2.5)]


class PictureEnv(LineEnv):
    def bodies(self):
        return None

    def picture(self, width, height):
        return np.full((height, width, 3), 10 * self.cells.max(), np.uint8)


def test_what_is_no_place_in_space_is_shown_as_pictures(server, tmp_path):
    env = PictureEnv()
    show = show_of(server, tmp_path, env)
    image = node(server, "/picture")
    assert image.render_width / image.render_height == pytest.approx(640 / 480)
    show._scene.show()
    env.cells[0] = 2
    show._scene.show()
    assert show._scene._last[0, 0, 0] == 20


class InvisibleEnv(PictureEnv):
    def picture(self, width, height):
        raise UnityEnvironmentException("it draws nothing")


def test_what_cannot_be_seen_is_played_all_the_same(server, tmp_path):
    show = show_of(server, tmp_path, InvisibleEnv())
    run_for(show, 3)
    show._why.refresh()
    assert "cell, goal" in show._why._observation.content
    assert node(server, "/picture") is None


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                UsageError, match=rf"cannot serve the page on 127\.0\.0\.1:{port}: Address already in use; choose"
            ),
            open_server(Address(LOOPBACK, port), "x"),
        ):
            pass


def test_an_address_of_another_machine_is_said():
    with (
        pytest.raises(UsageError, match=r"cannot serve the page on 192\.0\.2\.1:0: "),
        open_server(Address("192.0.2.1", 0), "x"),
    ):
        pass


def test_only_this_machine_can_reach_the_page(server):
    assert server.get_host() == "127.0.0.1"
    assert url(server, LOOPBACK) == f"http://127.0.0.1:{server.get_port()}"


@pytest.mark.parametrize(
    ("name", "file"),
    [("3DBall", "3DBall.demo"), ("gym:CartPole-v1", "gym-CartPole-v1.demo"), ("x/my game.py", "my-game.demo")],
)
def test_where_recordings_go(name, file):
    assert str(free_demo_path(name)) == file
