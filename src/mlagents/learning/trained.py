"""A trained model: networks in one vector of weights, Adam's moments, observation statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Bool, Float

from mlagents.arrays import Array
from mlagents.nn.flat import flattened
from mlagents.nn.normalizer import Normalizer

Networks = TypeVar("Networks")
AnyState = TypeVar("AnyState")

ADAM = optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8)
"""Works element by element: with one learning rate it is the same for several networks as an optimiser for each."""


class TrainedState(eqx.Module):
    """Everything that learning changes.

    Attributes:
      parameters: float32 [P], all weights in one vector, so that Adam is one fused loop.
      adam: Adam's moments, of the same shape.
      normalizer: observation statistics, or None.
    """

    parameters: Float[Array, " p"]
    adam: optax.ScaleByAdamState
    normalizer: Normalizer | None

    def descended(self, gradient: Float[Array, " p"], learning_rate: Float[Array, ""] | np.float32) -> TrainedState:
        """Return the state after one step of Adam, arXiv:1412.6980 algorithm 1."""
        direction, moments = ADAM.update(gradient, self.adam)
        return TrainedState(self.parameters - learning_rate * direction, moments, self.normalizer)


def at_rest(parameters: Float[np.ndarray, " p"]) -> optax.ScaleByAdamState:
    """Return Adam's moments before the first step."""
    return optax.ScaleByAdamState(np.zeros((), np.int32), np.zeros_like(parameters), np.zeros_like(parameters))


def finite_or_before(
    before: AnyState, after: AnyState, *watched: Float[Array, ...]
) -> tuple[AnyState, Bool[Array, ""]]:
    """Return the state after an update if all watched numbers are finite, else the one before; and whether they are."""
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(numbers)) for numbers in watched]))
    kept: AnyState = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, before)
    return kept, finite


class Trained(Generic[Networks]):
    """Networks that learn: what PPO, SAC, reward signals and cloning have in common.

    Args:
      networks: with initial weights, a tree of arrays.
      normalizer: of observations, or None.

    Attributes:
      state: what learning changes; compiled updates take it and return the next one.
      networks_of: from a vector of weights to the networks; works on numpy and JAX arrays.
    """

    def __init__(self, networks: Networks, normalizer: Normalizer | None = None) -> None:
        parameters, networks_of = flattened(networks)
        self.networks_of: Callable[[Any], Networks] = networks_of
        self.state = TrainedState(parameters, at_rest(parameters), normalizer)

    @property
    def updates(self) -> int:
        """Number of Adam's steps so far."""
        return int(self.state.adam.count)

    def networks(self) -> Networks:
        """Return the networks with a copy of their weights, as numpy arrays."""
        return self.networks_of(np.array(self.state.parameters))

    def normalizer(self) -> Normalizer | None:
        """Return a copy of the observation statistics."""
        copy: Normalizer | None = jax.tree.map(np.array, self.state.normalizer)
        return copy

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments and normaliser, as trees like the networks."""
        state = jax.tree.map(np.array, self.state)
        moments = {
            "count": state.adam.count,
            "mu": self.networks_of(state.adam.mu),
            "nu": self.networks_of(state.adam.nu),
        }
        return {"weights": self.networks_of(state.parameters), "adam": moments, "normalizer": state.normalizer}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        adam = state["adam"]
        moments = optax.ScaleByAdamState(adam["count"], flattened(adam["mu"])[0], flattened(adam["nu"])[0])
        self.state = TrainedState(flattened(state["weights"])[0], moments, state["normalizer"])
