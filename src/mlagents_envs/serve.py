"""An environment of this process in the part of a Unity player, for trainers that speak the protocol.

Unity's side calls, Python's side listens: a served environment waits until a trainer opens its port. Each
environment of a trainer is a process of its own, with a port of its own. `serve_trainers` is for the other way: the
environment listens, and trainers attach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import NoReturn, Protocol
from uuid import UUID

from mlagents_envs.base_env import MOST_AREAS, BaseEnv
from mlagents_envs.exception import (
    UnityCommunicatorStoppedException,
    UnityEnvironmentException,
    UnityException,
    UnityTimeOutException,
)
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc.client import Command, Player
from mlagents_envs.rpc.listener import ListeningConnection
from mlagents_envs.rpc.security import PLAIN_CLIENT, PLAIN_SERVER, ClientSecurity, ServerSecurity
from mlagents_envs.side_channel.default_training_analytics_side_channel import DefaultTrainingAnalyticsSideChannel
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

logger = get_logger(__name__)

EDITOR_PORT = 5004
"""Where trainers listen that start no executable."""

PngObservations = Mapping[str, Collection[int]]
"""Behavior name -> positions of observations that are images with values from 0 to 1, to be sent as PNG."""

_RETRY_S = 1.0


class MakeEnvironment(Protocol):
    """Makes an environment, as `BaseRegistryEntry.make` does."""

    def __call__(self, *, seed: int, num_areas: int | None, side_channels: list[SideChannel]) -> BaseEnv:
        """Return the environment; `num_areas` is None for as many as usual."""


def serve(
    make: MakeEnvironment,
    port: int,
    *,
    name: str = "Environment",
    png: PngObservations | None = None,
    timeout_s: float = 300.0,
    host: str = "localhost",
    security: ClientSecurity = PLAIN_CLIENT,
) -> None:
    """Play an environment for one trainer, until the trainer leaves.

    The environment is made with the trainer's seed and number of areas; 1, which trainers say unless told
    otherwise, stands for as many as usual. Environment parameters and engine configuration are handed to the
    environment, its statistics to the trainer.

    Args:
      make: makes the environment, once a trainer is there.
      port: on which the trainer listens, or will.
      name: of the environment.
      png: images to compress; all others are sent as floats.
      timeout_s: how long to wait for the trainer, in seconds.
      host: on which the trainer is.
      security: encryption and token.

    Raises:
      UnityTimeOutException: no trainer came in time.
      UnityCommunicatorStoppedException: what listens on the port wants no environment.
      UnityEnvironmentException: the trainer speaks another version of the protocol, or lets us not in.
      UnityActionException: its actions do not fit the environment.
      UnitySideChannelException: nor do its environment parameters.
    """
    with Player(port, host, name, png, security) as player:
        player.connect(timeout_s)
        _play(make, player)


def serve_editor(
    make: MakeEnvironment, port: int = EDITOR_PORT, *, name: str = "Environment", png: PngObservations | None = None
) -> NoReturn:
    """Play the Unity Editor: one trainer after the other, for ever. What goes wrong with one is logged.

    The arguments are those of `serve`.
    """
    while True:
        logger.info("Waiting for a trainer on port %d. Ctrl+C ends this.", port)
        _play_once(make, Player(port, name=name, png=png), _connect_patiently)


def serve_trainers(
    make: MakeEnvironment,
    port: int,
    *,
    bind: str = "localhost",
    security: ServerSecurity = PLAIN_SERVER,
    name: str = "Environment",
    png: PngObservations | None = None,
) -> NoReturn:
    """Listen for trainers that attach, and play for one after the other, for ever. What goes wrong with one is logged.

    Args:
      make: makes the environment, anew for each trainer.
      port: to listen on.
      bind: address to listen on.
      security: encryption and token.
      name: of the environment.
      png: images to compress; all others are sent as floats.

    Raises:
      UnityWorkerInUseException: the port is taken.
      UnityEnvironmentException: one cannot listen there, or not without encryption.
    """
    while True:
        connection = ListeningConnection(port, bind, security)
        logger.info("Listening on port %d of %s for a trainer to attach. Ctrl+C ends this.", port, bind)
        _play_once(make, Player(port, name=name, png=png, connection=connection), _await_trainer)


def _play_once(make: MakeEnvironment, player: Player, connect: Callable[[Player], None]) -> None:
    """Wait for a trainer and play for it; what goes wrong is logged."""
    try:
        with player:
            connect(player)
            _play(make, player)
    except UnityException as error:
        logger.error("%s", error)


def _connect_patiently(player: Player) -> None:
    while True:
        try:
            return player.connect()
        except UnityTimeOutException:
            pass  # nobody there yet
        except UnityCommunicatorStoppedException as refusal:
            logger.debug("%s", refusal)  # on its way out, or busy with another environment
            time.sleep(_RETRY_S)


def _await_trainer(player: Player) -> None:
    while True:
        with suppress(UnityTimeOutException):  # nobody there yet
            return player.connect()


def _play(make: MakeEnvironment, player: Player) -> None:
    wishes = player.initialization
    logger.info("A trainer connected: version %s, seed %d.", wishes.package_version, wishes.seed)
    relays = _Relays()
    num_areas = wishes.num_areas if wishes.num_areas > 1 else None
    if wishes.num_areas > MOST_AREAS:
        raise UnityEnvironmentException(
            f"The trainer asks for {wishes.num_areas} areas; expected at most {MOST_AREAS}. Is --num-areas right?"
        )
    with (
        make(seed=wishes.seed, num_areas=num_areas, side_channels=relays.channels) as env,
        suppress(UnityCommunicatorStoppedException),
    ):
        command = player.first_command()
        while True:
            relays.deliver(command.side_channel)
            _obey(command, env)
            specs = env.behavior_specs
            command = player.report(specs, {name: env.get_steps(name) for name in specs}, relays.collect())
    logger.info("The trainer left.")


def _obey(command: Command, env: BaseEnv) -> None:
    if command.reset:
        env.reset()
        return
    for behavior, actions in command.actions.items():
        if len(actions.continuous):  # an empty list is as good as none
            env.set_actions(behavior, actions)
    env.step()


class _Relay(SideChannel):
    """One channel as the environment sees it: what the trainer sent goes in, what it sends is kept."""

    def __init__(self, channel_id: UUID, outgoing: bytearray) -> None:
        super().__init__(channel_id)
        self._outgoing = outgoing

    def on_message_received(self, msg: IncomingMessage) -> None:
        self._outgoing += pack_frame(self.channel_id, msg.get_raw_bytes())


class _Relays:
    """The side channels between a trainer and an environment of this process.

    Attributes:
      channels: for the environment.
    """

    def __init__(self) -> None:
        self._outgoing = bytearray()
        kinds = (EnvironmentParametersChannel, EngineConfigurationChannel, StatsSideChannel)
        self._relays = {kind.CHANNEL_ID: _Relay(kind.CHANNEL_ID, self._outgoing) for kind in kinds}
        self.channels: list[SideChannel] = list(self._relays.values())
        # What nobody here listens to; the first is sent by every trainer.
        self._unheard = {DefaultTrainingAnalyticsSideChannel.CHANNEL_ID}

    def deliver(self, frames: bytes) -> None:
        """Queue what the trainer sent for the environment's next `reset()` or `step()`.

        Raises:
          UnityEnvironmentException: `frames` are not a sequence of whole frames.
        """
        for channel_id, payload in iter_frames(frames):
            if channel_id in self._relays:
                self._relays[channel_id].message_queue.append(bytearray(payload))
            elif channel_id not in self._unheard:
                self._unheard.add(channel_id)
                logger.warning("The trainer sends on side channel %s, which leads nowhere here: ignored.", channel_id)

    def collect(self) -> bytes:
        """Return the frames that the environment has sent since the last call."""
        frames = bytes(self._outgoing)
        self._outgoing.clear()
        return frames
