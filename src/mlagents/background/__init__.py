"""Training from Python: `mlagents.train` starts a run beside the program that calls it, and returns a handle."""

from mlagents.background.handle import Training, TrainingError, train
from mlagents.background.history import Progress

__all__ = ["Progress", "Training", "TrainingError", "train"]
