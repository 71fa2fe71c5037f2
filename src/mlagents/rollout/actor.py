"""Acting: the policy evaluated, sampled, and brought into the environment's form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.nn.distributions import CLIP, FORBIDDEN, LOG_2PI, LOG_STD_RANGE
from mlagents.nn.layers import Dense
from mlagents.nn.policy import ActionHead, Policy
from mlagents.rollout.bodies import acting_body, affine
from mlagents_envs.base_env import ActionTuple

FloatArray = NDArray[np.float32]


class Decision(NamedTuple):
    """Actions for a batch of agents.

    Attributes:
      continuous: float32 [agents, continuous size], as sampled: what the learner sees.
      discrete: int32 [agents, branches].
      log_prob: float32 [agents, continuous size + branches], of each dimension (before clipping or squashing) and
        each branch.
      action: what the environment gets: continuous values clipped to [-3, 3] and divided by 3, or their tanh if the
        policy is squashed.
      memory: float32 [agents, memory size], after the decision; None without memory.
    """

    continuous: FloatArray
    discrete: NDArray[np.int32]
    log_prob: FloatArray
    action: ActionTuple
    memory: FloatArray | None = None


class Outputs(NamedTuple):
    """What a policy says of a batch of agents, before anything is sampled.

    Attributes:
      mean: float32 [agents, continuous size], of the Gaussians.
      std: float32 [agents, continuous size] or [continuous size], their standard deviations.
      peak: likewise, their log-densities at the mean.
      logits: float32 [agents, sum of branch sizes].
      memory: float32 [agents, memory size], after the decision; None without memory.
    """

    mean: FloatArray
    std: FloatArray
    peak: FloatArray
    logits: FloatArray
    memory: FloatArray | None


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Return what policies of the same form say of their agents, those of the first policy first."""
    memories = [part.memory for part in parts if part.memory is not None]
    return Outputs(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([np.broadcast_to(part.std, part.mean.shape) for part in parts]),
        np.concatenate([np.broadcast_to(part.peak, part.mean.shape) for part in parts]),
        np.concatenate([part.logits for part in parts]),
        np.concatenate(memories) if memories else None,
    )


class Actor:
    """Samples actions from a policy: the body as `mlagents.rollout.bodies` chooses, the heads in numpy."""

    def __init__(self, policy: Policy, rng: np.random.Generator, deterministic: bool = False):
        self._rng = rng
        self._deterministic = deterministic
        self._body = acting_body(policy)
        self._load_head(policy.head)

    def load(self, policy: Policy) -> None:
        """Act with these weights from now on."""
        self._body.load(policy)
        self._load_head(policy.head)

    def _load_head(self, head: ActionHead) -> None:
        self._size = size = len(head.mean.bias)
        self._squashed = head.squashed
        log_std = head.log_std
        own_std = [log_std] if isinstance(log_std, Dense) else []
        layers = [head.mean, *own_std, *head.logits]
        weights, biases = zip(*(affine(layer) for layer in layers), strict=True)
        self._weight, self._bias = np.concatenate(weights, axis=1), np.concatenate(biases)
        self._shared_scale = None if isinstance(log_std, Dense) else _scale(np.asarray(log_std, np.float32))
        self._logits_start = (1 + len(own_std)) * size
        sizes = [len(layer.bias) for layer in head.logits]
        ends: NDArray[np.intp] = np.cumsum(sizes, dtype=np.intp)
        self._starts = ends - sizes
        self._slices = [slice(*pair) for pair in zip(self._starts.tolist(), ends.tolist(), strict=True)]
        self._branch_of = np.repeat(np.arange(len(sizes)), sizes)

    def act(
        self, observations: Sequence[FloatArray], allowed: NDArray[np.bool_] | None, memory: FloatArray | None = None
    ) -> Decision:
        """Return an action for every agent.

        Args:
          observations: one float32 [agents, *shape] per observation spec.
          allowed: bool [agents, sum of branch sizes], True = may be chosen; None for everything.
          memory: float32 [agents, memory size]; None without memory.
        """
        return self.choose(self.evaluate(observations, memory), allowed)

    def evaluate(self, observations: Sequence[FloatArray], memory: FloatArray | None = None) -> Outputs:
        """Return what the policy says, of which `choose` makes actions; arguments as those of `act`."""
        hidden, memory = self._body(observations, memory)
        values = hidden @ self._weight
        values += self._bias
        size, start = self._size, self._logits_start
        scale = self._shared_scale
        if scale is None:
            scale = _scale(np.clip(values[:, size:start], *LOG_STD_RANGE))
        return Outputs(values[:, :size], *scale, values[:, start:], memory)

    def choose(self, outputs: Outputs, allowed: NDArray[np.bool_] | None) -> Decision:
        """Return an action for every agent.

        Args:
          outputs: of this policy, or `joined` ones of others like it.
          allowed: as with `act`.
        """
        size, branches = self._size, len(self._starts)
        agents = len(outputs.mean)
        log_prob = np.empty((agents, size + branches), np.float32)
        continuous, discrete = outputs.mean, np.empty((agents, branches), np.int32)
        if size:
            continuous = self._sample(outputs, log_prob[:, :size])
        if branches:
            self._choose(outputs.logits, allowed, discrete, log_prob[:, size:])
        action = ActionTuple(self._bounded(continuous), discrete)
        return Decision(continuous, discrete, log_prob, action, outputs.memory)

    def _sample(self, outputs: Outputs, log_prob: FloatArray) -> FloatArray:
        """Return continuous actions, float32 [agents, size], and write the log-density of each."""
        mean = outputs.mean
        if self._deterministic:
            log_prob[:] = outputs.peak
            return mean.copy()
        noise: FloatArray = self._rng.standard_normal(mean.shape, np.float32)
        np.multiply(noise, noise, out=log_prob)
        log_prob *= np.float32(-0.5)
        log_prob += outputs.peak
        noise *= outputs.std
        noise += mean
        return noise

    def _bounded(self, continuous: FloatArray) -> FloatArray:
        """Return what the environment gets, in [-1, 1]."""
        if self._squashed:
            squashed: FloatArray = np.tanh(continuous)
            return squashed
        clipped = np.minimum(np.maximum(continuous, -CLIP), CLIP)
        clipped /= CLIP
        return clipped

    def _choose(
        self, logits: FloatArray, allowed: NDArray[np.bool_] | None, choice: NDArray[np.int32], log_prob: FloatArray
    ) -> None:
        """Write an action of each branch, int32 [agents, branches], and its log-probability.

        It is the most probable one, or a sample, the argmax of p / Exp(1): the first of exponential clocks with rates p
        to ring. All branches go through at once.
        """
        if allowed is not None:
            logits = np.where(allowed, logits, FORBIDDEN)
        most = np.maximum.reduceat(logits, self._starts, axis=1)
        logits = logits - (most if len(self._slices) == 1 else most[:, self._branch_of])
        weight = np.exp(logits)
        race = logits
        if not self._deterministic:
            race = self._rng.standard_exponential(logits.shape, np.float32)
            race += np.float32(1e-30)
            np.divide(weight, race, out=race)
        for branch, columns in enumerate(self._slices):
            choice[:, branch] = race[:, columns].argmax(axis=1)
        np.log(np.add.reduceat(weight, self._starts, axis=1), out=log_prob)
        np.subtract(logits[np.arange(len(logits))[:, None], choice + self._starts], log_prob, out=log_prob)


def _scale(log_std: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return standard deviations, and log-densities at the mean, of the shape of their logarithms."""
    return np.exp(log_std), -log_std - np.float32(0.5 * LOG_2PI)
