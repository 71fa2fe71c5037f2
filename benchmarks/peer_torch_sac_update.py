"""One SAC update in eager PyTorch; arguments: rows, hidden units, seconds. Prints CPU microseconds by form as JSON.

Forms: "usual", three default Adams and a loop over the target's weights, as toolkits have it; "lean", one fused Adam
call and one fused call for the target.
"""

from __future__ import annotations

from measure import cpu_us  # settles the number of threads

# isort: split
import json
import math
import sys
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import softplus

OBSERVATIONS, ACTIONS = 8, 2
LEARNING_RATE, GAMMA, TAU = 3e-4, 0.99, 0.005


def network(inputs: int, hidden: int, outputs: int) -> nn.Module:
    """Return two hidden layers of swish."""
    layers = (nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
    return nn.Sequential(*layers)


class Agent(nn.Module):
    """Policy, values, twins and temperature."""

    def __init__(self, hidden: int):
        super().__init__()
        self.policy = network(OBSERVATIONS, hidden, 2 * ACTIONS)
        self.value, self.target = network(OBSERVATIONS, hidden, 1), network(OBSERVATIONS, hidden, 1)
        self.twins = nn.ModuleList(network(OBSERVATIONS + ACTIONS, hidden, 1) for _ in range(2))
        self.log_alpha = nn.Parameter(torch.zeros(()))
        self.target.load_state_dict(self.value.state_dict())

    def losses(self, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the losses of the policy, of the critics and of the temperature."""
        x, next_x, action, reward, alive = batch
        mean, log_std = self.policy(x).chunk(2, dim=1)
        log_std = log_std.clamp(-20.0, 2.0)
        noise = torch.randn_like(mean)
        raw = mean + log_std.exp() * noise
        slope = 2.0 * (math.log(2.0) - raw - softplus(-2.0 * raw))
        log_prob = (-0.5 * (noise * noise + math.log(2.0 * math.pi)) - log_std - slope).sum(1, keepdim=True)
        pair = torch.cat((x, raw.tanh()), 1)
        alpha = self.log_alpha.exp().detach()
        for parameter in self.twins.parameters():
            parameter.requires_grad_(False)
        q1, q2 = (twin(pair) for twin in self.twins)
        for parameter in self.twins.parameters():
            parameter.requires_grad_(True)
        policy = (alpha * log_prob - q1).mean()
        with torch.no_grad():
            backup = torch.min(q1, q2) - alpha * log_prob
            goal = reward + alive * GAMMA * self.target(next_x)
        taken = torch.cat((x, action), 1)
        critics = 0.5 * (self.value(x) - backup).square().mean()
        for twin in self.twins:
            critics = critics + 0.5 * (twin(taken) - goal).square().mean()
        return policy, critics, -(self.log_alpha * (log_prob.detach() - ACTIONS)).mean()


def sample(rows: int) -> tuple[torch.Tensor, ...]:
    """Return observations, next observations, actions, rewards, and 1 where the episode goes on."""
    x, next_x = torch.randn(2, rows, OBSERVATIONS)
    return x, next_x, torch.rand(rows, ACTIONS) * 2 - 1, torch.randn(rows, 1), torch.ones(rows, 1)


def usual(rows: int, hidden: int) -> Callable[[], None]:
    """Return a function that does one update."""
    agent, batch = Agent(hidden), sample(rows)
    groups = (
        list(agent.policy.parameters()),
        [*agent.value.parameters(), *agent.twins.parameters()],
        [agent.log_alpha],
    )
    optimizers = [torch.optim.Adam(group, lr=LEARNING_RATE) for group in groups]

    def step() -> None:
        for optimizer, loss in zip(optimizers, agent.losses(batch), strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(agent.target.parameters(), agent.value.parameters(), strict=True):
                slow.mul_(1.0 - TAU).add_(fast, alpha=TAU)

    return step


def lean(rows: int, hidden: int) -> Callable[[], None]:
    """Return a function that does one update with as few operations as eager PyTorch allows."""
    agent, batch = Agent(hidden), sample(rows)
    slow, fast = list(agent.target.parameters()), list(agent.value.parameters())
    for parameter in slow:
        parameter.requires_grad_(False)
    trained = [parameter for parameter in agent.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, fused=True)

    def step() -> None:
        sum(agent.losses(batch)).backward()
        optimizer.step()
        optimizer.zero_grad()
        torch._foreach_lerp_(slow, fast, TAU)

    return step


def main() -> None:
    rows, hidden, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    torch.set_num_threads(1)
    print(json.dumps(cpu_us({"usual": usual(rows, hidden), "lean": lean(rows, hidden)}, seconds)))


if __name__ == "__main__":
    main()
