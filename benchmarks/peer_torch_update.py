"""One PPO minibatch in eager PyTorch; arguments: rows, seconds. Prints CPU microseconds by form as JSON.

Forms: "usual", with distribution objects, gradient clipping and the default Adam, as toolkits have it;
"lean", the same loss as ours written out, no clipping, one fused Adam call.
"""

from __future__ import annotations

from measure import cpu_us  # settles the number of threads

# isort: split
import json
import math
import sys
from collections.abc import Callable

import official
import torch
from peer_cleanrl import MAX_GRADIENT_NORM, Agent

OBSERVATIONS, ACTIONS = 8, 2
LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)


def batch(rows: int) -> tuple[torch.Tensor, ...]:
    """Return observations, actions, old log-probabilities [rows, actions], advantages, returns."""
    return (
        torch.randn(rows, OBSERVATIONS),
        torch.randn(rows, ACTIONS),
        torch.randn(rows, ACTIONS) - 1.0,
        torch.randn(rows),
        torch.randn(rows),
    )


def usual(rows: int) -> Callable[[], None]:
    """Return a function that does one gradient step."""
    agent = Agent(OBSERVATIONS, ACTIONS)
    optimizer = torch.optim.Adam(agent.parameters(), lr=official.LEARNING_RATE, eps=1e-5)
    x, action, old_log_prob, advantage, returns = batch(rows)
    old = old_log_prob.sum(1)

    def step() -> None:
        _, log_prob, entropy, value = agent(x, action)
        ratio = (log_prob - old).exp()
        gain = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped = ratio.clamp(1.0 - official.EPSILON, 1.0 + official.EPSILON)
        loss = -torch.min(gain * ratio, gain * clipped).mean()
        loss = loss + 0.5 * torch.nn.functional.mse_loss(value, returns) - official.BETA * entropy.mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(agent.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()

    return step


def lean(rows: int) -> Callable[[], None]:
    """Return a function that does one gradient step with as few operations as eager PyTorch allows."""
    agent = Agent(OBSERVATIONS, ACTIONS)
    optimizer = torch.optim.Adam(agent.parameters(), lr=official.LEARNING_RATE, fused=True)
    x, action, old_log_prob, advantage, returns = batch(rows)
    gain = advantage[:, None]

    def step() -> None:
        scaled = (action - agent.actor(x)) * (-agent.log_std).exp()
        log_prob = -0.5 * scaled * scaled - agent.log_std - LOG_ROOT_TWO_PI
        ratio = (log_prob - old_log_prob).exp()
        clipped = ratio.clamp(1.0 - official.EPSILON, 1.0 + official.EPSILON)
        error = agent.critic(x).squeeze(1) - returns
        loss = 0.5 * (error * error).mean() - torch.min(ratio * gain, clipped * gain).mean()
        (loss - official.BETA * agent.log_std.mean()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def main() -> None:
    rows, seconds = int(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(1)
    print(json.dumps(cpu_us({"usual": usual(rows), "lean": lean(rows)}, seconds)))


if __name__ == "__main__":
    main()
