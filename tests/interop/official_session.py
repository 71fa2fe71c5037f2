"""Runs in `.venv-interop`: the official package plays a session, and writes down all it sent and saw.

    official_session.py EXECUTABLE STEPS OUTPUT.npz

What it sends is the same every time: environment parameters before each of two resets, and random actions.
`plan.py` does the same to an environment of the other process.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
