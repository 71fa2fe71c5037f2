"""A small environment with everything that travels: masks, groups, images, both kinds of actions, statistics.

Images are made of multiples of 1/255, so that PNG keeps them exactly.
"""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    decode_parameter,
)
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel, encode_stat

CHOOSER, PAINTER = "Chooser?team=0", "Painter?team=1"
PNG = {PAINTER: (0, 1)}
PARAMETER_KEYS = ("size", "color")


def vector(size, name, kind=ObservationType.DEFAULT):
    return ObservationSpec((size,), (DimensionProperty.NONE,), kind, name)


def image(channels, name):
    spatial = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    axes = (DimensionProperty.NONE, spatial, spatial)
    return ObservationSpec((channels, 6, 5), axes, ObservationType.DEFAULT, name)


SPECS = {
    CHOOSER: BehaviorSpec(
        [vector(6, "last"), vector(2, "goal", ObservationType.GOAL_SIGNAL)],
        ActionSpec(0, (3, 2)),
    ),
    PAINTER: BehaviorSpec(
        [image(3, "png"), image(6, "png stack"), image(1, "raw")],
        ActionSpec(2, (4,)),
    ),
}


class Scene(BaseEnv):
    """3 choosers in 2 groups, and 2 painters that appear with the third report.

    What choosers observe: time, seed, resets, the first parameter's value or its sampler's first argument, and
    their last two choices. Every fourth report one of them ends, and begins anew at once.
    """

    def __init__(self, *, seed, num_areas, side_channels):
        self._seed = seed
        self._areas = num_areas or 0
        self._side_channels = SideChannelManager(side_channels)
        self._time = -1
        self._resets = 0
        self._steps = {}
        self._forget_actions()
        self._parameters = dict.fromkeys(PARAMETER_KEYS, 0.0)

    @property
    def behavior_specs(self):
        names = [] if self._time < 0 else [CHOOSER] if self._time < 2 else [CHOOSER, PAINTER]
        return BehaviorMapping({name: SPECS[name] for name in names})

    def reset(self):
        self._resets += 1
        self._forget_actions()
        self._advance()

    def step(self):
        self._advance()
        self._forget_actions()

    def close(self):
        pass

    def set_actions(self, behavior_name, action):
        action = SPECS[behavior_name].action_spec._validate_action(action, 3 if behavior_name == CHOOSER else 2, "")
        if behavior_name == CHOOSER:
            self._choices = action.discrete
        else:
            self._strokes = (action.continuous + action.discrete).astype(np.float32)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def get_steps(self, behavior_name):
        return self._steps[behavior_name]

    def _forget_actions(self):
        self._choices = np.zeros((3, 2), np.int32)
        self._strokes = np.zeros((2, 2), np.float32)

    def _advance(self):
        for channel_id, payload in iter_frames(self._side_channels.generate_side_channel_messages()):
            if channel_id == EnvironmentParametersChannel.CHANNEL_ID:
                name, value = decode_parameter(payload)
                self._parameters[name] = value if isinstance(value, float) else value.arguments[0]
        self._time += 1
        methods = list(StatsAggregationMethod)
        stat = encode_stat("time", float(self._time), methods[self._time % len(methods)])
        self._side_channels.process_side_channel_message(pack_frame(StatsSideChannel.CHANNEL_ID, stat))
        self._steps = {CHOOSER: self._choosers(), PAINTER: self._painters()}

    def _choosers(self):
        last = np.empty((3, 6), np.float32)
        last[:, :4] = self._time, self._seed, self._resets, self._parameters["size"]
        last[:, 4:] = self._choices
        goal = np.full((3, 2), [self._parameters["color"], self._areas], np.float32)
        ids = np.array([7, 300, 2], np.int32)
        groups = np.array([1, 1, 2], np.int32)
        reward = (self._choices.sum(axis=1) / np.float32(8)).astype(np.float32)
        # One choice of each branch is forbidden, another one at every report.
        masks = [np.zeros((3, 3), np.bool_), np.zeros((3, 2), np.bool_)]
        for agent in range(3):
            masks[0][agent, (self._time + agent) % 3] = masks[1][agent, self._time % 2] = True
        group_reward = (groups / 4).astype(np.float32)
        decisions = DecisionSteps([last, goal], reward, ids, masks, groups, group_reward)
        ended = np.arange(3) == (self._time // 4 % 3 if self._time % 4 == 3 else -1)
        return decisions, TerminalSteps(
            [last[ended] + 1, goal[ended]],
            -reward[ended],
            np.full(ended.sum(), self._time % 8 == 3),
            ids[ended],
            groups[ended],
            group_reward[ended],
        )

    def _painters(self):
        obs = []
        for spec in SPECS[PAINTER].observation_specs:
            count = 2 * int(np.prod(spec.shape))
            values = (np.arange(count) * 7 + self._time) % 256 / np.float32(255)
            obs.append(values.astype(np.float32).reshape(2, *spec.shape))
        masks = [np.zeros((2, 4), np.bool_)]
        decisions = DecisionSteps(obs, self._strokes.sum(axis=1), np.array([3, 4], np.int32), masks)
        return decisions, TerminalSteps.empty(SPECS[PAINTER])
