"""A trained model in two lines, for notebooks and programs: `mlagents.load("my_run").predict(observation)`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents.files import RUN_FOLDERS
from mlagents.inference import SUFFIXES, ModelError, load_model
from mlagents.inference.model_specs import read_behavior_spec
from mlagents.stats import safe_name
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps


class Predictor:
    """A model that acts on plain arrays.

    Args:
      path: of the `.onnx` or `.nn` file.
      behavior_spec: what it is to play; None for what the file says.
      seed: of sampled actions.

    Attributes:
      path: of the file.
      behavior_spec: what the model observes and does.

    Raises:
      ModelError: see `mlagents.inference.load_model` and `read_behavior_spec`.
    """

    def __init__(
        self, path: str | os.PathLike[str], behavior_spec: BehaviorSpec | None = None, *, seed: int = 0
    ) -> None:
        self.path = Path(path)
        self.behavior_spec = read_behavior_spec(path) if behavior_spec is None else behavior_spec
        self._model = load_model(path, self.behavior_spec)
        self._rng = np.random.default_rng(seed)

    def predict(
        self,
        obs: ArrayLike | Sequence[ArrayLike],
        action_mask: Sequence[ArrayLike] | None = None,
        *,
        deterministic: bool = True,
        agent_ids: Sequence[int] | None = None,
    ) -> NDArray[Any] | ActionTuple:
        """Return actions for n agents, or for one whose observations come without the first axis.

        Args:
          obs: a list with one array [n, *shape] or [*shape] per observation; the array itself if there is one.
          action_mask: bool [n, branch size] or [branch size] per branch, True = forbidden; None: nothing is.
          deterministic: take the most likely actions instead of sampling.
          agent_ids: whose memory to use, if the model has one; None for 0, 1, 2, ...

        Returns: float32 [n, continuous size] or int32 [n, branches], [...] without the first axis if `obs` has none;
          for models with both an `ActionTuple`.

        Raises:
          ValueError: the observations are not those of the model.
        """
        columns, is_one = self._columns(obs)
        n = len(columns[0])
        masks = None if action_mask is None else [np.reshape(mask, (n, -1)).astype(np.bool_) for mask in action_mask]
        ids = np.arange(n, dtype=np.int32) if agent_ids is None else np.asarray(agent_ids, np.int32)
        actions = self._model.act(DecisionSteps(columns, np.zeros(n, np.float32), ids, masks), deterministic, self._rng)
        spec = self.behavior_spec.action_spec
        if spec.continuous_size and spec.discrete_size:
            return actions
        found: NDArray[Any] = actions.continuous if spec.continuous_size else actions.discrete
        return found[0] if is_one else found

    def reset(self, agent_ids: Iterable[int] = (0,)) -> None:
        """Forget what is remembered of these agents, whose episodes ended."""
        self._model.forget(agent_ids)

    def __repr__(self) -> str:
        shapes = [spec.shape for spec in self.behavior_spec.observation_specs]
        return f"Predictor({str(self.path)!r}: observations {shapes}, actions {self.behavior_spec.action_spec})"

    def _columns(self, obs: Any) -> tuple[list[NDArray[np.float32]], bool]:
        """Return the observations as float32 [n, *shape], and whether they came without the first axis."""
        shapes = [spec.shape for spec in self.behavior_spec.observation_specs]
        values = [obs] if len(shapes) == 1 and not _is_list_of_one(obs, shapes[0]) else list(obs)
        arrays = [np.asarray(value, np.float32) for value in values]
        found = [array.shape for array in arrays]
        if found == shapes:
            return [array[np.newaxis] for array in arrays], True
        if [shape[1:] for shape in found] != shapes or len({shape[0] for shape in found}) != 1:
            names = [spec.name for spec in self.behavior_spec.observation_specs]
            raise ValueError(
                f"{self.path} observes {names} of shapes {shapes}, or with one more axis in front for several agents;"
                f" got {found}."
            )
        return arrays, False


def load(
    where: str | os.PathLike[str],
    behavior: str | None = None,
    behavior_spec: BehaviorSpec | None = None,
    *,
    seed: int = 0,
) -> Predictor:
    """Return a trained model.

    Args:
      where: a model file, a folder with models, or the id of a run in `models/` or `results/`.
      behavior: which model of a folder or run; None for the only one.
      behavior_spec: what it is to play; None for what the file says.
      seed: of sampled actions.

    Raises:
      ModelError: there is no such model, there are several and none was named, or the file is none.
    """
    path = Path(where)
    if path.is_file() or (path.suffix in SUFFIXES and not path.is_dir()):
        return Predictor(path, behavior_spec, seed=seed)
    candidates = [path, *(base / path for base in RUN_FOLDERS)]
    folder = next((candidate for candidate in candidates if candidate.is_dir()), None)
    if folder is None:
        raise ModelError(f"there is no model or run {str(where)!r}; looked for {', '.join(map(str, candidates))}")
    return Predictor(_choose(folder, behavior), behavior_spec, seed=seed)


def _choose(folder: Path, behavior: str | None) -> Path:
    """Return the model of a behavior, or the only one, in the first format that is there."""
    files = [file for suffix in reversed(SUFFIXES) for file in sorted(folder.glob(f"*{suffix}"))]
    models = {file.stem: file for file in files}
    wanted = None if behavior is None else safe_name(behavior)
    if wanted in models:
        return models[wanted]
    if wanted is None and len(models) == 1:
        return next(iter(models.values()))
    asked = "a behavior was not named" if behavior is None else f"there is none of the behavior {behavior!r}"
    raise ModelError(f"{folder} has models of {', '.join(sorted(models)) or 'no behavior'}; {asked}")


def _is_list_of_one(obs: Any, shape: tuple[int, ...]) -> bool:
    """Return whether the only observation comes in a list, not by itself."""
    return isinstance(obs, list | tuple) and len(obs) == 1 and np.shape(obs[0]) in (shape, (len(obs[0]), *shape))
