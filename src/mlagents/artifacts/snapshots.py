"""Snapshots of self-play: policies that are played against, one safetensors file each."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.artifacts.interface import KEY, SavedPolicy, interface, saved_policy
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.state_file import read_state, write_state
from mlagents.data.segments import WeightsId
from mlagents.nn.policy import Policy
from mlagents.nn.tensors import TensorMismatch, named_tensors, with_tensors
from mlagents.rollout.collected import Weights
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)
_NUMBER = re.compile(r"-(\d+)\.safetensors$")


class Snapshots:
    """The snapshots of a run, in files that are whole or not there.

    Args:
      layout: where they are.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def save(
        self, snapshot: WeightsId, weights: Weights, steps: int, spec: BehaviorSpec, network: NetworkSettings
    ) -> None:
        """Write a snapshot.

        Args:
          snapshot: its behavior and number.
          weights: the policy and the number of updates behind it.
          steps: of its learner.
          spec: what it observes and does, so that it can be rebuilt by itself.
          network: likewise.

        Raises:
          OSError: the disk is full or not writable.
        """
        state = {
            "tensors": named_tensors(_tree(weights.policy)),
            "steps": steps,
            "version": weights.version,
            KEY: interface(spec, network, weights.policy),
        }
        write_state(self._layout.snapshot(snapshot.behavior, snapshot.snapshot), state)

    def load(self, behavior: str, like: Policy) -> dict[int, Weights]:
        """Return all snapshots of a behavior by number; one that is damaged or does not fit is said and left out.

        Args:
          behavior: name.
          like: a policy of the same networks.
        """
        found = {}
        for number, path in sorted(self.files(behavior).items()):
            try:
                state = read_state(path)
                tree: Any = with_tensors(_tree(like), state["tensors"], str(path))
            except (SafetensorError, ValueError, KeyError, TypeError, TensorMismatch) as error:
                _log.warning("%s cannot be used as an opponent (%s).", path, error)
                continue
            weights = tree["weights"]
            policy = Policy(tree["normalizer"], weights["body"], weights["head"], tree["critic_body"])
            found[number] = Weights(policy, state["version"])
        return found

    def files(self, behavior: str) -> dict[int, Path]:
        """Return the files of a behavior's snapshots by number."""
        folder = self._layout.snapshot(behavior, 0).parent
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {int(match[1]): path for path in files if (match := _NUMBER.search(path.name))}

    def prune(self, behaviors: Collection[str], keep: Collection[WeightsId]) -> None:
        """Delete the snapshots that no listed checkpoint needs any more: call it after one was written.

        Args:
          behaviors: names.
          keep: the snapshots that are, or may be, played with.
        """
        for behavior in behaviors:
            for number, path in self.files(behavior).items():
                if WeightsId(behavior, number) not in keep:
                    path.unlink(missing_ok=True)


def read_snapshot(path: Path) -> SavedPolicy:
    """Return the policy in a snapshot, or in a checkpoint, with what it observes and does.

    Raises:
      CheckpointError: the file is damaged, or neither of both.
      TensorMismatch: the weights do not fit the network that the file describes.
    """
    try:
        return saved_policy(read_state(path), str(path))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, TensorMismatch):
            raise
        raise CheckpointError(f"{path}: not readable as a snapshot or checkpoint of this toolkit ({error}).") from None


def _tree(policy: Policy) -> dict[str, Any]:
    """Return the policy under the names that checkpoints use, whichever algorithm trained it."""
    weights = {"body": policy.body, "head": policy.head}
    return {"weights": weights, "normalizer": policy.normalizer, "critic_body": policy.critic_body}
