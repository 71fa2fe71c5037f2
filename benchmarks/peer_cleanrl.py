"""3DBall trained by PPO as one plain script, the way CleanRL lays it out.

Eager PyTorch, separate actor and critic, one Gaussian with free log standard deviations, advantages
normalised per minibatch, clipped value loss, gradient norm at most 0.5, observations normalised by running
moments at every step.
"""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
import argparse

import numpy as np
import official
import torch
from peer_environment import Balls
from torch import nn
from torch.distributions import Normal

MAX_GRADIENT_NORM = 0.5
VALUE_COEFFICIENT = 0.5


class RunningMoments:
    """Mean and variance of everything seen, for normalising observations."""

    def __init__(self, size: int) -> None:
        self.mean, self.variance, self.count = np.zeros(size), np.ones(size), 1e-4

    def __call__(self, x: np.ndarray) -> torch.Tensor:
        """Take in a batch of observations and return it normalised and clipped to [-5, 5]."""
        rows, total = len(x), self.count + len(x)
        delta = x.mean(axis=0) - self.mean
        squares = self.variance * self.count + x.var(axis=0) * rows + delta**2 * self.count * rows / total
        self.mean, self.variance, self.count = self.mean + delta * rows / total, squares / total, total
        normalized = (x - self.mean) / np.sqrt(self.variance + 1e-8)
        return torch.as_tensor(np.clip(normalized, -5.0, 5.0), dtype=torch.float32)


def layer(inputs: int, outputs: int, gain: float = 2.0**0.5) -> nn.Linear:
    """Return a dense layer with orthogonal weights."""
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


def network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Return two hidden layers and a linear head."""
    width = official.HIDDEN_UNITS
    return nn.Sequential(layer(inputs, width), nn.SiLU(), layer(width, width), nn.SiLU(), layer(width, outputs, gain))


class Agent(nn.Module):
    """Actor and critic."""

    def __init__(self, observation_size: int, action_size: int) -> None:
        super().__init__()
        self.critic = network(observation_size, 1, 1.0)
        self.actor = network(observation_size, action_size, 0.01)
        self.log_std = nn.Parameter(torch.zeros(1, action_size))

    def forward(
        self, x: torch.Tensor, action: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return action, its log-probability, entropy, value."""
        mean = self.actor(x)
        distribution = Normal(mean, self.log_std.expand_as(mean).exp())
        if action is None:
            action = distribution.sample()
        log_prob = distribution.log_prob(action).sum(1)
        return action, log_prob, distribution.entropy().sum(1), self.critic(x).squeeze(1)


class Rollout:
    """One buffer of experience, [time, agents, ...]."""

    def __init__(self, steps: int, balls: Balls) -> None:
        shape = (steps, balls.agents)
        self.observations = torch.zeros((*shape, balls.observation_size))
        self.actions = torch.zeros((*shape, balls.action_size))
        self.log_probs, self.rewards, self.dones, self.values = (torch.zeros(shape) for _ in range(4))


def collect(
    agent: Agent,
    balls: Balls,
    normalize: RunningMoments,
    rollout: Rollout,
    x: torch.Tensor,
    done: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill the rollout; return the observations and ends after it."""
    for t in range(len(rollout.rewards)):
        rollout.observations[t], rollout.dones[t] = x, done
        with torch.no_grad():
            action, rollout.log_probs[t], _, rollout.values[t] = agent(x)
        rollout.actions[t] = action
        step = balls.step(action.numpy())
        rollout.rewards[t] = torch.as_tensor(step.reward)
        x, done = normalize(step.observations), torch.as_tensor(step.done, dtype=torch.float32)
    return x, done


def advantages(agent: Agent, rollout: Rollout, x: torch.Tensor, done: torch.Tensor) -> torch.Tensor:
    """Return generalised advantage estimates, [time, agents]."""
    with torch.no_grad():
        next_value, found = agent.critic(x).squeeze(1), torch.zeros_like(rollout.rewards)
    running = torch.zeros_like(next_value)
    for t in reversed(range(len(found))):
        alive = 1.0 - done
        delta = rollout.rewards[t] + official.GAMMA * next_value * alive - rollout.values[t]
        running = delta + official.GAMMA * official.LAMBDA * alive * running
        found[t], next_value, done = running, rollout.values[t], rollout.dones[t]
    return found


def learn(agent: Agent, optimizer: torch.optim.Adam, rollout: Rollout, advantage: torch.Tensor) -> None:
    """Run all epochs and minibatches over the rollout."""
    x, action = rollout.observations.flatten(0, 1), rollout.actions.flatten(0, 1)
    old_log_prob, old_value = rollout.log_probs.flatten(), rollout.values.flatten()
    advantage = advantage.flatten()
    returns = advantage + old_value
    size = official.BATCH_SIZE
    for _ in range(official.EPOCHS):
        order = np.random.permutation(len(x))
        for start in range(0, len(x) - size + 1, size):
            rows = order[start : start + size]
            _, log_prob, entropy, value = agent(x[rows], action[rows])
            ratio = (log_prob - old_log_prob[rows]).exp()
            gain = advantage[rows]
            gain = (gain - gain.mean()) / (gain.std() + 1e-8)
            clipped_ratio = ratio.clamp(1.0 - official.EPSILON, 1.0 + official.EPSILON)
            policy_loss = torch.max(-gain * ratio, -gain * clipped_ratio).mean()
            near = old_value[rows] + (value - old_value[rows]).clamp(-official.EPSILON, official.EPSILON)
            value_loss = 0.5 * torch.max((value - returns[rows]) ** 2, (near - returns[rows]) ** 2).mean()
            loss = policy_loss - official.BETA * entropy.mean() + VALUE_COEFFICIENT * value_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(agent.parameters(), MAX_GRADIENT_NORM)
            optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-steps", type=int, default=official.MAX_STEPS)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    np.random.seed(arguments.seed)
    balls = Balls(official.AGENTS, arguments.seed)
    agent = Agent(balls.observation_size, balls.action_size)
    optimizer = torch.optim.Adam(agent.parameters(), lr=official.LEARNING_RATE, eps=1e-5)
    normalize = RunningMoments(balls.observation_size)
    rollout = Rollout(official.BUFFER_SIZE // official.AGENTS, balls)
    x, done = normalize(balls.reset()), torch.zeros(balls.agents)
    updates = arguments.max_steps // official.BUFFER_SIZE
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = official.LEARNING_RATE * (1.0 - update / updates)
        x, done = collect(agent, balls, normalize, rollout, x, done)
        learn(agent, optimizer, rollout, advantages(agent, rollout, x, done))


if __name__ == "__main__":
    main()
