"""The POCA learner: PPO's buffer, schedules and checkpoints around another critic and update."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.algorithms.poca.groups import GroupLinks, join, together
from mlagents.algorithms.poca.update import Links, Networks, Order, Recipe, update
from mlagents.algorithms.ppo.estimates import Experience
from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.algorithms.ppo.update import Coefficients
from mlagents.learning.compiling import Compiled
from mlagents.learning.trained import Trained
from mlagents.nn.build import make_policy
from mlagents.nn.group_critic import make_group_critic
from mlagents.nn.policy import Policy
from mlagents.settings import BehaviorSettings, POCASettings
from mlagents_envs.base_env import BehaviorSpec

EXTRINSIC = "extrinsic"


class POCALearner(PPOLearner):
    """Gathers segments until the buffer is full, then updates policy and critic in one compiled call.

    Agents of one group, worker and behavior that decide in the same round are mates. Those without a group learn as
    with PPO.
    """

    _width = 1

    def _check(self, settings: BehaviorSettings) -> None:
        if not isinstance(settings.hyperparameters, POCASettings):
            raise TypeError(f"POCA needs POCASettings, got {type(settings.hyperparameters).__name__}")

    def _make_networks(self, spec: BehaviorSpec) -> Trained[Any]:
        network = self._settings.network_settings
        policy = make_policy(self._rng, spec, network)
        critic = make_group_critic(self._rng, spec, network, len(self._signals.names))
        return Trained(Networks(policy.body, policy.head, critic), policy.normalizer)

    def _make_update(self) -> Compiled:
        names = self._signals.names
        recipe = Recipe(self._recipe, names.index(EXTRINSIC) if EXTRINSIC in names else None)
        return Compiled(functools.partial(update, recipe=recipe))

    def snapshot(self) -> Policy:
        """Return the policy with a copy of its current weights, as numpy arrays."""
        networks = self._trained.networks()
        critic_body = networks.critic.body if networks.critic.body.memory_size else None
        return Policy(self._trained.normalizer(), networks.body, networks.head, critic_body)

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return what a checkpoint keeps (see `PPOLearner.state_dict`), and the most mates that were met."""
        return super().state_dict(experience) | {"mates": self._width}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        super().load_state_dict(state)
        self._width = state["mates"]

    def _told(self, losses: Any, coefficients: Coefficients) -> dict[str, float]:
        return super()._told(losses, coefficients) | {"Losses/Baseline Loss": float(losses.baseline_loss)}

    def _arguments(self, rewards: NDArray[np.float32], coefficients: Coefficients) -> tuple[Any, ...]:
        rows = self._rows
        links = join(rows, self._width)
        self._width = links.mates.shape[1]
        sequences, count = self._sequences()
        experience = Experience(
            rows.columns, self._team_rewards(rewards, links), self._signals.terminated(rows), rows.closing
        )
        last = len(rows.closing) - 1
        alone = links.stand_in == np.arange(last + 1)
        followed = Links(links.mates, np.minimum(links.stand_in + 1, last), rows.terminated & alone, links.complete)
        order = self._order(links, np.asarray(sequences.start)[:count])
        used, gamma = np.int32(rows.used), self._signals.gamma
        return experience, followed, used, sequences, np.int32(count), order, coefficients, gamma, self._course()

    def _team_rewards(self, rewards: NDArray[np.float32], links: GroupLinks) -> NDArray[np.float32]:
        """Return the rewards with the extrinsic one as the group earned it: everybody's own and the group's."""
        if EXTRINSIC not in self._signals.names:
            return rewards
        k = self._signals.names.index(EXTRINSIC)
        strength = np.float32(self._settings.reward_signals[EXTRINSIC].strength)
        mates = np.where((links.mates >= 0) & ~self._rows.closing[:, np.newaxis], links.mates, -1)
        theirs = np.where(mates >= 0, self._rows.columns.reward[mates], np.float32(0.0)).sum(axis=1)
        earned = rewards[:, k] + strength * theirs
        team = rewards.copy()
        team[:, k] = earned[links.stand_in]
        return team

    def _order(self, links: GroupLinks, start: NDArray[np.int32]) -> Order:
        """Return the order of the sequences that start at these rows in every epoch (see `Order`)."""
        epochs, capacity, count = self._hyperparameters.num_epoch, self._rows.capacity, len(start)
        if self._rows.columns.memory.shape[1]:
            return Order(self._shuffled(count), np.zeros((epochs, 0), np.int32))
        margin = links.mates.shape[1]
        order = np.zeros((epochs, capacity + 2 * margin), np.int32)
        position = np.zeros((epochs, len(links.mates)), np.int32)
        number = np.zeros(len(links.mates), np.int32)
        number[start] = np.arange(count)
        for numbers, places in zip(order, position, strict=True):
            decisions = together(links, start, self._rng)
            numbers[margin : margin + count] = number[decisions]
            places[decisions] = margin + np.arange(count)
        return Order(order, position)
