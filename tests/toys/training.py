"""Short training runs in this process, through the real loop."""

from __future__ import annotations

import time

import numpy as np

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.rollout.actor import Actor
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import BehaviorSettings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.build import make_learner
from mlagents.training.loop import TrainingLoop
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

CLIPPED = {"batch_size": 64, "buffer_size": 512, "num_epoch": 6, "beta": 1e-3}


def ppo_settings(max_steps, hyperparameters=(), **changes):
    """Settings that solve the small tasks; changes are hyperparameters and sections of the modern YAML."""
    return _settings("ppo", max_steps, CLIPPED | dict(hyperparameters), changes)


def poca_settings(max_steps, hyperparameters=(), **changes):
    """As `ppo_settings`."""
    return _settings("poca", max_steps, CLIPPED | dict(hyperparameters), changes)


def sac_settings(max_steps, hyperparameters=(), **changes):
    """As `ppo_settings`."""
    own = {"batch_size": 64, "buffer_size": 5000, "buffer_init_steps": 200, "steps_per_update": 4}
    return _settings("sac", max_steps, own | {"init_entcoef": 0.1, "tau": 0.02} | dict(hyperparameters), changes)


def _settings(trainer_type, max_steps, hyperparameters, changes):
    sections = {
        "trainer_type": trainer_type,
        "max_steps": max_steps,
        "time_horizon": 64,
        "summary_freq": 1000,
        "hyperparameters": {"learning_rate": 3e-3, "learning_rate_schedule": "constant"} | hyperparameters,
        "network_settings": {"hidden_units": 32, "num_layers": 2},
        "reward_signals": {"extrinsic": {"gamma": 0.95, "strength": 1.0}},
    }
    return BehaviorSettings.model_validate(sections | changes)


def make_loop(
    env,
    settings,
    *,
    seed=0,
    statistics=None,
    save=None,
    parameters=None,
    clock=time.monotonic,
    league=None,
    keep_snapshots=lambda snapshots: (),
    save_freq=0,
):
    """Return the loop over one environment in this process; a league gets every behavior with self-play settings."""
    statistics = statistics or Statistics()

    def make_behavior(name, spec):
        learner = make_learner(name, spec, settings, seed)
        if league is not None and settings.self_play is not None:
            league.add(name, settings.self_play, settings.max_steps)
        return Behavior(name, spec, settings, learner, statistics, np.random.default_rng(seed), training=True)

    sampler = LocalSampler(InlinePool(env, EnvironmentParametersChannel(), StatsSideChannel()))
    ignore = lambda *arguments: None  # noqa: E731
    parameters = parameters or ParameterSchedule({})
    return TrainingLoop(
        sampler,
        make_behavior,
        statistics,
        parameters,
        ignore,
        save or ignore,
        league,
        keep_snapshots,
        clock,
        save_freq,
    )


def train(env, settings, *, seed=0, stop=lambda: False):
    """Train to `max_steps`, or until `stop` says so, and return the behavior."""
    loop = make_loop(env, settings, seed=seed)
    loop.run(stop)
    (behavior,) = loop.behaviors.values()
    return behavior


def greedy_returns(env, policy, steps=200):
    """Return what the policy's most likely actions earn, per episode."""
    (name,) = env.behavior_specs
    actor = Actor(policy, np.random.default_rng(0), deterministic=True)
    env.reset()
    running, finished, memory = {}, [], {}
    for _ in range(steps):
        decision, terminal = env.get_steps(name)
        finished += [running.pop(a, 0.0) + float(terminal[a].reward) for a in terminal.agent_id.tolist()]
        for agent in terminal.agent_id.tolist():
            memory.pop(agent, None)
        agents = decision.agent_id.tolist()
        for agent, reward in zip(agents, decision.reward.tolist(), strict=True):
            running[agent] = running.get(agent, 0.0) + reward
        if len(decision):
            masks = decision.action_mask
            blank = np.zeros(policy.memory_size, np.float32)
            carried = np.array([memory.get(a, blank) for a in agents]) if policy.memory_size else None
            chosen = actor.act(decision.obs, None if masks is None else ~np.concatenate(masks, 1), carried)
            env.set_actions(name, chosen.action)
            if policy.memory_size:
                memory |= dict(zip(agents, chosen.memory, strict=True))
        env.step()
    return finished
