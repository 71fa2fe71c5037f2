"""Protobuf messages to arrays, under the names that programs import; see `mlagents_envs.rpc.codec`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlagents_envs._imported_names import names_of
from mlagents_envs.rpc.codec import PNG_HEADER, behavior_spec_from_proto, process_pixels, steps_from_proto

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


__all__ = ["PNG_HEADER", "behavior_spec_from_proto", "process_pixels", "steps_from_proto"]
