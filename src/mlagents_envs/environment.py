"""`UnityEnvironment`: an environment in another process, a Unity player or anything that speaks like one."""

from __future__ import annotations

import atexit
import os
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlagents_envs
from mlagents_envs import diagnosis
from mlagents_envs._imported_names import names_of
from mlagents_envs.attached_communicator import AttachedCommunicator
from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.communicator import Communicator, PollCallback
from mlagents_envs.communicator_objects.command_pb2 import RESET
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_input_pb2 import UnityInputProto
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityTimeOutException,
)
from mlagents_envs.logging_util import get_logger
from mlagents_envs.player_process import PlayerProcess
from mlagents_envs.rpc.client import API_VERSION, all_capabilities, is_compatible
from mlagents_envs.rpc.codec import StepsDecoder, decoder_from_proto, encode_actions
from mlagents_envs.rpc.security import PLAIN_CLIENT, PLAIN_SERVER, ClientSecurity, ServerSecurity
from mlagents_envs.rpc_communicator import RpcCommunicator
from mlagents_envs.side_channel import DefaultTrainingAnalyticsSideChannel, SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.stepped_env import SteppedEnv
from mlagents_envs.timers import hierarchical_timer

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


__all__ = [
    "ActionTuple",
    "AgentId",
    "BaseEnv",
    "BehaviorMapping",
    "BehaviorName",
    "BehaviorSpec",
    "DecisionSteps",
    "TerminalSteps",
    "UnityEnvironment",
]

logger = get_logger(__name__)

_ANALYTICS_ID = DefaultTrainingAnalyticsSideChannel.CHANNEL_ID
_EXIT_S = 2.0  # for a player that dropped its connection to be gone


