"""`mlagents play --video` and `--screenshot`."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image, ImageChops

from mlagents.cli.main import main
from mlagents.viewing.gif import Gif
from mlagents.viewing.grid import GridRecorder, GridSize
from mlagents.viewing.recording import Recorder


def play(*arguments) -> int:
    return main(["play", *arguments, "--model", "random"])


@pytest.mark.parametrize("name", ["Basic", "GridWorld", "3DBall"])
def test_a_screenshot(request, tmp_path, capsys, name) -> None:
    if name == "3DBall":
        request.getfixturevalue("opengl")
    path = tmp_path / "picture.png"
    assert play(name, "--screenshot", str(path)) == 0
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.size == (640, 480)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 3
    # One episode in one area, unless asked for more.
    assert capsys.readouterr().out.splitlines()[1].split("\t")[3] == "1"


def test_a_gif_has_a_picture_of_every_move(tmp_path, capsys) -> None:
    path = tmp_path / "play.gif"
    assert play("Basic", "--video", str(path), "--episodes", "2", "--json", "--seed", "1") == 0
    (result,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert result["episodes"] == 2
    with Image.open(path) as image:
        durations = [image.seek(frame) or image.info["duration"] for frame in range(image.n_frames)]
    # The start and what follows; pictures in which nothing moves are joined.
    moves = round(2 * result["mean_length"])
    assert sum(durations) == 150 * (1 + moves)
    assert 2 < len(durations) <= 1 + moves


@pytest.mark.filterwarnings(
    "ignore:os.fork:RuntimeWarning"
)  # other tests have imported jax, ffmpeg is started by a fork
def test_an_mp4_has_25_pictures_per_second_of_physics(opengl, tmp_path, capsys) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "play.mp4"
    assert play("3DBall", "--video", str(path), "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    count, seconds = ffmpeg.count_frames_and_secs(str(path))
    assert seconds == pytest.approx(count / 25, abs=0.02)
    # An episode ends within the 5 physics steps of its last decision, and the play goes on to the common decision.
    assert count == pytest.approx(1 + 5 * result["mean_length"] / 2, abs=3)


def test_the_files_hold_what_was_seen(tmp_path) -> None:
    class Env:
        step_seconds = 0.25

        def picture(self, width, height):
            self.shown += 1
            return np.full((height, width, 3), self.shown, np.uint8)

        def watch(self, watcher, every):
            assert every == 1
            self.shown, self.watcher = 0, watcher

    env = Env()
    recorder = Recorder(env, tmp_path / "play.gif", tmp_path / "picture.png")
    for _ in range(8):
        env.watcher()
    recorder.close()
    with Image.open(tmp_path / "picture.png") as image:
        assert image.getpixel((5, 5)) == (5, 5, 5)  # after 1 s
    with Image.open(tmp_path / "play.gif") as image:
        assert image.n_frames == 8
        image.seek(7)
        assert image.convert("RGB").getpixel((5, 5)) == (8, 8, 8)
    short = Recorder(env, None, tmp_path / "short.png")
    for _ in range(2):
        env.watcher()
    short.close()
    with Image.open(tmp_path / "short.png") as image:
        assert image.getpixel((5, 5)) == (2, 2, 2)  # the last there was


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "play.avi"], "--video: expected a file that ends in .mp4 or .gif; got 'play.avi'"),
        (["--screenshot", "picture.jpg"], "--screenshot: expected a file that ends in .png; got 'picture.jpg'"),
        (["--screenshot", "nowhere/picture.png"], "there is no folder 'nowhere'; make it first"),
    ],
)
def test_files_are_checked_before_anything_starts(capsys, arguments, message) -> None:
    with pytest.raises(SystemExit) as raised:
        play("Basic", *arguments)
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


def test_what_writes_an_mp4_may_be_missing(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert play("Basic", "--video", str(tmp_path / "play.mp4")) == 2
    assert "pip install 'mlagents-jax[video]'; a .gif needs nothing more" in capsys.readouterr().err


def test_a_video_has_a_length_and_says_how_far_it_is(tmp_path, capsys) -> None:
    path = tmp_path / "play.gif"
    assert play("Basic", "--video", str(path), "--seconds", "7", "--seed", "1") == 0
    assert capsys.readouterr().err.splitlines() == ["recorded 5 of at most 7 s", "recorded 7 of at most 7 s"]
    with Image.open(path) as image:
        durations = [image.seek(frame) or image.info["duration"] for frame in range(image.n_frames)]
    assert 7000 <= sum(durations) < 7000 + 150


def test_seconds_need_a_video(capsys) -> None:
    assert play("Basic", "--seconds", "7") == 2
    assert "--seconds is the length of a video" in capsys.readouterr().err


def test_a_gif_shows_what_was_added_and_grows_while_it_is_written(tmp_path) -> None:
    """A square moves over a background of 16 colours: every picture is decoded as it was, unmoved ones are joined."""
    size = 64
    background = np.zeros((size, size, 3), np.uint8)
    background[..., 0] = 16 * (np.arange(size) // 4)
    pictures = []
    for place in (0, 8, 8, 40):
        picture = background.copy()
        picture[place : place + 8, place : place + 8] = (0, 255, 0)
        pictures.append(picture)
    path, sizes = tmp_path / "x.gif", []
    gif = Gif(path, 0.08)
    for picture in pictures:
        gif.add(picture)
        gif._file.flush()
        sizes.append(path.stat().st_size)
    gif.close()
    assert sizes[0] < sizes[1] == sizes[2] < sizes[3]
    with Image.open(path) as image:
        frames = [(image.seek(n) or image.info["duration"], image.convert("RGB")) for n in range(image.n_frames)]
    assert [duration for duration, _ in frames] == [80, 160, 80]
    for (_, frame), picture in zip(frames, (pictures[0], pictures[1], pictures[3]), strict=True):
        # The quantizer keeps at least 5 bits of each channel.
        assert max(high for _, high in ImageChops.difference(frame, Image.fromarray(picture)).getextrema()) <= 8


def test_gymnasium_draws_itself(tmp_path, capsys) -> None:
    pytest.importorskip("gymnasium")
    pytest.importorskip("pygame")
    path = tmp_path / "cart.png"
    assert play("gym:CartPole-v1", "--screenshot", str(path)) == 0
    with Image.open(path) as image:
        assert image.size == (640, 480)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 3


class Counting:
    """Shows how many pictures it was asked for, times its own factor; ends after so many steps."""

    step_seconds = 0.25

    def __init__(self, factor, steps):
        self.factor, self.steps, self.shown = factor, steps, 0

    def picture(self, width, height):
        self.shown += 1
        return np.full((height, width, 3), self.factor * self.shown, np.uint8)

    def watch(self, watcher, every):
        assert every == 1
        self.watcher = watcher

    def play(self):
        for _ in range(self.steps):
            self.watcher()
            yield


def test_a_grid_joins_what_is_seen_at_the_same_time(tmp_path) -> None:
    """Two columns, two rows; the second environment ends after two pictures, the last of which stays."""
    envs = [Counting(10, 4), Counting(20, 2), Counting(30, 4), Counting(40, 4)]
    recorder = GridRecorder(envs, GridSize(2, 2), tmp_path / "play.gif", 60.0, lambda seconds: None)
    assert recorder.play([env.play() for env in envs])
    recorder.close()
    with Image.open(tmp_path / "play.gif") as image:
        assert (image.size, image.n_frames) == ((640, 480), 4)
        seen = []
        for frame in range(4):
            image.seek(frame)
            picture = image.convert("RGB")
            seen.append([picture.getpixel((x, y))[0] for y in (100, 300) for x in (100, 500)])
    expected = [[10, 20, 30, 40], [20, 40, 60, 80], [30, 40, 90, 120], [40, 40, 120, 160]]
    np.testing.assert_allclose(seen, expected, atol=6)  # a .gif joins colours that are alike


def test_a_grid_ends_when_the_video_is_full(tmp_path) -> None:
    told = []
    envs = [Counting(1, 100), Counting(2, 100), Counting(3, 100)]
    recorder = GridRecorder(envs, GridSize(3, 1), tmp_path / "play.gif", 2.0, told.append)
    assert not recorder.play([env.play() for env in envs])
    recorder.close()
    assert told == [1, 2]
    assert [env.shown for env in envs] == [8, 8, 8]


def test_several_episodes_side_by_side(tmp_path, capsys) -> None:
    """Every one has its own seed, counts, and is seen in its quarter."""
    path = tmp_path / "play.gif"
    assert play("Basic", "--video", str(path), "--grid", "2x2", "--json", "--seed", "5") == 0
    (result,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert result["episodes"] == 4
    with Image.open(path) as image:
        image.seek(image.n_frames - 1)
        last = np.asarray(image.convert("RGB"))
    quarters = [last[y : y + 240, x : x + 320] for y in (0, 240) for x in (0, 320)]
    assert all(len(np.unique(quarter.reshape(-1, 3), axis=0)) > 3 for quarter in quarters)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "9x1", "--video", "x.gif"], "expected columns x rows, 1 to 8 each, like 2x2; got '9x1'"),
        (["--grid", "2", "--video", "x.gif"], "expected columns x rows, 1 to 8 each, like 2x2; got '2'"),
    ],
)
def test_a_grid_has_columns_and_rows(capsys, arguments, message) -> None:
    with pytest.raises(SystemExit):
        play("Basic", *arguments)
    assert message in capsys.readouterr().err


def test_a_grid_is_for_videos(capsys) -> None:
    assert play("Basic", "--grid", "2x2") == 2
    assert "--grid goes with --video, and with --model only" in capsys.readouterr().err
