"""Which trainers there are: built-in ones, and plug-ins under the entry-point group `mlagents.trainer_type`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from mlagents import plugins
from mlagents.plugins import PluginError
from mlagents.settings.schema.hyperparameters import TRAINER_TYPES, HyperparameterSettings, register_trainer_type

if TYPE_CHECKING:
    from mlagents_envs.base_env import BehaviorSpec

TRAINER_TYPE_GROUP = "mlagents.trainer_type"


@dataclass(frozen=True)
class TrainerType:
    """A training algorithm: what an entry point of the group `mlagents.trainer_type` names.

    Attributes:
      hyperparameters: class of the section `hyperparameters` of a behavior with this trainer_type.
      make_learner: makes the `mlagents.training.behavior.Learner` of such a behavior from its name, what it observes
        and does, its `BehaviorSettings` (their `hyperparameters` are of the class above) and the seed of the run.
    """

    hyperparameters: type[HyperparameterSettings]
    make_learner: Callable[[str, BehaviorSpec, Any, int], Any]


_loaded: dict[str, TrainerType] = {}


def trainer_type_names() -> list[str]:
    """Return what `trainer_type` may be. No plug-in is loaded."""
    return list(dict.fromkeys([*TRAINER_TYPES, *plugins.names(TRAINER_TYPE_GROUP)]))


def unknown_trainer(name: str) -> PydanticCustomError:
    """Return the error of a `trainer_type` that is neither built in nor installed."""
    problem = (
        f"no trainer {name!r} is installed (there are {', '.join(trainer_type_names())}). Other trainers are plug-ins:"
        f" packages with an entry point {name!r} in the group {TRAINER_TYPE_GROUP!r}; is its package installed?"
    )
    return PydanticCustomError("unknown_trainer", "{problem}", {"problem": problem, "allowed": trainer_type_names()})


def hyperparameters_of(trainer_type: str) -> type[HyperparameterSettings] | None:
    """Return the class of a trainer's hyperparameters, None if there is no such trainer. A plug-in is loaded.

    Raises:
      PluginError: the trainer is a plug-in that cannot be used.
    """
    plugin_trainer(trainer_type)
    return TRAINER_TYPES.get(trainer_type)


def plugin_trainer(trainer_type: str) -> TrainerType | None:
    """Return the plug-in of that name, loaded; None if there is none.

    Raises:
      PluginError: it cannot be loaded, is no `TrainerType`, or its name belongs to another trainer.
    """
    entry_point = plugins.find(TRAINER_TYPE_GROUP, trainer_type)
    if entry_point is None:
        return None
    if trainer_type not in _loaded:
        if trainer_type in TRAINER_TYPES:
            raise PluginError(
                f"{plugins.described(entry_point)} has the name of another trainer:"
                f" {TRAINER_TYPES[trainer_type].__qualname__} belongs to {trainer_type!r}. Give the entry point another"
                f" name, or uninstall {plugins.package(entry_point)}."
            )
        found = _checked(plugins.load(entry_point), entry_point)
        register_trainer_type(trainer_type, found.hyperparameters)
        _loaded[trainer_type] = found
    return _loaded[trainer_type]


def _checked(found: object, entry_point: EntryPoint) -> TrainerType:
    if not isinstance(found, TrainerType):
        raise PluginError(
            f"{plugins.described(entry_point)} is {found!r}; expected a mlagents.settings.TrainerType(hyperparameters,"
            " make_learner). Let the entry point name one."
        )
    hyperparameters = found.hyperparameters
    if not (isinstance(hyperparameters, type) and issubclass(hyperparameters, HyperparameterSettings)):
        raise PluginError(
            f"{plugins.described(entry_point)} has the hyperparameters {hyperparameters!r}; expected a class derived"
            " from mlagents.settings.HyperparameterSettings."
        )
    return found
