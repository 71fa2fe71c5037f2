"""Which action belongs to which observation.

| pairing | the answer to the observation of pair i is | written by |
|---|---|---|
| `same` | the action of pair i | this toolkit; Unity's recorder until 2019 |
| `next` | the action of pair i + 1, because beside an observation stands what was done before | Unity's since 2020 |

Files do not say it, except ours, so it is found out. An action stands between the observation that it answers and the
one that it causes, and both tell of it: the first through the policy, the second through the world. So a linear model
that sees both predicts it better than one that sees two observations one step off. For the action of pair i, which are
they: i and i + 1, or i - 1 and i? One observation is not enough: it tells the action before it, by the velocity that
came of it say, often better than the one after it. Where masks forbid choices under one pairing only, it is the other.
Where nothing tells, the file's age decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.demonstrations.pairs import Pairs
from mlagents_envs.demonstrations.recording import Recording
from mlagents_envs.rpc.wire import scan

Pairing = Literal["same", "next"]
PairingChoice = Literal["auto", "same", "next"]

_FEWEST_ROWS: Final = 40
_MOST_ROWS: Final = 5000
_MOST_FEATURES: Final = 256
_POOLED_SIDE: Final = 8
_BLOCK: Final = 10  # rows that are held out together, for neighbours are alike
_FOLDS: Final = 4
_RIDGES: Final = (0.01, 0.1, 1.0)  # per row; the best is taken, the same for both pairings
_SIGNIFICANT: Final = 3.0  # standard errors
_FEWEST_FORBIDDEN: Final = 3
_CLEARLY: Final = 0.9  # of the other loss
_FLOOR: Final = 1e-4  # of errors, for their logarithm
_OLD_BRAIN_FIELDS: Final = {1, 2}  # of BrainParametersProto; gone since 2020


@dataclass(frozen=True)
class FoundPairing:
    """A pairing, and why it was taken.

    Attributes:
      pairing: `same` or `next`.
      reason: one clause, for people.
      is_certain: nothing speaks against it; otherwise it is a default, because the recording does not tell.
    """

    pairing: Pairing
    reason: str
    is_certain: bool = True


@dataclass(frozen=True)
class HeldOutLosses:
    """How well actions of held-out pairs are predicted, as the share of their variance that is left.

    Attributes:
      same: from the observations of pairs i and i + 1.
      next: from those of pairs i - 1 and i.
      standard_errors: how far the logarithm of the errors is above under `same`, in standard errors of the difference.
    """

    same: float
    next: float
    standard_errors: float

    @property
    def better(self) -> Pairing | None:
        """The pairing that predicts better, beyond chance and by a tenth; None if neither does.

        Actions that are repeated for long are told by later observations, too, though a little worse.
        """
        low, high = sorted((self.same, self.next))
        if abs(self.standard_errors) < _SIGNIFICANT or low > _CLEARLY * high:
            return None
        if (self.same < self.next) != (self.standard_errors < 0):
            return None
        return "same" if self.same < self.next else "next"

    def __str__(self) -> str:
        return f"same {self.same:.3f}, next {self.next:.3f}"


def find_pairing(recording: Recording, pairs: Pairs) -> FoundPairing:
    """Return the pairing of a file: as it states, as its form shows, or as its actions are predicted better."""
    if (stated := recording.stated_pairing) in get_args(Pairing):
        return FoundPairing(stated, "as the file states")  # type: ignore[arg-type]
    losses = held_out_losses(pairs)
    said = "" if losses is None else f"; held-out losses: {losses}"
    if not pairs.has_action[-1] and not pairs.is_end[-1] and pairs.has_action[:-1].any():
        return FoundPairing("same", f"its last pair has no action, as where actions answer their own pair{said}")
    if any(_has_both_forms(pair.action_info) for pair in recording.pairs):
        return FoundPairing("same", f"it holds actions in both forms, which only this toolkit writes{said}")
    same, after = (_forbidden_choices(pairs, later) for later in (0, 1))
    if min(same, after) == 0 and max(same, after) >= _FEWEST_FORBIDDEN:
        pairing: Pairing = "same" if same == 0 else "next"
        return FoundPairing(pairing, f"so masks forbid no choice, and else {max(same, after)}{said}")
    if losses is not None and losses.better is not None:
        return FoundPairing(losses.better, f"so held-out actions are predicted better{said}")
    return _default(recording, pairs, losses)


def _default(recording: Recording, pairs: Pairs, losses: HeldOutLosses | None) -> FoundPairing:
    """Return what the file's age says, where its actions do not tell."""
    found = "too few different actions to compare" if losses is None else f"held-out losses of {losses} do not tell"
    if _is_of_2019(recording):
        return FoundPairing("same", f"as Unity's recorder wrote until 2019; {found}", is_certain=False)
    if pairs.action.continuous[0].any():
        why = "before the first observation nothing was done, but the first action is not zero"
        return FoundPairing("same", f"{why}; {found}", is_certain=False)
    return FoundPairing("next", f"as Unity's recorder writes since 2020; {found}", is_certain=False)


