"""Learners of plug-in trainers, checked before anything relies on them."""

from __future__ import annotations

from mlagents import plugins
from mlagents.learning.protocols import Learner
from mlagents.nn.policy import Policy
from mlagents.plugins import PluginError
from mlagents.settings import TRAINER_TYPE_GROUP, BehaviorSettings, plugin_trainer
from mlagents_envs.base_env import BehaviorSpec


def make_plugin_learner(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> Learner:
    """Return a new learner of the plug-in that `trainer_type` names. What the plug-in raises goes through.

    Raises:
      PluginError: there is no such plug-in, or its learner does not keep the contract of `Learner`.
    """
    trainer = plugin_trainer(settings.trainer_type)
    if trainer is None:
        raise PluginError(
            f"no installed package offers the trainer_type {settings.trainer_type!r} (group {TRAINER_TYPE_GROUP})"
        )
    learner = trainer.make_learner(behavior, spec, settings, seed)
    if faults := _faults(learner):
        entry_point = plugins.find(TRAINER_TYPE_GROUP, settings.trainer_type)
        assert entry_point is not None
        raise PluginError(
            f"{plugins.described(entry_point)} made a {type(learner).__name__} for behavior {behavior} that"
            f" {' and '.join(faults)}. mlagents.learning.protocols.Learner says what a learner has to have."
        )
    checked: Learner = learner
    return checked


def _faults(learner: object) -> list[str]:
    """Return how a learner breaks the contract."""
    expected = [*Learner.__annotations__, *(name for name in vars(Learner) if not name.startswith("_"))]
    if missing := [name for name in expected if not hasattr(learner, name)]:
        return [f"lacks {', '.join(missing)}"]
    policy = learner.snapshot() if isinstance(learner, Learner) else None
    if not isinstance(policy, Policy):
        return [f"has a {type(policy).__name__} as its snapshot() (expected mlagents.nn.policy.Policy)"]
    return []
