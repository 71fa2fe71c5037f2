from __future__ import annotations

import os
import subprocess

import pytest

from mlagents_envs import diagnosis, env_utils
from mlagents_envs.env_utils import launch_executable, validate_environment_path
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.player_process import describe_exit

LINUX, MAC, WINDOWS = "linux", "darwin", "win32"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Makes files below an empty working directory, on a platform of choice."""
    monkeypatch.chdir(tmp_path)

    def make(platform, *names):
        monkeypatch.setattr(env_utils, "get_platform", lambda: platform)
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("#!/bin/sh\nexit 7\n")
            path.chmod(0o755)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("platform", "names", "given", "found"),
    [
        (LINUX, ["a/Ball.x86_64", "a/Ball.x86", "a/Ball"], "a/Ball", "a/Ball.x86_64"),
        (LINUX, ["a/Ball.x86", "a/Ball"], "a/Ball", "a/Ball.x86"),
        (LINUX, ["a/Ball.x86_64"], " a/Ball.x86_64 ", "a/Ball.x86_64"),
        (LINUX, ["a/Ball.x86_64"], "a/Ball.exe", "a/Ball.x86_64"),  # one configuration for all platforms
        (LINUX, ["Ball"], "Ball", "Ball"),  # a plain relative file
        (LINUX, ["my.app.builds/Ball.x86_64"], "my.app.builds/Ball", "my.app.builds/Ball.x86_64"),
        (LINUX, ["v[2]/Ball.x86_64"], "v[2]/Ball", "v[2]/Ball.x86_64"),
        (LINUX, ["build/Ball.x86_64", "build/UnityPlayer.so"], "build", "build/Ball.x86_64"),
        (LINUX, ["Ball.app/Contents/MacOS/Ball"], "Ball", None),
        (MAC, ["Ball.app/Contents/MacOS/Ball", "Ball.app/Contents/MacOS/A"], "Ball", "Ball.app/Contents/MacOS/Ball"),
        (MAC, ["Ball.app/Contents/MacOS/Renamed"], "Ball.app", "Ball.app/Contents/MacOS/Renamed"),
        (MAC, ["Ball.x86_64"], "Ball", None),
        (MAC, ["serve.sh"], "serve.sh", "serve.sh"),
        (MAC, ["Ball.app/Contents/MacOS/Ball", "Ball"], "Ball", "Ball.app/Contents/MacOS/Ball"),
        (WINDOWS, ["serve.cmd", "old.bat", "Ball.txt"], "serve.cmd", "serve.cmd"),
        (WINDOWS, ["serve.cmd", "old.bat"], "old", "old.bat"),
        (WINDOWS, ["Ball.exe", "Ball.cmd"], "Ball", "Ball.exe"),
        (WINDOWS, ["Ball.txt"], "Ball.txt", None),
        (WINDOWS, ["Ball.exe"], "Ball", "Ball.exe"),
        (WINDOWS, ["Ball/UnityCrashHandler64.exe", "Ball/unity.exe"], "Ball", "Ball/unity.exe"),
        (WINDOWS, ["Ball/UnityCrashHandler64.exe"], "Ball", None),
    ],
)
def test_discovery(files, platform, names, given, found):
    folder = files(platform, *names)
    assert validate_environment_path(given) == (None if found is None else str(folder / found))
    assert validate_environment_path(str(folder / given.strip())) == (None if found is None else str(folder / found))


def test_not_found_names_what_is_near(files):
    files(LINUX, "builds/3DBall.x86_64", "builds/GridWorld.x86_64")
    with pytest.raises(UnityEnvironmentException, match=r"'builds/3DBal'.*Did you mean 3DBall\.x86_64\?"):
        launch_executable("builds/3DBal", [])
    with pytest.raises(UnityEnvironmentException, match=r"The folder has 3DBall\.x86_64, GridWorld\.x86_64"):
        launch_executable("builds/qqqqqq", [])
    with pytest.raises(UnityEnvironmentException, match=r"build does not exist; .* does"):
        launch_executable("build/3DBall", [])


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_what_the_system_refuses(files):
    folder = files(LINUX, "Ball.x86_64", "Script")
    (folder / "Ball.x86_64").chmod(0o644)
    with pytest.raises(UnityEnvironmentException, match="chmod -R 755"):
        launch_executable("Ball", [])
    (folder / "Script").write_text("exit 7\n")
    with pytest.raises(UnityEnvironmentException, match="not a program for this machine"):
        launch_executable("Script", [])


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_text_is_no_program(files, mode):
    folder = files(LINUX, "README.md")
    (folder / "README.md").write_text("# Read me\n")
    (folder / "README.md").chmod(mode)
    with pytest.raises(UnityEnvironmentException, match=r"README\.md .*no.* program.*Give the executable") as caught:
        launch_executable("README.md", [])
    assert "chmod" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="starts a shell script")
def test_launch(files):
    files(LINUX, "Ball")
    process = launch_executable("Ball", ["--x"], subprocess.DEVNULL)
    assert process.wait(10) == 7
    assert describe_exit(process.returncode) == "return code 7"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-11, "return code -11 (SIGSEGV)"),
        (-250, "return code -250"),
        (0xC0000005, "return code 0xc0000005"),
    ],
)
def test_exit_codes(code, text):
    assert describe_exit(code) == text


# ---- why nothing comes


def silence(**kwargs):
    situation = {"connected_to": None, "from_editor": False, "no_graphics": False, "variables": {}, "platform": LINUX}
    return diagnosis.silence(waited_s=60, **situation | kwargs)


def test_causes_of_silence():
    assert "did not connect within 60 seconds" in silence()
    assert "There is no display" in silence()
    assert "no display" not in silence(no_graphics=True)
    assert "no display" not in silence(variables={"DISPLAY": ":0"})
    assert "no display" not in silence(platform=MAC)
    assert "Play was not pressed" in silence(from_editor=True)
    assert "A proxy is in the way (HTTP_PROXY)" in silence(variables={"HTTP_PROXY": "http://proxy"})
    assert "proxy" not in silence(variables={"HTTP_PROXY": "http://proxy", "no_proxy": "localhost"})
    assert "proxy" not in silence(variables={"http_proxy": "http://proxy", "NO_PROXY": "a,localhost"})
    assert "Behavior Type" in silence(connected_to="2.0.1")
    assert "1.0.8 refuses newer trainers" in silence(connected_to="1.0.8")


def test_last_lines(tmp_path):
    log = tmp_path / "Player-0.log"
    log.write_bytes(b"\xff old\n" * 5000 + b"one\n\n  two  \n")
    text = diagnosis.tail(diagnosis.read_end(log), "the log")
    lines = text.splitlines()
    assert lines[0] == "Last lines of the log:"
    assert lines[-2:] == ["  one", "    two"]
    assert len(lines) == 26
    assert diagnosis.tail(diagnosis.read_end(tmp_path / "none"), "the log") == ""


def test_causes_of_an_early_end(tmp_path):
    def told(name="Walk.x86_64", **kwargs):
        situation = {"no_graphics": False, "variables": {}, "platform": LINUX} | kwargs
        return diagnosis.early_exit(tmp_path / name, **situation)

    assert told().startswith(f"{tmp_path / 'Walk.x86_64'} ended before it connected.")
    assert "It is no environment" in told()
    assert "without its folder Walk_Data" in told()
    assert "There is no display" in told()
    assert "display" not in told(no_graphics=True)
    assert "display" not in told(variables={"DISPLAY": ":0"})
    (tmp_path / "Walk_Data").mkdir()
    assert "Walk_Data" not in told()
    assert "_Data" not in told("Other.app", platform="darwin")
