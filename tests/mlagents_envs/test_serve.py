"""`serve`: an environment of one process, played by trainers of another; `interop.scene` has the environment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from interop.scene import CHOOSER, PNG, Scene
from interop.session import SEED, Channels, play
from mlagents_envs.base_env import MOST_AREAS, ActionTuple
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnitySideChannelException,
    UnityTimeOutException,
)
from mlagents_envs.rpc.server import ExchangeServer
from mlagents_envs.serve import serve
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.raw_bytes_channel import RawBytesChannel

TESTS = Path(__file__).resolve().parents[1]
NAMES = ("size", "color", "speed")
UUID_OF_CHAT = uuid.UUID("621f0a70-4f87-11ea-a6bf-784f4387d1f7")


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served(threading.Thread):
    """`serve` in a thread; `join()` returns when it is done, `error` is what it raised."""

    def __init__(self, make, port, **kwargs):
        super().__init__(daemon=True)
        self.error = None
        self._call = lambda: serve(make, port, **kwargs)
        self.start()

    def run(self):
        try:
            self._call()
        except Exception as error:
            self.error = error

    def end(self):
        self.join(20)
        assert not self.is_alive()
        return self.error


class Recorded(Scene):
    """Remembers how it was made, and what was done to it."""

    made = None

    def __init__(self, *, seed, num_areas, side_channels):
        super().__init__(seed=seed, num_areas=num_areas, side_channels=side_channels)
        self.num_areas = num_areas
        self.actions = []
        self.closed = False
        type(self).made = self

    def set_actions(self, behavior_name, action):
        super().set_actions(behavior_name, action)
        self.actions.append(action)

    def close(self):
        self.closed = True


def test_over_the_wire_it_is_the_same_environment(port):
    served, channels = Served(Scene, port, png=PNG), Channels()
    with UnityEnvironment(base_port=port, seed=SEED, side_channels=channels.all) as env:
        seen = play(env, channels, 12, NAMES)
    assert served.end() is None
    channels = Channels()
    expected = play(Scene(seed=SEED, num_areas=None, side_channels=channels.all), channels, 12, NAMES)
    assert seen.keys() == expected.keys()
    for label, values in expected.items():
        np.testing.assert_array_equal(seen[label], values, err_msg=label)
        assert seen[label].dtype == values.dtype


@pytest.mark.parametrize(("asked", "made"), [(1, None), (0, None), (4, 4)])
def test_one_area_stands_for_as_many_as_usual(port, asked, made):
    served = Served(Recorded, port)
    with UnityEnvironment(base_port=port, num_areas=asked, seed=3) as env:
        env.reset()
        assert env.get_steps(CHOOSER)[0].obs[0][:, 1].tolist() == [3, 3, 3]
    assert served.end() is None
    assert Recorded.made.num_areas == made
    assert Recorded.made.closed


def test_a_trainer_that_comes_late_is_waited_for(port):
    served = Served(Scene, port)
    served.join(1.0)  # nobody listens on the port yet
    assert served.is_alive()
    with UnityEnvironment(base_port=port) as env:
        env.reset()
    assert served.end() is None


def test_a_trainer_that_never_comes(port):
    with pytest.raises(UnityTimeOutException, match=f"No Python program answered at localhost:{port} for 0.3 seconds"):
        serve(Scene, port, timeout_s=0.3)


def test_a_trainer_that_dies_has_left(port):
    served = Served(Recorded, port)
    with UnityEnvironment(base_port=port) as env:
        env.reset()
        env._communicator.server._server.stop(None).wait()
        assert served.end() is None
        assert Recorded.made.closed


def test_a_second_environment_on_one_port_is_refused(port):
    Served(Scene, port)
    with UnityEnvironment(base_port=port) as env:
        env.reset()
        with pytest.raises(UnityCommunicatorStoppedException, match="another player is connected"):
            serve(Scene, port)
        env.step()


def test_what_goes_wrong_in_the_environment_ends_it(port):
    class Strict(Scene):
        def step(self):
            raise UnitySideChannelException("no parameter 'sice'")

    served = Served(Strict, port)
    with UnityEnvironment(base_port=port) as env:
        env.reset()
        with pytest.raises(UnityCommunicatorStoppedException):
            env.step()
    assert str(served.end()) == "no parameter 'sice'"


def test_a_channel_nobody_listens_to_is_named_once(port, caplog):
    chat, parameters = RawBytesChannel(UUID_OF_CHAT), EnvironmentParametersChannel()
    served = Served(Scene, port)
    with UnityEnvironment(base_port=port, side_channels=[chat, parameters]) as env:
        for _ in range(3):
            chat.send_raw_data(b"hello")
            parameters.set_float_parameter("size", 2.5)
            env.step()
        assert env.get_steps(CHOOSER)[0].obs[0][:, 3].tolist() == [2.5] * 3
    assert served.end() is None
    assert [record.getMessage() for record in caplog.records if "leads nowhere" in record.getMessage()] == [
        f"The trainer sends on side channel {UUID_OF_CHAT}, which leads nowhere here: ignored."
    ]


class OldTrainer:
    """A trainer before API 1.3, which knows one list of actions, all of them floats."""

    def __init__(self, port, version="1.0.0", num_areas=1):
        self._server = ExchangeServer(port)
        self._server.receive(20)
        hello = self._answer()
        hello.unity_input.rl_initialization_input.communication_version = version
        hello.unity_input.rl_initialization_input.package_version = "0.16.1"
        hello.unity_input.rl_initialization_input.num_areas = num_areas
        hello.unity_input.rl_initialization_input.capabilities.baseRLCapabilities = True
        self._exchange(hello)

    def reset(self):
        message = self._answer()
        message.unity_input.rl_input.command = 1
        return self._exchange(message)

    def step(self, rows):
        message = self._answer()
        actions = message.unity_input.rl_input.agent_actions[CHOOSER]
        for row in rows:
            actions.value.add(vector_actions_deprecated=row)
        return self._exchange(message)

    def leave(self):
        self._server.close(UnityMessageProto(header={"status": 400}).SerializeToString())

    @staticmethod
    def _answer():
        return UnityMessageProto(header={"status": 200})

    def _exchange(self, message):
        return UnityMessageProto.FromString(self._server.exchange(message.SerializeToString(), 20)).unity_output


def test_trainers_of_2020(port):
    served = Served(Recorded, port, png=PNG)
    trainer = OldTrainer(port)
    (brain,) = trainer.reset().rl_initialization_output.brain_parameters
    assert brain.brain_name == CHOOSER
    assert list(brain.vector_action_size_deprecated) == [3, 2]
    assert brain.vector_action_space_type_deprecated == 0
    trainer.step([[2.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    output = trainer.step([])  # nothing for anybody: zeros
    image = output.rl_output.agentInfos["Painter?team=1"].value[0].observations[0]
    assert list(image.shape) == [6, 5, 3]
    trainer.leave()
    assert served.end() is None
    (action,) = Recorded.made.actions
    assert isinstance(action, ActionTuple)
    assert action.discrete.tolist() == [[2, 1], [0, 0], [1, 1]]


def test_a_trainer_of_another_protocol(port):
    served = Served(Scene, port)
    trainer = OldTrainer(port, version="2.0.0")
    assert isinstance(served.end(), UnityEnvironmentException)
    assert "speaks version '2.0.0'" in str(served.error)
    trainer.leave()


@pytest.mark.parametrize("asked", [MOST_AREAS + 1, 2**31 - 1])
def test_more_areas_than_anybody_wants_are_refused_before_they_are_made(port, asked):
    def make(**_):
        pytest.fail("made after all")

    served = Served(make, port)
    trainer = OldTrainer(port, num_areas=asked)
    assert isinstance(served.end(), UnityEnvironmentException)
    assert str(served.error) == (f"The trainer asks for {asked} areas; expected at most 10000. Is --num-areas right?")
    trainer.leave()


def test_as_many_areas_as_there_may_be_are_made(port):
    served = Served(Recorded, port)
    trainer = OldTrainer(port, num_areas=MOST_AREAS)
    trainer.reset()
    trainer.leave()
    assert served.end() is None
    assert Recorded.made.num_areas == 10_000


@pytest.mark.skipif(os.name != "posix", reason="Ctrl+C is sent as a signal")
def test_the_editor_serves_one_trainer_after_the_other(port):
    program = f"import mlagents_envs.serve as s; from interop.scene import Scene; s.serve_editor(Scene, {port})"
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as editor:
        for seed in (1, 2):
            with UnityEnvironment(base_port=port, seed=seed) as env:
                env.reset()
                assert env.get_steps(CHOOSER)[0].obs[0][0, 1] == seed
        editor.send_signal(signal.SIGINT)
        _, errors = editor.communicate(timeout=60)
    assert errors.strip().endswith("KeyboardInterrupt")
