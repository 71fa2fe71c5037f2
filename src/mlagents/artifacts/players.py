"""Players by what the user calls them: random, heuristic, a model file, or a snapshot of a run."""

from __future__ import annotations

from pathlib import Path

from mlagents.artifacts.snapshots import read_snapshot
from mlagents.inference import SUFFIXES, HeuristicPolicy, Model, ModelError, ModelMismatch, RandomPolicy, load_model
from mlagents.self_play.players import PolicyModel
from mlagents_envs.base_env import BaseEnv, BehaviorSpec

RANDOM = "random"
HEURISTIC = "heuristic"
STATE = ".safetensors"
"""Suffix of snapshots and checkpoints."""


def load_player(what: str | Path, full_name: str, spec: BehaviorSpec, env: BaseEnv) -> Model:
    """Return who plays a behavior.

    Args:
      what: "random", "heuristic", or the path of a model (.onnx, .nn), snapshot or checkpoint (.safetensors).
      full_name: of the behavior.
      spec: its observations and actions.
      env: in which it is played; heuristics are the environment's own.

    Raises:
      ModelError: there is no such file or rule, or it is for other observations or actions.
      CheckpointError: a snapshot is damaged.
    """
    if what == RANDOM:
        return RandomPolicy(spec)
    if what == HEURISTIC:
        rule = getattr(env, "heuristic", None)
        if rule is None:
            raise ModelError(f"behavior {full_name!r}: 'heuristic' is for environments of mlagents_sim; this is none")
        return HeuristicPolicy(rule, full_name)
    path = Path(what)
    if path.suffix == STATE:
        return _saved(path, full_name, spec)
    if path.suffix not in SUFFIXES:
        known = ", ".join((RANDOM, HEURISTIC, *SUFFIXES, STATE))
        raise ModelError(f"behavior {full_name!r}: {str(path)!r} is no player (expected {known})")
    try:
        return load_model(path, spec)
    except ModelError as error:
        raise type(error)(f"behavior {full_name!r}: {error}") from error


def _saved(path: Path, full_name: str, spec: BehaviorSpec) -> Model:
    if not path.is_file():
        raise ModelError(f"behavior {full_name!r}: {path} does not exist")
    saved = read_snapshot(path)
    check_fit(saved.spec, spec, f"behavior {full_name!r}: {path}")
    return PolicyModel(saved.policy)


def check_fit(found: BehaviorSpec, wanted: BehaviorSpec, what: str) -> None:
    """Compare what a saved policy observes and does with what a behavior does.

    Args:
      found: of the policy.
      wanted: of the behavior.
      what: the policy, for the error.

    Raises:
      ModelMismatch: they differ.
    """
    if (is_for := _shapes(found)) != (has := _shapes(wanted)):
        raise ModelMismatch(f"{what} is for {is_for}, but the behavior has {has}")


def _shapes(spec: BehaviorSpec) -> str:
    observations = ", ".join(str(list(sensor.shape)) for sensor in spec.observation_specs)
    actions = spec.action_spec
    return (
        f"observations {observations} and {actions.continuous_size} continuous actions and branches"
        f" {list(actions.discrete_branches)}"
    )
