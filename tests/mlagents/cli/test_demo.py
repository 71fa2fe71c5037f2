"""`mlagents demo`, and `mlagents play --record`."""

from __future__ import annotations

import json

import pytest

from mlagents.cli.main import main


def test_unitys_file(shared_data, capsys):
    path = shared_data / "demos" / "ExpertBasic.demo"
    assert main(["demo", "info", str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: ExpertBasic",
        "  behavior: BasicLearning",
        "  observations: 20",
        "  actions: discrete 3",
        "  episodes: 10 and 1 unfinished",
        "  decisions: 72",
        "  mean reward: 0.930",
        f"  note: {path}: the action that answers an observation is that of the same pair (same): its last pair has no "
        "action, as where actions answer their own pair.",
    ]


def test_what_was_played_and_recorded(tmp_path, capsys):
    path = tmp_path / "random.demo"
    arguments = ["--model", "random", "--episodes", "5", "--seed", "3", "--json"]
    assert main(["play", "Basic", *arguments, "--record", str(path)]) == 0
    (played,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert main(["demo", "info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "path": str(path),
            "name": "random",
            "behavior": "Basic?team=0",
            "observations": [[20]],
            "continuous_actions": 0,
            "discrete_branches": [3],
            "episodes": 5,
            "unfinished_episodes": 0,
            "decisions": round(5 * played["mean_length"]),
            "mean_reward": pytest.approx(played["mean"]),
            "notes": [
                f"{path}: the action that answers an observation is that of the same pair (same): as the file states."
            ],
        }
    ]


def test_pictures_take_little_room(tmp_path, capsys):
    """16,128 floats each; compressed they are less than a thousand bytes."""
    path = tmp_path / "grid.demo"
    arguments = ["--model", "random", "--episodes", "2", "--num-areas", "1", "--record", str(path)]
    assert main(["play", "GridWorld", *arguments]) == 0
    capsys.readouterr()
    assert main(["demo", "info", str(path), "--json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)
    assert summary["observations"] == [[3, 64, 84]]
    assert summary["episodes"] == 2
    assert path.stat().st_size < 1000 * (summary["decisions"] + 2)


def test_a_file_per_behavior(entry, tmp_path, capsys):
    arguments = ["--model", "random", "--episodes", "2", "--record", str(tmp_path / "both.demo")]
    assert main(["play", "TwoBehaviors", *arguments]) == 0
    names = ["both-Chooser-team1.demo", "both-Walker.demo"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert entry.made.closed
    capsys.readouterr()
    assert main(["demo", "info", "--json", *(str(tmp_path / name) for name in names)]) == 0
    chooser, walker = json.loads(capsys.readouterr().out)
    assert chooser["observations"] == [[3], [1, 4, 5]]
    assert chooser["discrete_branches"] == [3, 2]
    assert walker["behavior"] == "Walker?team=0"


def test_ctrl_c_leaves_a_whole_file(entry, tmp_path, capsys):
    """Nine steps: two episodes of four decisions, and one decision whose outcome nobody saw."""
    entry.steps_until_interrupt = 9
    assert main(["play", "TwoBehaviors", "--model", "random", "--record", str(tmp_path / "cut.demo")]) == 130
    capsys.readouterr()
    assert main(["demo", "info", str(tmp_path / "cut-Walker.demo"), "--json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)
    assert (summary["episodes"], summary["mean_reward"]) == (2, 2.5)


def test_what_is_no_demonstration(tmp_path, capsys):
    (tmp_path / "broken.demo").write_bytes(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
    assert main(["demo", "info", str(tmp_path / "broken.demo")]) == 1
    assert "broken.demo: at byte 0 there should be the meta data" in capsys.readouterr().err
    assert main(["demo", "info", str(tmp_path / "absent.demo")]) == 1
    assert "absent.demo: No such file or directory" in capsys.readouterr().err


def test_a_heuristic_plays(tmp_path, capsys):
    (tmp_path / "game.py").write_text(GAME)
    assert main(["play", str(tmp_path / "game.py"), "--heuristic", "--episodes", "3", "--json"]) == 0
    (behavior,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert behavior == {"mean": 1.0, "std": 0.0, "episodes": 3, "mean_length": 5.0, "group_mean": 0.0}


def test_agents_without_a_heuristic(tmp_path, capsys):
    (tmp_path / "game.py").write_text(GAME.replace("def heuristic(", "def rule("))
    assert main(["play", str(tmp_path / "game.py"), "--heuristic"]) == 1
    assert "no heuristic; define Walker.heuristic() or its keys" in capsys.readouterr().err


def test_an_environment_without_heuristics(entry, capsys):
    assert main(["play", "TwoBehaviors", "--heuristic"]) == 2
    assert "--heuristic is for environments of mlagents_sim" in capsys.readouterr().err
    assert entry.made.closed


@pytest.fixture
def basic(tmp_path, capsys):
    """Twelve episodes of random play."""
    path = tmp_path / "basic.demo"
    assert main(["play", "Basic", "--model", "random", "--episodes", "12", "--record", str(path)]) == 0
    capsys.readouterr()
    return path


def described(path, capsys):
    capsys.readouterr()
    assert main(["demo", "info", str(path), "--json"]) == 0
    (summary,) = json.loads(capsys.readouterr().out)
    return summary


def test_merging_cutting_and_splitting(basic, tmp_path, capsys):
    whole = described(basic, capsys)
    assert main(["demo", "merge", str(basic), str(basic), "-o", str(tmp_path / "twice.demo")]) == 0
    twice = described(tmp_path / "twice.demo", capsys)
    assert (twice["episodes"], twice["decisions"]) == (2 * whole["episodes"], 2 * whole["decisions"])
    assert twice["mean_reward"] == pytest.approx(whole["mean_reward"])
    assert main(["demo", "cut", str(basic), "--first", "3", "--last", "5", "-o", str(tmp_path / "part.demo")]) == 0
    assert described(tmp_path / "part.demo", capsys)["episodes"] == 3
    assert main(["demo", "cut", str(basic), "--decisions", "5", "-o", str(tmp_path / "five.demo")]) == 0
    assert described(tmp_path / "five.demo", capsys)["decisions"] == 5
    assert main(["demo", "split", str(basic), "--episodes", "5", "-o", str(tmp_path / "piece.demo")]) == 0
    pieces = [described(tmp_path / f"piece-{number}.demo", capsys) for number in (1, 2, 3)]
    assert [piece["episodes"] for piece in pieces] == [5, 5, whole["episodes"] - 10]
    assert sum(piece["decisions"] for piece in pieces) == whole["decisions"]


def test_filtering_by_reward(basic, tmp_path, capsys):
    """What is left out and what is kept are the whole."""
    from mlagents_envs.demonstrations import load_demonstration

    rewards = sorted(episode.total_reward for episode in load_demonstration(basic).episodes)
    good = tmp_path / "good.demo"
    assert main(["demo", "filter", str(basic), "--min-reward", str(rewards[4] + 1e-6), "-o", str(good)]) == 0
    kept = [reward for reward in rewards if reward > rewards[4] + 1e-6]
    assert sorted(episode.total_reward for episode in load_demonstration(good).episodes) == pytest.approx(kept)
    capsys.readouterr()
    assert main(["demo", "filter", str(basic), "--min-reward", "5", "-o", str(tmp_path / "none.demo")]) == 2
    assert "no episode is left" in capsys.readouterr().err
    assert not (tmp_path / "none.demo").exists()


def test_the_pairing_can_be_given(basic, capsys):
    assert main(["demo", "info", str(basic), "--pairing", "next"]) == 0
    assert "is that of the next pair (next): as was asked for." in capsys.readouterr().out


def test_a_demonstration_is_shown_decision_by_decision(basic, tmp_path, capsys):
    from PIL import Image

    assert main(["demo", "play", str(basic), "--episode", "2", "--decisions", "3"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split("\t")[:3] == ["decision", "action", "reward"]
    assert [row.split("\t")[0] for row in rows] == ["0", "1", "2"]
    video = tmp_path / "basic.gif"
    assert main(["demo", "play", str(basic), "--decisions", "4", "--video", str(video)]) == 0
    assert "4 of " in capsys.readouterr().out
    with Image.open(video) as pictures:
        assert (pictures.n_frames, pictures.size) == (4, (640, 480))
    assert main(["demo", "play", str(basic), "--episode", "99"]) == 2
    assert "there is no 99" in capsys.readouterr().err


def test_minari_and_back(basic, tmp_path, monkeypatch, capsys):
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    assert main(["demo", "to-minari", str(basic), "basic/random-v0"]) == 0
    back = tmp_path / "back.demo"
    assert main(["demo", "from-minari", "basic/random-v0", str(back), "--behavior", "Basic"]) == 0
    before, after = described(basic, capsys), described(back, capsys)
    for key in ("behavior", "observations", "discrete_branches", "episodes", "decisions"):
        assert after[key] == before[key]
    assert after["mean_reward"] == pytest.approx(before["mean_reward"])
    assert main(["demo", "from-minari", "basic/none-v0", str(back)]) == 1
    assert "Minari has no dataset 'basic/none-v0' here" in capsys.readouterr().err


GAME = """
from mlagents_envs.base_env import ActionSpec
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester
from mlagents_sim.entry import SimEntry


class Walker(Agent):
    def __init__(self):
        behavior = BehaviorParameters("Walker", vector_observation_size=1, action_spec=ActionSpec.create_discrete((2,)))
        super().__init__(behavior, decision_requester=DecisionRequester(period=1))

    def on_episode_begin(self):
        self.position = 0

    def collect_observations(self, sensor):
        sensor.add_observation(self.position)

    def on_action_received(self, actions):
        self.position += 1 if actions.discrete[0] == 1 else -1
        if self.position == 5:
            self.set_reward(1.0)
            self.end_episode()

    def heuristic(self, actions_out):
        actions_out.discrete[0] = 1


def make_world(areas, rng, parameters):
    return AgentWorld([Walker() for _ in range(areas)], parameters)


ENTRY = SimEntry("Game", 1.0, "Walk to 5.", make_world, num_areas=1)
"""
