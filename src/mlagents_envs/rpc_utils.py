"""Protobuf messages to arrays, under the names that programs import; see `mlagents_envs.rpc.codec`."""

from mlagents_envs.rpc.codec import PNG_HEADER, behavior_spec_from_proto, process_pixels, steps_from_proto

__all__ = ["PNG_HEADER", "behavior_spec_from_proto", "process_pixels", "steps_from_proto"]
