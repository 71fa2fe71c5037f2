"""The gradient steps of PPO, GAIL and cloning in eager PyTorch, with one discrete branch.

Arguments: observations, choices, hidden units of the policy, those of the discriminator, rows, seconds. Prints CPU
microseconds of a step by name as JSON. The losses are those of `mlagents`, as toolkits write them: distributions are
objects, and each of the three has an Adam.
"""

from __future__ import annotations

from measure import cpu_us  # settles the number of threads

# isort: split
import json
import sys
from collections.abc import Callable

import torch
from torch import nn
from torch.distributions import Categorical
from torch.nn.functional import cross_entropy, mse_loss, softplus

LEARNING_RATE, EPSILON, BETA, SIGNALS, PENALTY = 3e-4, 0.2, 0.01, 2, 10.0


def network(inputs: int, hidden: int, outputs: int) -> nn.Module:
    """Return two hidden layers of swish."""
    layers = (nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
    return nn.Sequential(*layers)


def ppo(actor: nn.Module, critic: nn.Module, x: torch.Tensor, choices: int) -> Callable[[], None]:
    """Return a function that does one gradient step on the clipped objective, values and entropy."""
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=LEARNING_RATE)
    rows = len(x)
    action, old, gain = torch.randint(choices, (rows,)), torch.randn(rows) - 2.0, torch.randn(rows)
    returns = torch.randn(rows, SIGNALS)

    def step() -> None:
        distribution = Categorical(logits=actor(x))
        ratio = (distribution.log_prob(action) - old).exp()
        loss = -torch.min(gain * ratio, gain * ratio.clamp(1.0 - EPSILON, 1.0 + EPSILON)).mean()
        loss = loss + 0.5 * mse_loss(critic(x), returns) - BETA * distribution.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def gail(discriminator: nn.Module, expert: torch.Tensor, policy: torch.Tensor) -> Callable[[], None]:
    """Return a function that does one gradient step of the discriminator, gradient penalty included."""
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=LEARNING_RATE)

    def step() -> None:
        loss = softplus(-discriminator(expert)).mean() + softplus(discriminator(policy)).mean()
        points = len(expert) // 4
        share = torch.rand(points, 1)
        between = (share * expert[:points] + (1.0 - share) * policy[:points]).requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
        loss = loss + PENALTY * ((slope.square().sum(1) + 1e-7).sqrt() - 1.0).relu().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def cloning(actor: nn.Module, x: torch.Tensor, choices: int) -> Callable[[], None]:
    """Return a function that does one gradient step towards what experts chose."""
    optimizer = torch.optim.Adam(actor.parameters(), lr=LEARNING_RATE)
    action = torch.randint(choices, (len(x),))

    def step() -> None:
        loss = cross_entropy(actor(x), action)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def main() -> None:
    observations, choices, hidden, judging, rows = map(int, sys.argv[1:6])
    torch.set_num_threads(1)
    actor, critic = network(observations, hidden, choices), network(observations, hidden, SIGNALS)
    discriminator = network(observations, judging, 1)
    policy, expert = torch.rand(2, rows, observations)
    steps = {
        "PPO": ppo(actor, critic, policy, choices),
        "GAIL": gail(discriminator, expert, policy),
        "cloning": cloning(actor, expert, choices),
    }
    print(json.dumps(cpu_us(steps, float(sys.argv[6]))))


if __name__ == "__main__":
    main()
