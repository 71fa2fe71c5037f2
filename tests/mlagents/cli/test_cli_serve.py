"""`mlagents serve`, started by hand and by a trainer."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlagents.cli.main import main
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import UnityTimeOutException
from mlagents_envs.logging_util import NOTSET, set_log_level

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "serve_3dball.sh"
posix = pytest.mark.skipif(os.name != "posix", reason="uses a shell script or signals")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def path(monkeypatch):
    """As in an activated environment."""
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


@pytest.fixture(autouse=True)
def log_level():
    """The command shows what happens; the tests after these want it as it was."""
    yield
    set_log_level(NOTSET)


@posix
def test_the_example_is_an_executable_for_trainers(port, path, tmp_path):
    with UnityEnvironment(
        str(EXAMPLE),
        base_port=port,
        seed=1,
        no_graphics=True,
        log_folder=str(tmp_path),
        additional_args=["-screen-height", "80", "--unknown=1", "stray"],
    ) as env:
        env.reset()
        process = env._process
        (name,) = env.behavior_specs
        assert name == "3DBall?team=0"
        assert len(env.get_steps(name)[0]) == 12
        for _ in range(20):
            env.step()
    assert process.returncode == 0


def test_serving_loads_nothing_of_training(port):
    program = (
        "import json, sys\nfrom mlagents.cli.main import main\n"
        f"code = main(['serve', 'Basic', '--mlagents-port', '{port}', '--num-areas=3', '--seed=5'])\n"
        "heavy = {'jax', 'equinox', 'optax', 'onnx', 'onnxruntime', 'pydantic', 'rich'} & sys.modules.keys()\n"
        "print(json.dumps([code, sorted(heavy)]))"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as server:
        with UnityEnvironment(base_port=port, seed=1, num_areas=2) as env:
            env.reset()
            assert len(env.get_steps("Basic?team=0")[0]) == 3
        output, _ = server.communicate(timeout=20)
    assert output.splitlines()[0].startswith("[INFO] A trainer connected")
    assert json.loads(output.splitlines()[-1]) == [0, []]


@posix
def test_interrupted_while_waiting():
    program = "import sys; from mlagents.cli.main import main; sys.exit(main())"
    arguments = ["serve", "Basic", "--mlagents-port", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        time.sleep(2)
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (130, "interrupted\n")


def test_without_a_port_it_is_the_editor(monkeypatch, capsys):
    """Not the real thing: the editor's port may be in use on this machine."""
    served = []

    def serve_editor(make, name):
        env = make(seed=3, num_areas=2, side_channels=[])
        env.reset()
        served.append((name, len(env.get_steps("Basic?team=0")[0])))
        raise KeyboardInterrupt

    monkeypatch.setattr("mlagents_envs.serve.serve_editor", serve_editor)
    assert main(["serve", "Basic"]) == 130
    assert served == [("Basic", 2)]
    assert capsys.readouterr().err == "interrupted\n"


def test_no_trainer_is_one_line_and_code_1(monkeypatch, capsys):
    def nobody(*_, **__):
        raise UnityTimeOutException("No Python program answered at localhost:5005 for 300 seconds.")

    monkeypatch.setattr("mlagents_envs.serve.serve", nobody)
    assert main(["serve", "Basic", "--mlagents-port", "5005"]) == 1
    assert capsys.readouterr().err == "error: No Python program answered at localhost:5005 for 300 seconds.\n"


def test_an_unknown_environment_is_code_2(capsys):
    assert main(["serve", "basik", "--mlagents-port", "5005"]) == 2
    assert "did you mean Basic?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["Basic", "--mlagents-port", "x"],
        ["Basic", "--mlagents-port", "0"],
        ["Basic", "--mlagents-port=65536"],
        ["Basic", "--num-areas", "0"],
    ],
)
def test_wrong_usage_is_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["serve", *arguments])
    assert raised.value.code == 2
    assert "mlagents serve: error: " in capsys.readouterr().err


def test_other_commands_still_refuse_what_they_do_not_know(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["play", "Basic", "-nographics"])
    assert raised.value.code == 2
    assert "there is no flag -nographics" in capsys.readouterr().err
