"""Environment parameters: numbers that trainers change between episodes, or let the environment draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    ParameterSampler,
)

logger = get_logger(__name__)

Draw = Callable[[int], NDArray[np.float64]]
"""How many values are wanted -> float64 [count]."""


@dataclass(frozen=True)
class Parameter:
    """One number that trainers may change.

    Attributes:
      doc: what it is, with its unit.
      default: its value until a trainer says otherwise.
      low: smallest value allowed.
      high: largest value allowed.
    """

    doc: str
    default: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.doc}; default {self.default:g}, {self.low:g} to {self.high:g}"

    def contains(self, value: float) -> bool:
        """Return whether `value` is allowed; compared as float32, in which it travels."""
        return bool(np.float32(self.low) <= np.float32(value) <= np.float32(self.high))


class EnvironmentParameters:
    """The parameters of one environment and their present values.

    Args:
      environment: named in errors.
      parameters: name -> parameter.
    """

    def __init__(self, environment: str, parameters: Mapping[str, Parameter]) -> None:
        self._environment = environment
        self._parameters = dict(parameters)
        self._ignored: set[str] = set()
        self._value: dict[str, float | ParameterSampler] = {}
        self._rng: dict[str, np.random.Generator] = {}
        self._draw = {name: _constant(parameter.default) for name, parameter in parameters.items()}

    @property
    def declared(self) -> Mapping[str, Parameter]:
        """What may be set, by name."""
        return self._parameters

    def set(self, name: str, value: float | ParameterSampler) -> None:
        """Make a parameter constant, or have it drawn at every reading from the sampler's own generator.

        A name that the environment does not have is ignored, as by Unity's environments, and said once.
        Draws of a normal distribution that fall outside the parameter's range are moved to its bounds.

        Raises:
          UnitySideChannelException: a value or bound outside the parameter's range.
        """
        parameter = self._parameters.get(name)
        if parameter is None:
            self._ignore(name)
            return
        if isinstance(value, ParameterSampler):
            rng = np.random.default_rng(value.seed % 2**32)
            self._draw[name] = self._sampler(name, parameter, value, rng)
            self._rng[name] = rng
        else:
            self._check_range(name, parameter, value)
            self._draw[name] = _constant(value)
        self._value[name] = value

    def read(self, name: str, count: int) -> NDArray[np.float64]:
        """Return float64 [count], one value for each of so many readers.

        Raises:
          UnitySideChannelException: unknown name.
        """
        if name not in self._draw:
            raise UnitySideChannelException(f"{self._lacks(name)}.{self._known(name)}")
        return self._draw[name](count)

    def state_dict(self) -> dict[str, Any]:
        """Return what the parameters were set to, and how far their samplers are: plain values by name."""
        state: dict[str, Any] = {}
        for name, value in self._value.items():
            if isinstance(value, ParameterSampler):
                drawn = self._rng[name].bit_generator.state
                state[name] = {"sampler": [int(value.kind), value.seed, list(value.arguments)], "rng": drawn}
            else:
                state[name] = value
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        for name, value in state.items():
            if isinstance(value, Mapping):
                kind, seed, arguments = value["sampler"]
                kinds = EnvironmentParametersChannel.SamplerTypes
                self.set(name, ParameterSampler(kinds(kind), seed, tuple(arguments)))
                self._rng[name].bit_generator.state = value["rng"]
            else:
                self.set(name, value)

    def _sampler(self, name: str, parameter: Parameter, sampler: ParameterSampler, rng: np.random.Generator) -> Draw:
        kinds = EnvironmentParametersChannel.SamplerTypes
        if sampler.kind is kinds.GAUSSIAN:
            mean, st_dev = sampler.arguments
            self._check_range(name, parameter, mean)
            return lambda count: np.clip(rng.normal(mean, st_dev, count), parameter.low, parameter.high)
        for bound in sampler.arguments:
            self._check_range(name, parameter, bound)
        low, high = np.array(sampler.arguments).reshape(-1, 2).T
        if (low > high).any():
            raise UnitySideChannelException(
                f"Parameter {name!r} of {self._environment}: a sampler's range must be (min, max) with "
                f"min <= max; got {sampler.arguments}."
            )
        return _uniform(rng, low, high)

    def _check_range(self, name: str, parameter: Parameter, value: float) -> None:
        if not parameter.contains(value):
            raise UnitySideChannelException(
                f"Parameter {name!r} of {self._environment} must be between {parameter.low:g} and "
                f"{parameter.high:g} ({parameter.doc}); got {value:g}."
            )

    def _ignore(self, name: str) -> None:
        if name in self._ignored:
            return
        self._ignored.add(name)
        logger.warning(f"{self._lacks(name)}, which is ignored.{self._known(name)}")

    def _lacks(self, name: str) -> str:
        return f"{self._environment} has no parameter {name!r}"

    def _known(self, name: str) -> str:
        known = ", ".join(sorted(self._parameters)) or "none"
        near = get_close_matches(name, self._parameters, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"{hint} Its parameters: {known}."


def _constant(value: float) -> Draw:
    return lambda count: np.full(count, value)


def _uniform(rng: np.random.Generator, low: NDArray[np.float64], high: NDArray[np.float64]) -> Draw:
    """Draw uniformly from a union of ranges: each is chosen with a probability proportional to its width."""
    ends = np.cumsum(high - low)
    shift = high - ends  # from the ranges laid end to end to where they are

    def draw(count: int) -> NDArray[np.float64]:
        offset = rng.uniform(0.0, ends[-1], count)
        return offset + shift[np.searchsorted(ends[:-1], offset, side="right")]

    return draw
