"""A world as an environment in this process."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorName
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.side_channel.default_training_analytics_side_channel import (
    DefaultTrainingAnalyticsSideChannel,
)
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    decode_parameter,
)
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel, encode_stat
from mlagents_envs.spectating import AgentPoses, Mesh, RayFan, Viewpoint
from mlagents_envs.stepped_env import SteppedEnv
from mlagents_sim import state
from mlagents_sim.academy import Academy, World
from mlagents_sim.actuators import check_action_values
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import Parameter
from mlagents_sim.view import View, bounds_of, without_parked
from mlagents_sim.visual_geoms import VisualGeoms

logger = logging.getLogger(__name__)

# There is no window, no frame rate and nobody to tell about usage here.
_WITHOUT_EFFECT = {EngineConfigurationChannel.CHANNEL_ID, DefaultTrainingAnalyticsSideChannel.CHANNEL_ID}


class SimEnvironment(SteppedEnv):
    """Runs a world in this process. Behavior specs are known before the first `reset()`.

    Actions are refused (`UnityActionException`) also for a number that is not finite, or a choice that its branch
    does not have.

    Args:
      world: what is simulated.
      side_channels: parameters take effect at the next `reset()` or `step()`, before anything moves;
        engine configuration is accepted and has no effect; statistics arrive on a `StatsSideChannel`.
      rng: the source of the world's randomness; without it there is no `state_dict`.
    """

    def __init__(
        self,
        world: World,
        side_channels: list[SideChannel] | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        self._world = world
        self._rng = rng
        self._academy = Academy(world)
        self._batches = {batch.behavior: batch for batch in world.agents if batch.controller is None}
        self._specs = {name: batch.spec for name, batch in self._batches.items()}
        self._side_channel_manager = SideChannelManager(side_channels)
        self._channel_ids = {channel.channel_id for channel in side_channels or ()}
        self._unheard: set[uuid.UUID] = set()
        self._has_begun = False
        self._closed = False

    def reset(self) -> None:
        """Begin a new episode for every agent.

        Raises:
          UnityEnvironmentException: the environment is closed.
          UnitySideChannelException: a parameter that is out of its range.
        """
        self._receive()
        self._pending.clear()
        self._academy.reset()
        self._send()

    def step(self) -> None:
        """Advance until at least one agent reports; the first step ever resets.

        Raises:
          UnityEnvironmentException: the environment is closed.
          UnitySideChannelException: a parameter that is out of its range.
        """
        if not self._has_begun:
            self.reset()
            return
        self._receive()
        for name, action in self._take_actions().items():
            if len(action.discrete):
                self._batches[name].decide(action)
        self._academy.step()
        self._send()

    def state_dict(self) -> dict[str, Any] | None:
        """Return what decides how the environment goes on: arrays and plain values; None if the world does not tell.

        Parameters that were sent but not yet heard are heard first.
        """
        self._receive()
        memory = {name: batch.all_state_arrays() for name, batch in self._batches.items()}
        acts_alone = len(self._batches) < len(self._world.agents)
        if self._rng is None or not self._reports or acts_alone or None in memory.values():
            return None
        return state.collect(self._world, self._academy, memory, self._reports, self._pending, self._rng)

    def load_state_dict(self, found: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned in an environment of the same make and number of areas.

        Raises:
          ValueError: the state is of another environment.
        """
        memory = {name: batch.all_state_arrays() for name, batch in self._batches.items()}
        if self._rng is None or None in memory.values():
            raise ValueError("This environment cannot take over a state.")
        self._receive()
        self._pending = state.restore(found, self._world, self._academy, memory, self._specs, self._rng)
        self._reports = self._academy.reports
        self._has_begun = True

    @property
    def step_seconds(self) -> float:
        """How long a physics step takes for spectators."""
        return self._world.step_seconds

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return what a spectator sees now: uint8 [height, width, 3], first row at the top.

        Raises:
          RenderingError: there is nothing to be seen, or there is no OpenGL on this machine.
        """
        return self._world.picture(width, height)

    def bodies(self) -> VisualGeoms | None:
        """Return the bodies that a spectator sees now; None if the world is no place in space."""
        bodies = self._world.bodies()
        if bodies is None:
            return None
        if isinstance(bodies, VisualGeoms):
            return without_parked(bodies)
        from mlagents_sim.scene_geoms import geoms_of_scene  # not above: it loads MuJoCo

        return without_parked(geoms_of_scene(bodies))

    def meshes(self) -> Sequence[Mesh]:
        """Return the meshes that `bodies` name."""
        bodies = self._world.bodies()
        if bodies is None or isinstance(bodies, VisualGeoms):
            return ()
        from mlagents_sim.scene_geoms import meshes_of_scene  # not above: it loads MuJoCo

        return meshes_of_scene(bodies)

    def agent_poses(self, behavior_name: BehaviorName) -> AgentPoses | None:
        """Return where the agents of a behavior are seen; None if the world does not tell."""
        batch = self._batches[behavior_name]
        poses = self._world.agent_poses()[self._world.agents.index(batch)]
        return None if poses is None else AgentPoses(batch.agent_id, *poses)

    def ray_fans(self, behavior_name: BehaviorName) -> Mapping[int, RayFan]:
        """Return the rays behind observations, by the observation's place."""
        return self._batches[behavior_name].ray_fans()

    def viewpoint(self, aspect: float) -> Viewpoint:
        """Return from where all bodies are in view now, in pictures of this width over height."""
        bodies = self.bodies()
        if bodies is None:
            raise UnityEnvironmentException("This environment is no place in space; look at its `picture`.")
        low, high = bounds_of(bodies)
        center, view = 0.5 * (low + high), self._world.view or View()
        pose = view.place(center, 0.5 * (high - low), aspect)
        ahead = float((center - pose.position) @ pose.forward)
        return Viewpoint(pose.position, pose.position + ahead * pose.forward, view.fov_deg)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """What trainers may change, with ranges, by name."""
        return self._world.parameters.declared

    def watch(self, watcher: Callable[[], None], every: int) -> None:
        """Call `watcher` at every reset and after every so many physics steps, also where an episode ends."""
        self._academy.watch(watcher, every)

    def close(self) -> None:
        """End all stepping; may be called again."""
        self._closed = True

    def _checked(self, action: ActionTuple, behavior_name: BehaviorName, agent_id: NDArray[np.int32]) -> ActionTuple:
        action = super()._checked(action, behavior_name, agent_id)
        check_action_values(self._specs[behavior_name].action_spec, action, behavior_name, agent_id)
        return action

    def heuristic(self, behavior_name: BehaviorName) -> ActionTuple:
        """Return what the agents of the last DecisionSteps would do by their author's rule, in the order of its rows.

        Raises:
          UnityActionException: unknown behavior.
          UnityPolicyException: the agents have no heuristic.
        """
        spec = self._spec(behavior_name).action_spec
        waiting = len(self._reports[behavior_name][0]) if self._reports else 0
        return self._batches[behavior_name].heuristic() if waiting else spec.empty_action(0)

    @property
    def rules(self) -> frozenset[BehaviorName]:
        """Behaviors whose author wrote a rule of their own, which `heuristic` follows without keys."""
        return frozenset(name for name, batch in self._batches.items() if batch.has_rule)

    @property
    def keys(self) -> Mapping[BehaviorName, Sequence[Keys]]:
        """What keys mean for people who play through `heuristic`; behaviors without keys are left out."""
        return {name: batch.keys for name, batch in self._batches.items() if batch.keys}

    def hold_keys(self, names: Sequence[str]) -> None:
        """Tell which keys the player holds from now on, the newest last."""
        for batch in self._batches.values():
            batch.held_keys = tuple(names)

    @property
    def turn_based(self) -> bool:
        """Whether time stands still until a person who plays has decided."""
        return self._world.turn_based

    def _receive(self) -> None:
        """Act on what the side channels have queued."""
        if self._closed:
            raise UnityEnvironmentException("The environment is closed; make a new one.")
        if not self._channel_ids:
            return
        for channel_id, payload in iter_frames(self._side_channel_manager.generate_side_channel_messages()):
            if channel_id == EnvironmentParametersChannel.CHANNEL_ID:
                self._world.parameters.set(*decode_parameter(payload))
            elif channel_id not in _WITHOUT_EFFECT | self._unheard:
                self._unheard.add(channel_id)
                logger.warning("Nothing in this environment listens to side channel %s.", channel_id)

    def _send(self) -> None:
        """Publish the academy's reports, then the world's statistics."""
        self._reports = self._academy.reports
        self._has_begun = True
        stats, self._world.stats = self._world.stats, []
        if stats and StatsSideChannel.CHANNEL_ID in self._channel_ids:
            frames = [pack_frame(StatsSideChannel.CHANNEL_ID, encode_stat(*stat)) for stat in stats]
            self._side_channel_manager.process_side_channel_message(b"".join(frames))
