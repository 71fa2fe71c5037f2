"""Arrays to protobuf bytes and back; pure functions, and one decoder per behavior that learns its layouts.

The parts: `specs` (what a behavior observes and does), `steps` and `agents` (what agents report, read and
written), `actions` (written and read), `images` (PNG, axis order).
"""

from mlagents_envs.exception import UnityNotFiniteException
from mlagents_envs.rpc.actions import decode_actions, encode_actions
from mlagents_envs.rpc.agents import encode_agents
from mlagents_envs.rpc.images import PNG_HEADER, channels_last, encode_png, process_pixels
from mlagents_envs.rpc.specs import behavior_spec_from_proto, brain_parameters
from mlagents_envs.rpc.steps import (
    StepsDecoder,
    decoder_from_proto,
    steps_from_proto,
)

__all__ = [
    "PNG_HEADER",
    "StepsDecoder",
    "UnityNotFiniteException",
    "behavior_spec_from_proto",
    "brain_parameters",
    "channels_last",
    "decode_actions",
    "decoder_from_proto",
    "encode_actions",
    "encode_agents",
    "encode_png",
    "process_pixels",
    "steps_from_proto",
]
