"""Where environments come from: built-in ones by name, executables by path."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityEnvironmentException, UnityException, UnityWorkerInUseException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.registry import default_registry
from mlagents_envs.rpc.security import PLAIN_CLIENT, PLAIN_SERVER, ClientSecurity, ServerSecurity
from mlagents_envs.side_channel import SideChannel
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfig, EngineConfigurationChannel
from mlagents_envs.user_errors import describe, user_frames

logger = get_logger(__name__)

_SEEDS = 2**31  # there are as many on the wire
_PORTS = 64  # to try, one after the other


class UnknownEnvironment(ValueError):
    """`--env` names neither a built-in environment nor an executable; the message lists the nearest names."""


@dataclass(frozen=True)
class EnvironmentSource:
    """How to make the environments of a run; picklable, so that worker processes can make their own.

    Attributes:
      env: name in the registry, `gym:` or `pettingzoo:` and a name, path of an executable, or None for the Unity
        Editor.
      seed: of worker 0; worker i gets seed + i.
      num_areas: copies of the training area in one environment, or None for the environment's default.
      no_graphics: run executables without a window.
      base_port: worker i of an executable listens on base_port + i, or the next free port; None for the usual one.
      timeout_wait: seconds an executable may stay silent.
      additional_args: for executables.
      log_folder: where executables write their logs, or None.
      engine: window, quality and speed of Unity players, or None to leave them alone.
      no_graphics_monitor: only worker 0 has a window.
      bind: address that the server for players listens on.
      security: encryption and token of that server.
      attach: where the players of the workers listen that run already; then none is started.
      attach_security: whom to trust there, and their token.
    """

    env: str | None
    seed: int
    num_areas: int | None = None
    no_graphics: bool = False
    base_port: int | None = None
    timeout_wait: float = 60
    additional_args: tuple[str, ...] = ()
    log_folder: str | None = None
    engine: EngineConfig | None = None
    no_graphics_monitor: bool = False
    bind: str = "localhost"
    security: ServerSecurity = PLAIN_SERVER
    attach: tuple[str, ...] = ()
    attach_security: ClientSecurity = PLAIN_CLIENT

    def is_named(self) -> bool:
        """Return whether the environment is one of Python, by its name.

        Raises:
          UnknownEnvironment: it is neither that nor on disk.
        """
        if self.env is None:
            return False
        if self.env in default_registry:
            return True
        path = Path(self.env)
        if path.exists() or any(path.parent.glob(path.name + "*")):
            return False
        near = default_registry.suggest(self.env)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownEnvironment(
            f"--env={self.env}: no built-in environment and no file of that name{hint}\n"
            f"Built-in environments: {', '.join(sorted(default_registry))}"
        )

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        """Return the environment of a worker; blocks until it answers.

        Raises:
          UnknownEnvironment: it is neither registered nor on disk.
          UnityException: it could not be started.
        """
        seed = (self.seed + worker) % _SEEDS
        if self.env is not None and self.is_named():
            entry = default_registry[self.env]
            try:
                return entry.make(seed=seed, worker_id=worker, num_areas=self.num_areas, side_channels=side_channels)
            except UnityException:
                raise
            except Exception as error:
                if user_frames(error):
                    text = f"The environment {self.env} cannot be made: {describe(error)}."
                    raise UnityEnvironmentException(text) from error
                raise
        return self._attached(worker, seed, side_channels) if self.attach else self._listen(worker, seed, side_channels)

    def _with_engine(self, side_channels: list[SideChannel]) -> list[SideChannel]:
        """Return the channels, with one more that tells a player the settings of its engine."""
        if self.engine is None:
            return side_channels
        channel = EngineConfigurationChannel()
        channel.set_configuration(self.engine)
        return [*side_channels, channel]

    def _attached(self, worker: int, seed: int, side_channels: list[SideChannel]) -> BaseEnv:
        """Return the environment of a player that runs already."""
        from mlagents_envs.environment import UnityEnvironment

        return UnityEnvironment(
            worker_id=worker,
            seed=seed,
            timeout_wait=math.ceil(self.timeout_wait),
            side_channels=self._with_engine(side_channels),
            num_areas=self.num_areas or 1,
            attach=self.attach[worker],
            attach_security=self.attach_security,
            check_finite=False,
        )

    def _listen(self, worker: int, seed: int, side_channels: list[SideChannel]) -> BaseEnv:
        """Return an environment of the Unity Editor, or of an executable, on the first port that is free."""
        from mlagents_envs.environment import UnityEnvironment  # grpc is loaded only where it is needed

        side_channels = self._with_engine(side_channels)
        editor_port, first_port = UnityEnvironment.DEFAULT_EDITOR_PORT, UnityEnvironment.BASE_ENVIRONMENT_PORT
        base = self.base_port or (editor_port if self.env is None else first_port)
        for base_port in range(base, base + _PORTS):
            try:
                env = UnityEnvironment(
                    self.env,
                    worker_id=worker,
                    base_port=base_port,
                    seed=seed,
                    no_graphics=self.no_graphics,
                    timeout_wait=math.ceil(self.timeout_wait),
                    additional_args=list(self.additional_args),
                    side_channels=side_channels,
                    log_folder=self.log_folder,
                    num_areas=self.num_areas or 1,
                    no_graphics_monitor=self.no_graphics_monitor,
                    bind=self.bind,
                    security=self.security,
                    check_finite=False,  # the trainer's guard does: it repairs and goes on
                )
            except UnityWorkerInUseException:
                if self.env is None:
                    raise UnityEnvironmentException(
                        f"Port {base + worker} is in use, and the Unity Editor connects to no other. Another run may "
                        "be waiting for the Editor, or a program of yours: end it, and start again."
                    ) from None
                continue
            if base_port != base:
                logger.warning("Port %d is in use; worker %d uses %d.", base + worker, worker, base_port + worker)
            return env
        raise UnityEnvironmentException(
            f"Worker {worker}: ports {base + worker} to {base + worker + _PORTS - 1} are all in use. Choose another "
            "--base-port, or end what earlier runs may have left."
        )