def held_out_losses(pairs: Pairs) -> HeldOutLosses | None:
    """Predict the actions of held-out pairs under both pairings by ridge regression.

    Every pair is held out once, with its neighbours. Choices are predicted as one-hot vectors and
    images are seen coarsely.

    Returns: None if there are too few pairs, or always the same action.
    """
    n = min(len(pairs), _MOST_ROWS)
    ends = pairs.is_end[:n]
    rows = np.arange(1, n - 1)
    rows = rows[~(ends[rows - 1] | ends[rows] | ends[rows + 1]) & pairs.has_action[rows]]
    if len(rows) < _FEWEST_ROWS:
        return None
    targets = _targets(pairs)[rows]
    targets = targets[:, targets.std(axis=0) > 1e-6]
    if not targets.shape[1]:
        return None
    features = _features([column[:n] for column in pairs.obs])
    blocks = np.arange(len(rows)) // _BLOCK
    sides = [np.hstack([features[rows + first], features[rows + first + 1]]) for first in (0, -1)]
    errors = [_held_out_errors(inputs, targets, blocks % _FOLDS) for inputs in sides]
    best = int(np.argmin([np.mean(one) + np.mean(other) for one, other in zip(*errors, strict=True)]))
    same, after = (of_side[best] for of_side in errors)
    # Logarithms, because a few rows (a ball that is hit) have errors that are larger than those of all others together.
    difference = np.bincount(blocks, np.log(same + _FLOOR) - np.log(after + _FLOOR)) / np.bincount(blocks)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    return HeldOutLosses(float(same.mean()), float(after.mean()), float(difference.mean() / max(error, 1e-12)))


def _has_both_forms(action: Any) -> bool:
    return bool(action.vector_actions_deprecated) and bool(action.continuous_actions or action.discrete_actions)


def _forbidden_choices(pairs: Pairs, later: int) -> int:
    """Count the choices that are forbidden by the masks of so many pairs before theirs."""
    rows = np.flatnonzero(~pairs.is_end[: len(pairs) - later])
    rows = rows[pairs.has_action[rows + later]]
    choices = pairs.action.discrete[rows + later]
    masks = pairs.action_mask or ()
    return sum(int(mask[rows, choice].sum()) for mask, choice in zip(masks, choices.T, strict=True)) if masks else 0


def _is_of_2019(recording: Recording) -> bool:
    data = recording.brain.SerializeToString()
    return bool(_OLD_BRAIN_FIELDS & {number for number, *_ in scan(data, 0, len(data))})


def _targets(pairs: Pairs) -> NDArray[np.float64]:
    """Return [n, numbers of the action]: standardised, choices as one-hot vectors."""
    branches = pairs.spec.action_spec.discrete_branches
    one_hot = [np.eye(size)[choice] for size, choice in zip(branches, pairs.action.discrete.T, strict=True)]
    continuous = pairs.action.continuous.astype(np.float64)
    scale = continuous.std(axis=0)
    targets: NDArray[np.float64] = np.hstack([continuous / np.where(scale > 0, scale, 1.0), *one_hot])
    return targets


def _features(columns: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return [n, at most `_MOST_FEATURES`]: observations, images as means of large squares."""
    flat = [(_pooled(column) if column.ndim == 4 else column).reshape(len(column), -1) for column in columns]
    features: NDArray[np.float64] = np.hstack(flat).astype(np.float64)
    scale = features.std(axis=0)
    features = features[:, scale > 1e-9]
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).clip(-10.0, 10.0)
    if (width := features.shape[1]) <= _MOST_FEATURES:
        return features
    mixed: NDArray[np.float64] = (
        features @ np.random.default_rng(0).standard_normal((width, _MOST_FEATURES)) / width**0.5
    )
    return mixed


def _pooled(images: NDArray[np.float32]) -> NDArray[np.float32]:
    n, channels, height, width = images.shape
    rows, columns = min(height, _POOLED_SIDE), min(width, _POOLED_SIDE)
    cropped = images[:, :, : height // rows * rows, : width // columns * columns]
    means: NDArray[np.float32] = cropped.reshape(n, channels, rows, -1, columns, width // columns).mean(axis=(3, 5))
    return means


def _held_out_errors(
    inputs: NDArray[np.float64], targets: NDArray[np.float64], fold: NDArray[np.intp]
) -> list[NDArray[np.float64]]:
    """Return for each strength of the ridge the squared error of each row, predicted from the rows of other folds.

    The unit is what the mean alone leaves on average.
    """
    centred = targets - targets.mean(axis=0)
    gram, moment = inputs.T @ inputs, inputs.T @ centred
    errors = [np.empty(len(inputs)) for _ in _RIDGES]
    for number in range(_FOLDS):
        held_out = fold == number
        mine, mine_centred = inputs[held_out], centred[held_out]
        fitted_gram, fitted_moment = gram - mine.T @ mine, moment - mine.T @ mine_centred
        penalty = (len(inputs) - len(mine)) * np.eye(inputs.shape[1])
        for ridge, error in zip(_RIDGES, errors, strict=True):
            weights = np.linalg.solve(fitted_gram + ridge * penalty, fitted_moment)
            error[held_out] = ((mine @ weights - mine_centred) ** 2).sum(axis=1)
    unit = max(float((centred**2).sum(axis=1).mean()), 1e-12)
    return [error / unit for error in errors]
