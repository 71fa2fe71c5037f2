"""Who can be chosen to play: models, runs with their newest checkpoint, rules, chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.interface import KEY, saved_policy
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.players import check_fit
from mlagents.artifacts.saved_critic import saved_critic
from mlagents.inference import HeuristicPolicy, Model, ModelError, RandomPolicy, load_model
from mlagents.stats import safe_name
from mlagents.viewing.checkpoint_player import CheckpointPlayer
from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId

RANDOM: Final = "random actions"
RULE: Final = "the author's rule"


class Candidate(Protocol):
    """Somebody who can play behaviors."""

    @property
    def label(self) -> str:
        """What people call it."""

    def plays(self, behavior: str) -> bool:
        """Return whether there is something of it for a behavior, by its full name."""

    def load(self, behavior: str, spec: BehaviorSpec) -> Model:
        """Return who plays.

        Raises:
          ModelError, CheckpointError: what there is cannot be used.
        """

    def news(self, behavior: str) -> int | None:
        """Return the step of what `load` would return now; None if that never changes or is not there yet."""


class Chance:
    """Random actions."""

    label = RANDOM

    def plays(self, behavior: str) -> bool:
        """Return True."""
        return True

    def load(self, behavior: str, spec: BehaviorSpec) -> Model:
        """Return who plays."""
        return RandomPolicy(spec)

    def news(self, behavior: str) -> int | None:
        """Return None."""
        return None


class Rule:
    """What the environment's author wrote for agents.

    Args:
      heuristic: behavior -> actions of the agents that wait.
      behaviors: that have a rule.
    """

    label = RULE

    def __init__(self, heuristic: Callable[[str], ActionTuple], behaviors: frozenset[str]) -> None:
        self._heuristic, self._behaviors = heuristic, behaviors

    def plays(self, behavior: str) -> bool:
        """Return whether there is a rule."""
        return behavior in self._behaviors

    def load(self, behavior: str, spec: BehaviorSpec) -> Model:
        """Return who plays."""
        return HeuristicPolicy(self._heuristic, behavior)

    def news(self, behavior: str) -> int | None:
        """Return None."""
        return None


class Files:
    """Model files, one per behavior.

    Args:
      label: what people call them.
      files: behavior name, without team -> file.
    """

    def __init__(self, label: str, files: Mapping[str, Path]) -> None:
        self.label, self._files = label, files

    def plays(self, behavior: str) -> bool:
        """Return whether there is a file."""
        return BehaviorId.parse(behavior).name in self._files

    def load(self, behavior: str, spec: BehaviorSpec) -> Model:
        """Return who plays."""
        return load_model(self._files[BehaviorId.parse(behavior).name], spec)

    def news(self, behavior: str) -> int | None:
        """Return None."""
        return None


class Run:
    """The newest checkpoint of a run, which may go on meanwhile, or not have begun.

    Args:
      label: what people call it.
      folder: of the run.
      is_awaited: it plays behaviors of which it has no checkpoint yet, at random until it has.
    """

    def __init__(self, label: str, folder: Path, *, is_awaited: bool = False) -> None:
        self.label, self._folder, self._is_awaited = label, folder, is_awaited
        self._steps: tuple[float, dict[str, int]] = 0.0, {}

    def plays(self, behavior: str) -> bool:
        """Return whether there are checkpoints, or will be."""
        name = BehaviorId.parse(behavior).name
        return self._is_awaited or (self._folder / safe_name(name)).is_dir()

    def news(self, behavior: str) -> int | None:
        """Return the step of the newest checkpoint; None before the first."""
        layout = Layout.of_folder(self._folder)
        try:
            modified = layout.status.stat().st_mtime
        except OSError:
            return None
        if modified != self._steps[0]:
            try:
                self._steps = modified, Checkpoints.open(layout).steps
            except CheckpointError:
                return None  # of a run that is being replaced
        return self._steps[1].get(BehaviorId.parse(behavior).name)

    def load(self, behavior: str, spec: BehaviorSpec) -> Model:
        """Return who plays: random actions before the first checkpoint."""
        step = self.news(behavior)
        name = BehaviorId.parse(behavior).name
        if step is None:
            if not self._is_awaited:
                raise ModelError(f"run {self._folder}: no checkpoint of behavior {name!r}")
            return RandomPolicy(spec)
        layout = Layout.of_folder(self._folder)
        state = Checkpoints.open(layout).load(name, step)
        what = f"run {self._folder.name}, behavior {name} at step {step}"
        if KEY not in state:
            raise CheckpointError(f"{what}: an older version wrote this checkpoint; export the run first")
        saved = saved_policy(state, what)
        check_fit(saved.spec, spec, what)
        return CheckpointPlayer(saved, saved_critic(state, saved, what), _signals(layout.configuration, name), step)


def _signals(configuration: Path, behavior: str) -> list[str]:
    """Return the names of a run's reward signals, in their order; `extrinsic` if the file does not tell."""
    try:
        found: Any = YAML(typ="safe", pure=True).load(configuration)
        return list(found["behaviors"][behavior]["reward_signals"])
    except (OSError, YAMLError, KeyError, TypeError):
        return ["extrinsic"]
