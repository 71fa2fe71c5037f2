"""Demonstrations: what an agent observed and did, in the `.demo` files that Unity's recorder writes too.

The parts: `recording` (the bytes of a file), `pairs` (its pairs as arrays), `pairing` (which action belongs to which
observation), `demonstration` (episodes), `fitting` (does it fit a behavior?), `writer`, `recorder` (making files, of
any environment that is played) and `editing` (making files of files).
"""

from mlagents_envs.demonstrations.demonstration import (
    Demonstration,
    Episode,
    demonstration_files,
    load_demonstration,
)
from mlagents_envs.demonstrations.editing import save_demonstration
from mlagents_envs.demonstrations.pairing import Pairing, PairingChoice
from mlagents_envs.demonstrations.recorder import EpisodeRecorder, RecordedEnv
from mlagents_envs.demonstrations.recording import DemonstrationError, DemonstrationPathError, Recording, read_recording
from mlagents_envs.demonstrations.writer import DemonstrationWriter

__all__ = [
    "Demonstration",
    "DemonstrationError",
    "DemonstrationPathError",
    "DemonstrationWriter",
    "Episode",
    "EpisodeRecorder",
    "Pairing",
    "PairingChoice",
    "RecordedEnv",
    "Recording",
    "demonstration_files",
    "load_demonstration",
    "read_recording",
    "save_demonstration",
]
