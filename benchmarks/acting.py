"""Acting: the numpy actor against an ahead-of-time compiled call of the same policy, 8-128-128-2.

The compiled call returns means only. The actor is measured twice: choosing the mean, which is equal work,
and sampling, as in training. Both clip and pack actions for the environment.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import jax
import numpy as np
import official
from measure import Figure

from mlagents.nn.policy import Policy
from mlagents.rollout.actor import Actor
from mlagents.settings import BehaviorSettings
from mlagents.training.build import LEARNERS
from mlagents_envs.registry import default_registry

AGENTS = (12, 64, 128, 1024)


def make_3dball_policy() -> Policy:
    """Return a policy with fresh weights for 3DBall at the official settings."""
    env = default_registry["3DBall"].make()
    spec = next(iter(env.behavior_specs.values()))
    env.close()
    settings = BehaviorSettings.model_validate(official.behavior())
    return LEARNERS["ppo"]("3DBall", spec, settings, 0).snapshot()


def main() -> None:
    seconds = 0.3 if measure.arguments(__doc__).quick else 3.0
    policy, rng = make_3dball_policy(), np.random.default_rng(0)
    actor, sampling = Actor(policy, rng, deterministic=True), Actor(policy, rng)
    weights = jax.device_put(policy)
    figures = []
    for agents in AGENTS:
        observations = rng.standard_normal((agents, 8), np.float32)
        means = jax.jit(lambda policy, x: policy((x,))[0].mean)
        compiled = means.lower(weights, observations).compile()
        us = measure.cpu_us(
            {
                "actor, means": lambda x=observations: actor.act([x], None),
                "actor, sampling": lambda x=observations: sampling.act([x], None),
                "compiled call, means": lambda call=compiled, x=observations: np.asarray(call(weights, x)),
            },
            seconds,
        )
        against = us["compiled call, means"] / us["actor, means"]
        figures.append(Figure(f"{agents} agents: compiled call / actor, means", against, "x"))
        figures += [Figure(f"{agents} agents: {name}", value, "us") for name, value in us.items()]
    measure.emit("acting", figures)


if __name__ == "__main__":
    main()