class UnityEnvironment(SteppedEnv):
    """Starts a Unity player, or waits for the Unity editor, and steps it.

    ```
    with UnityEnvironment("builds/3DBall", no_graphics=True) as env:
        env.reset()
        name = list(env.behavior_specs)[0]
        decision_steps, terminal_steps = env.get_steps(name)
        env.set_actions(name, env.behavior_specs[name].action_spec.random_action(len(decision_steps)))
        env.step()
    ```

    Args:
      file_name: the executable, with or without extension; None to wait for Play in the editor.
      worker_id: added to the port: environments at one time need different ones. 0 for the editor.
      base_port: None for 5005, or 5004 with the editor.
      seed: of the environment's random numbers.
      no_graphics: start without a window. Cameras then see nothing.
      no_graphics_monitor: the same, for all workers but worker 0.
      timeout_wait: how long the environment may take for each of its messages, in seconds.
      additional_args: more command line arguments for the executable.
      side_channels: a channel for the editor's usage statistics is appended if there is none.
      log_folder: the player writes `Player-<worker_id>.log` there.
      num_areas: how many copies the environment's area replicator makes.
      args: older name of `additional_args`.
      docker_training: has no meaning any more.
      bind: the network address to listen on; by default only this machine can connect.
      security: encryption and token of what listens here.
      attach: HOST:PORT of a player that listens (`mlagents serve --listen`); nothing is started then.
      attach_security: whom to trust there, and its token.
      check_finite: raise UnityNotFiniteException where an observation or reward is NaN or infinite, rather than hand
        it on.

    Attributes:
      academy_capabilities: `UnityRLCapabilitiesProto` of the environment.

    Raises:
      UnityEnvironmentException: there is no such executable; it ended, or speaks another version.
      UnityTimeOutException: it did not connect in time.
      UnityWorkerInUseException: the port is taken.
    """

    API_VERSION = API_VERSION
    DEFAULT_EDITOR_PORT = 5004
    BASE_ENVIRONMENT_PORT = 5005

    def __init__(
        self,
        file_name: str | None = None,
        worker_id: int = 0,
        base_port: int | None = None,
        seed: int = 0,
        no_graphics: bool = False,
        no_graphics_monitor: bool = False,
        timeout_wait: int = 60,
        additional_args: list[str] | None = None,
        side_channels: list[SideChannel] | None = None,
        log_folder: str | None = None,
        num_areas: int = 1,
        *,
        args: list[str] | None = None,
        docker_training: bool | None = None,
        bind: str = "localhost",
        security: ServerSecurity = PLAIN_SERVER,
        attach: str | None = None,
        attach_security: ClientSecurity = PLAIN_CLIENT,
        check_finite: bool = True,
    ) -> None:
        super().__init__()
        if docker_training is not None:
            logger.warning("docker_training has no effect any more.")
        if file_name is None and attach is None and worker_id != 0:
            raise UnityEnvironmentException(
                f"worker_id is {worker_id}, but the Unity editor can only be worker 0. Give a file_name, or "
                "change base_port to listen on another port."
            )
        if base_port is None:
            base_port = self.DEFAULT_EDITOR_PORT if file_name is None else self.BASE_ENVIRONMENT_PORT
        self._worker_id = worker_id
        self._port = base_port + worker_id
        self._timeout_wait = timeout_wait
        self._file_name = file_name
        self._attach = attach
        self._no_graphics = no_graphics or (no_graphics_monitor and worker_id != 0)
        self._additional_args = list(additional_args or args or [])
        self._log_folder = log_folder
        self._side_channel_manager = self._manage(side_channels if side_channels is not None else [])
        self._check_finite = check_finite
        self._decoders: dict[BehaviorName, StepsDecoder] = {}
        self._announced: dict[BehaviorName, Any] = {}  # `BrainParametersProto` of behaviors without an agent yet
        self._package_version: str | None = None
        self._is_first_message = True
        self._player: PlayerProcess | None = None
        self._communicator: Communicator
        if attach is None:
            self._communicator = self._get_communicator(worker_id, base_port, timeout_wait, bind, security)
        else:
            self._communicator = AttachedCommunicator(attach, worker_id, timeout_wait, attach_security)
        self._loaded = True
        atexit.register(self._close)
        try:
            self._start()
            self._connect(seed, num_areas)
        except BaseException:  # Ctrl-C included: nothing may stay behind
            self._close(0)
            raise

    @property
    def _process(self) -> subprocess.Popen[bytes] | None:
        """The player's process; None for the editor."""
        return self._player.process if self._player else None

    def reset(self) -> None:
        """See `BaseEnv.reset`.

        Raises:
          UnityEnvironmentException: the environment is closed, ended, or broke the protocol.
          UnityCommunicatorStoppedException: it left, because somebody closed its window.
          UnityTimeOutException: it did not answer in time.
        """
        self._check_loaded()
        command = EnvelopeProto.Input()
        command.rl_input.command = RESET
        self._is_first_message = False
        self._exchange(command)

    def step(self) -> None:
        """See `BaseEnv.step`; raises as `reset`."""
        self._check_loaded()
        if self._is_first_message:
            self.reset()
            return
        command = EnvelopeProto.Input()
        actions = command.rl_input.agent_actions  # STEP is the default command
        for name, action in self._take_actions().items():
            if len(action.discrete):
                actions[name] = encode_actions(action)
        self._exchange(command)

    def close(self) -> None:
        """Ask the environment to leave, and kill a player that does not within `timeout_wait` seconds.

        Raises:
          UnityEnvironmentException: it is closed already.
        """
        self._check_loaded()
        self._close()

    def __exit__(self, *_: object) -> None:
        if self._loaded:
            self._close()

    @staticmethod
    def _get_communicator(worker_id: int, base_port: int, timeout_wait: int, *listening: Any) -> Communicator:
        return RpcCommunicator(worker_id, base_port, timeout_wait, *listening)

    @staticmethod
    def _manage(side_channels: list[SideChannel]) -> SideChannelManager:
        if all(channel.channel_id != _ANALYTICS_ID for channel in side_channels):
            side_channels.append(DefaultTrainingAnalyticsSideChannel())
        return SideChannelManager(side_channels)

    def _executable_args(self) -> list[str]:
        """Return the command line without the executable."""
        args = ["-nographics", "-batchmode"] if self._no_graphics else []
        args += ["--mlagents-port", str(self._port)]
        has_log = any(argument.lower() == "-logfile" for argument in self._additional_args)
        if self._log_folder and not has_log:
            args += ["-logFile", os.path.join(self._log_folder, f"Player-{self._worker_id}.log")]
        return args + self._additional_args

    def _start(self) -> None:
        if self._attach is not None:
            return
        if self._file_name is None:
            logger.info(
                f"Listening on port {self._port}. Start training by pressing the Play button in the Unity Editor."
            )
            return
        if self._log_folder:
            os.makedirs(self._log_folder, exist_ok=True)
        self._player = PlayerProcess(self._file_name, self._executable_args())

    def _connect(self, seed: int, num_areas: int) -> None:
        """Return the handshake: who are you, do we speak the same version, what do you have."""
        inputs = UnityInputProto()
        hello = inputs.rl_initialization_input
        hello.seed, hello.num_areas = seed, num_areas
        hello.communication_version, hello.package_version = self.API_VERSION, mlagents_envs.__version__
        hello.capabilities.CopyFrom(all_capabilities())
        output = self._ask(self._communicator.initialize, inputs)
        answer = output.rl_initialization_output
        self.academy_capabilities = answer.capabilities
        self._package_version = answer.package_version
        self._check_version(answer.communication_version)
        logger.info(
            f"Connected to Unity environment with package version {answer.package_version} "
            f"and communication version {answer.communication_version}"
        )
        if not answer.capabilities.baseRLCapabilities:
            logger.warning("The environment does not say that it has the basic capabilities; it may not work.")
        analytics = self._side_channel_manager._side_channels_dict[_ANALYTICS_ID]
        if answer.capabilities.trainingAnalytics and isinstance(analytics, DefaultTrainingAnalyticsSideChannel):
            analytics.environment_initialized()
        self._learn_behaviors(EnvelopeProto.Output.FromString(output.SerializeToString()))

    def _check_version(self, theirs: str) -> None:
        if not is_compatible(self.API_VERSION, theirs):
            raise UnityEnvironmentException(
                f"The environment (Unity package {self._package_version!r}) speaks version {theirs!r} of the "
                f"protocol, this program {self.API_VERSION}. Use com.unity.ml-agents 1.0 or newer."
            )

    def _exchange(self, command: Any) -> None:
        """Send a command (`EnvelopeProto.Input`) and take in what comes of it."""
        command.rl_input.side_channel = bytes(self._side_channel_manager.generate_side_channel_messages())
        self._pending.clear()
        with hierarchical_timer("communicator.exchange"):
            output = self._ask(self._communicator.exchange_envelope, command)
        if output is None:
            if self._player is not None and self._player.wait(_EXIT_S):
                raise UnityEnvironmentException(self._exit_report())
            raise UnityCommunicatorStoppedException(
                "The environment left: its window was closed, it quit by itself, or play mode ended."
            )
        self._learn_behaviors(output)
        infos = output.rl_output.agentInfos
        for name, decoder in self._decoders.items():
            # A look-up would add the name to the map.
            self._reports[name] = decoder.decode_list(infos[name]) if name in infos else decoder.decode(())
        self._side_channel_manager.process_side_channel_message(output.rl_output.side_channel)

    def _learn_behaviors(self, output: Any) -> None:
        """Take in what `EnvelopeProto.Output` announces; a behavior is known when its first agents come."""
        infos = output.rl_output.agentInfos
        if output.HasField("rl_initialization_output"):
            announced = output.rl_initialization_output.brain_parameters
            self._announced |= {brain.brain_name: brain for brain in announced}
        for name in infos:
            if (name in self._decoders and name not in self._announced) or not infos[name].value:
                continue
            if (brain := self._announced.pop(name, None)) is not None:
                self._learn_behavior(name, brain, infos[name].value[0])
            else:
                raise UnityEnvironmentException(
                    f"The environment reports {len(infos[name].value)} agents of behavior {name!r}, which it never "
                    f"announced; announced are {[*self._decoders, *self._announced] or 'none'}. It has to send a "
                    "behavior's brain parameters with or before its first agents."
                )

    def _learn_behavior(self, name: BehaviorName, brain: Any, first_message: bytes) -> None:
        decoder = decoder_from_proto(brain, first_message, self._package_version, self._check_finite)
        known = self._specs.get(name)
        if known is None:
            self._decoders[name] = decoder
            self._specs[name] = decoder.spec
            logger.info(f"Connected new brain: {name}")
        elif known != decoder.spec:
            raise UnityEnvironmentException(
                f"The environment announces behavior {name!r} for the second time, with other observations or actions: "
                f"{_shapes(known)} before, {_shapes(decoder.spec)} now. A behavior keeps its spec as long as the "
                "environment runs; give the other agents another behavior name."
            )

    def _check_loaded(self) -> None:
        if not self._loaded:
            raise UnityEnvironmentException("No environment loaded: it was closed. Make a new one.")

    def _close(self, timeout_s: float | None = None) -> None:
        """Close without complaint, giving the player `timeout_s` seconds, by default `timeout_wait`."""
        if not self._loaded:
            return
        self._loaded = False
        atexit.unregister(self._close)
        self._communicator.close()
        if self._player is not None:
            killed = self._player.stop(self._timeout_wait if timeout_s is None else timeout_s)
            if killed and timeout_s is None:
                logger.warning("The environment was asked to leave, did not in time, and was killed.")
            logger.info(f"Environment shut down with {self._player.describe_exit()}.")

    def _poll_process(self) -> None:
        if self._player is not None and self._player.wait(0) is not None:
            raise UnityEnvironmentException(self._exit_report())

    def _ask(self, method: Callable[[Any, PollCallback], Any], inputs: Any) -> Any:
        """Call a method of the communicator, and say more about a player that does not answer."""
        try:
            return method(inputs, self._poll_process)
        except UnityTimeOutException:
            if self._attach is not None:
                raise
            raise UnityTimeOutException(self._silence_report()) from None
        except UnityCommunicatorStoppedException as drop:
            if self._player is None:
                raise
            ended = self._player.wait(_EXIT_S) is not None
            report = (
                self._exit_report() if ended else "\n".join([f"{drop} Its process still runs.", *self._last_words()])
            )
            raise UnityEnvironmentException(report) from None

    def _exit_report(self) -> str:
        assert self._player is not None
        report = [f"Environment shut down with {self._player.describe_exit()}."]
        if self._communicator.environment_version is None:
            report.append(diagnosis.early_exit(self._player.program, no_graphics=self._no_graphics))
        return "\n".join([*report, *self._last_words()])

    def _silence_report(self) -> str:
        silence = diagnosis.silence(
            waited_s=self._timeout_wait,
            connected_to=self._communicator.environment_version,
            from_editor=self._player is None,
            no_graphics=self._no_graphics,
        )
        return "\n".join([silence, *self._last_words()])

    def _last_words(self) -> list[str]:
        """Return the ends of the player's log and output, as far as there are any."""
        if self._player is None:
            return []
        args = self._executable_args()
        logs = [Path(file) for option, file in pairwise(args) if option.lower() == "-logfile"]
        tails = [diagnosis.tail(diagnosis.read_end(log), str(log)) for log in logs]
        tails.append(diagnosis.tail(self._player.output_tail(), "its output"))
        return [text for text in tails if text]


def _shapes(spec: BehaviorSpec) -> str:
    return f"observations {spec.observation_shapes}, actions ({spec.action_spec})"
