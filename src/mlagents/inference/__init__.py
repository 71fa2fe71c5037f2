"""Trained models at play: load a file, act, evaluate."""

from mlagents.inference.barracuda_model import BarracudaModel
from mlagents.inference.errors import ModelError, ModelMismatch
from mlagents.inference.evaluate import BehaviorResult, Evaluation, EvaluationResult, evaluate, joint_result
from mlagents.inference.heuristic_policy import HeuristicPolicy
from mlagents.inference.load import SUFFIXES, load_model
from mlagents.inference.model import Model, OnnxModel
from mlagents.inference.random_policy import RandomPolicy

__all__ = [
    "SUFFIXES",
    "BarracudaModel",
    "BehaviorResult",
    "Evaluation",
    "EvaluationResult",
    "HeuristicPolicy",
    "Model",
    "ModelError",
    "ModelMismatch",
    "OnnxModel",
    "RandomPolicy",
    "evaluate",
    "joint_result",
    "load_model",
]
