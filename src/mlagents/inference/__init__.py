"""Trained models at play: load a file, act, evaluate."""

from mlagents.inference.errors import ModelError, ModelMismatch
from mlagents.inference.evaluate import BehaviorResult, Evaluation, EvaluationResult, evaluate
from mlagents.inference.model import Model, OnnxModel
from mlagents.inference.random_policy import RandomPolicy

__all__ = [
    "BehaviorResult",
    "Evaluation",
    "EvaluationResult",
    "Model",
    "ModelError",
    "ModelMismatch",
    "OnnxModel",
    "RandomPolicy",
    "evaluate",
]
