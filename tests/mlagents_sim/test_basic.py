"""Basic: every move has a known outcome."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.internal.decoder import _DecodeVarint32

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.communicator_objects.agent_info_action_pair_pb2 import AgentInfoActionPairProto
from mlagents_envs.testing import check_env
from mlagents_sim.examples.basic import ENTRY
