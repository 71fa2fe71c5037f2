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
      std: float32 [agents, continuous size] or [continuous size].
      logits: float32 [agents, choices], one for each branch.
      memory: float32 [agents, memory size], after the decision; None without memory.
    """

    mean: FloatArray
    std: FloatArray
    logits: Sequence[FloatArray]
    memory: FloatArray | None


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Return what policies of the same form say of their agents, those of the first policy first."""
    memories = [part.memory for part in parts if part.memory is not None]
    return Outputs(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([np.broadcast_to(part.std, part.mean.shape) for part in parts]),
        [np.concatenate(branch) for branch in zip(*(part.logits for part in parts), strict=True)],
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
        self._mean = affine(head.mean)
        log_std = head.log_std
        self._log_std = affine(log_std) if isinstance(log_std, Dense) else None
        self._shared_std: FloatArray = np.exp(0.0 if isinstance(log_std, Dense) else np.asarray(log_std))
        self._squashed = head.squashed
        self._logits = [affine(layer) for layer in head.logits]

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
        weight, bias = self._mean
        mean = hidden @ weight
        mean += bias
        return Outputs(mean, self._std(hidden), [hidden @ w + b for w, b in self._logits], memory)

    def choose(self, outputs: Outputs, allowed: NDArray[np.bool_] | None) -> Decision:
        """Return an action for every agent.

        Args:
          outputs: of this policy, or `joined` ones of others like it; taken over.
          allowed: as with `act`.
        """
        continuous = outputs.mean
        agents, size = continuous.shape
        log_prob = np.empty((agents, size + len(outputs.logits)), np.float32)
        if size:
            log_prob[:, :size] = self._add_noise(continuous, outputs.std)
        discrete = np.empty((agents, len(outputs.logits)), np.int32)
        start = 0
        for branch, logits in enumerate(outputs.logits):
            stop = start + logits.shape[1]
            if allowed is not None:
                logits = np.where(allowed[:, start:stop], logits, FORBIDDEN)
            discrete[:, branch] = choice = self._choose(logits)
            log_prob[:, size + branch] = _log_softmax_at(logits, choice)
            start = stop
        action = ActionTuple(self._bounded(continuous), discrete)
        return Decision(continuous, discrete, log_prob, action, outputs.memory)

    def _add_noise(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        """Turn the means into samples, in place, and return the log-density of each, float32 of the same shape."""
        log_density = -np.log(std) - np.float32(0.5 * LOG_2PI)
        if self._deterministic:
            return np.broadcast_to(log_density, mean.shape)
        noise = self._rng.standard_normal(mean.shape, np.float32)
        mean += std * noise
        sampled: FloatArray = log_density - 0.5 * noise * noise
        return sampled

    def _std(self, hidden: FloatArray) -> FloatArray:
        """Return the Gaussians' standard deviations, float32 [agents, continuous size] or [continuous size]."""
        if self._log_std is None:
            return self._shared_std
        weight, bias = self._log_std
        std: FloatArray = np.exp(np.clip(hidden @ weight + bias, *LOG_STD_RANGE))
        return std

    def _bounded(self, continuous: FloatArray) -> FloatArray:
        """Return what the environment gets, in [-1, 1]."""
        if self._squashed:
            squashed: FloatArray = np.tanh(continuous)
            return squashed
        clipped = np.minimum(np.maximum(continuous, -CLIP), CLIP)
        clipped /= CLIP
        return clipped

    def _choose(self, logits: FloatArray) -> NDArray[np.intp]:
        """Return the most probable action, or a sample: argmax of logits - log(Exp(1)) (the Gumbel-max trick)."""
        if not self._deterministic:
            exponential = self._rng.standard_exponential(logits.shape, np.float32)
            logits = logits - np.log(np.maximum(exponential, np.float32(1e-30)))
        choice: NDArray[np.intp] = logits.argmax(axis=1)
        return choice


def _log_softmax_at(logits: FloatArray, choice: NDArray[np.intp]) -> FloatArray:
    """Return the log-probability of the choice in each row, float32 [agents]."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_prob: FloatArray = shifted[np.arange(len(choice)), choice] - np.log(np.exp(shifted).sum(axis=1))
    return log_prob
