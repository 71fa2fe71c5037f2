"""Samplers that are drawn in Python: the ones of 2020, and those that users add.

A sampler of one's own is a class whose constructor takes its arguments and the keyword `seed`:

    class Powers(Sampler):
        def __init__(self, base: float, seed: int) -> None: ...
        def sample_parameter(self) -> float: ...

A configuration names it as `my_package.module:Powers`; or by a short name, if a distribution offers it in the entry
point group `mlagents.samplers`, or code called `SamplerFactory.register_sampler` before the run.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from mlagents_envs.exception import UnityException

ENTRY_POINTS = "mlagents.samplers"


class SamplerException(UnityException):
    """A sampler is unknown, or does not accept its arguments."""


class Sampler(ABC):
    """Draws values of one environment parameter."""

    @abstractmethod
    def sample_parameter(self) -> float:
        """Return the next value."""


class UniformSampler(Sampler):
    """Evenly from [min_value, max_value)."""

    def __init__(self, min_value: float, max_value: float, seed: int) -> None:
        self._bounds = (min_value, max_value)
        self._rng = np.random.default_rng(seed)

    def sample_parameter(self) -> float:
        """Return the next value."""
        return float(self._rng.uniform(*self._bounds))


class GaussianSampler(Sampler):
    """From a normal distribution."""

    def __init__(self, mean: float, st_dev: float, seed: int) -> None:
        self._mean, self._st_dev = mean, st_dev
        self._rng = np.random.default_rng(seed)

    def sample_parameter(self) -> float:
        """Return the next value."""
        return float(self._rng.normal(self._mean, self._st_dev))


class MultiRangeUniformSampler(Sampler):
    """From several intervals: one is chosen with a probability proportional to its width, then evenly inside it."""

    def __init__(self, intervals: Sequence[Sequence[float]], seed: int) -> None:
        self._intervals = [(float(low), float(high)) for low, high in intervals]
        self._rng = np.random.default_rng(seed)

    def sample_parameter(self) -> float:
        """Return the next value."""
        widths = np.array([high - low for low, high in self._intervals])
        share = widths / widths.sum() if widths.sum() else None  # without width: all alike
        chosen = self._intervals[self._rng.choice(len(self._intervals), p=share)]
        return float(self._rng.uniform(*chosen))


class SamplerFactory:
    """Sampler classes by name."""

    NAME_TO_CLASS: dict[str, type[Sampler]] = {  # noqa: RUF012  (code of users reads it from the class)
        "uniform": UniformSampler,
        "gaussian": GaussianSampler,
        "multirange_uniform": MultiRangeUniformSampler,
        "multirangeuniform": MultiRangeUniformSampler,
    }

    @staticmethod
    def register_sampler(name: str, sampler_cls: type[Sampler]) -> None:
        """Let configurations call a class by this name."""
        SamplerFactory.NAME_TO_CLASS[name] = sampler_cls

    @staticmethod
    def names() -> list[str]:
        """Return every name that `find` knows, beside paths such as `my_package.module:Class`."""
        return sorted({*SamplerFactory.NAME_TO_CLASS, *entry_points(group=ENTRY_POINTS).names})

    @staticmethod
    def find(name: str) -> type[Sampler]:
        """Return the class of a registered name, or at a path `my_package.module:Class`.

        Raises:
          SamplerException: there is none, or it cannot be imported, or it has no `sample_parameter`.
        """
        found: Any = SamplerFactory.NAME_TO_CLASS.get(name)
        if found is None:
            found = _load(name)
        if not callable(getattr(found, "sample_parameter", None)):
            raise SamplerException(f"sampler {name!r} has no method `sample_parameter()`.")
        return found  # type: ignore[no-any-return]

    @staticmethod
    def init_sampler_class(name: str, params: Mapping[str, Any], seed: int) -> Sampler:
        """Return a sampler with these arguments.

        Raises:
          SamplerException: as `find`, or it does not accept the arguments.
        """
        try:
            make: Callable[..., Sampler] = SamplerFactory.find(name)
            return make(**params, seed=seed)
        except (TypeError, ValueError) as error:
            given = ", ".join([*params, "seed"])
            raise SamplerException(f"sampler {name!r} does not accept its arguments ({given}): {error}") from error


def _load(name: str) -> Any:
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            raise SamplerException(f"sampler {name!r} ({entry.value}) cannot be imported: {error}") from error
    module, colon, attribute = name.partition(":")
    if not colon:
        near = get_close_matches(name, SamplerFactory.names(), n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(SamplerFactory.names())}"
        raise SamplerException(f"there is no sampler {name!r}{hint}. One of your own: `my_package.module:Class`.")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SamplerException(
            f"sampler {name!r} cannot be imported: {error}. Is its folder on the path (PYTHONPATH), or its package"
            " installed?"
        ) from error
