"""Demonstrations: what an agent observed and did, in the `.demo` files that Unity's recorder writes too.

The parts: `recording` (the bytes of a file), `demonstration` (episodes as arrays), `writer` and `recorder`
(making files, of any environment that is played).
"""

from mlagents_envs.demonstrations.demonstration import Demonstration, Episode, load_demonstration
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
    "RecordedEnv",
    "Recording",
    "load_demonstration",
    "read_recording",
]
