"""A session with an environment, played by the official package or by ours: both have the same names.

In `.venv-interop`, with the official package, it is run as

    session.py EXECUTABLE PORT STEPS OUTPUT PARAMETER PARAMETER PARAMETER

and writes what it saw to OUTPUT (.npz). The tests call `play` with an environment of their own process. What it
sends is the same every time: engine settings, environment parameters of every kind, random actions.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.float_properties_channel import FloatPropertiesChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

SEED = 7


class Channels:
    def __init__(self):
        self.engine = EngineConfigurationChannel()
        self.parameters = EnvironmentParametersChannel()
        self.stats = StatsSideChannel()
        self.unheard = FloatPropertiesChannel()
        self.all = [self.engine, self.parameters, self.stats, self.unheard]


def play(env, channels, steps, names):
    """Reset twice, each time with other parameters and followed by `steps` steps.

    Returns: label -> array, of everything that was seen.
    """
    first, second, third = names
    rng = np.random.RandomState(1)
    seen = {}
    channels.engine.set_configuration_parameters(84, 64, 5, 20.0, -1, 60)
    channels.parameters.set_float_parameter(first, 6.5)
    channels.parameters.set_uniform_sampler_parameters(second, 0.5, 2.0, 7)
    channels.parameters.set_multirangeuniform_sampler_parameters(third, [(1.0, 2.0), (3.0, 4.0)], 9)
    channels.unheard.set_property("unheard", 1.5)
    env.reset()
    look(env, channels, seen)
    seen["specs"] = np.array(json.dumps(specs(env)))
    act_for(env, channels, steps, rng, seen)
    channels.parameters.set_gaussian_sampler_parameters(second, 1.0, 0.1, 8)
    channels.parameters.set_float_parameter(third, 1.25)
    env.reset()
    look(env, channels, seen)
    act_for(env, channels, steps, rng, seen)
    env.step()  # without actions: zeros
    look(env, channels, seen)
    seen["late specs"] = np.array(json.dumps(specs(env)))
    return seen


def act_for(env, channels, steps, rng, seen):
    for _ in range(steps):
        for name in sorted(env.behavior_specs):
            env.set_actions(name, random_action(env, name, rng))
        env.step()
        look(env, channels, seen)


def random_action(env, name, rng):
    """Return allowed choices, and continuous actions from -1 to 1."""
    decision_steps, _ = env.get_steps(name)
    action_spec = env.behavior_specs[name].action_spec
    n = len(decision_steps)
    continuous = rng.uniform(-1, 1, (n, action_spec.continuous_size)).astype(np.float32)
    columns = []
    for branch, size in enumerate(action_spec.discrete_branches):
        likes = rng.uniform(0, 1, (n, size))
        if n:
            likes -= decision_steps.action_mask[branch]
        columns.append(likes.argmax(axis=1))
    discrete = np.array(columns, np.int32).reshape(action_spec.discrete_size, n).T
    return ActionTuple(continuous, discrete)


def look(env, channels, seen):
    time = len([label for label in seen if label.endswith("stats")])
    for name in sorted(env.behavior_specs):
        for batch in env.get_steps(name):
            kind = f"{time} {name} {type(batch).__name__}"
            for field in ("reward", "agent_id", "group_id", "group_reward", "interrupted"):
                if hasattr(batch, field):
                    seen[f"{kind} {field}"] = np.array(getattr(batch, field))
            for number, column in enumerate(batch.obs):
                seen[f"{kind} obs {number}"] = np.array(column)
            for branch, mask in enumerate(getattr(batch, "action_mask", None) or ()):
                seen[f"{kind} mask {branch}"] = np.array(mask)
    stats = channels.stats.get_and_reset_stats()
    values = [[key, value, how.value] for key in sorted(stats) for value, how in stats[key]]
    seen[f"{time} stats"] = np.array(json.dumps(values))


def specs(env):
    return {name: [sensors(spec), actions(spec.action_spec)] for name, spec in sorted(env.behavior_specs.items())}


def sensors(spec):
    return [
        [sensor.name, list(sensor.shape), list(map(int, sensor.dimension_property)), sensor.observation_type.value]
        for sensor in spec.observation_specs
    ]


def actions(action_spec):
    return [action_spec.continuous_size, list(action_spec.discrete_branches)]


def main():
    executable, port, steps, output, *names = sys.argv[1:]
    channels = Channels()
    env = UnityEnvironment(
        executable, base_port=int(port), seed=SEED, no_graphics=True, timeout_wait=60, side_channels=channels.all
    )
    process = env._process
    seen = play(env, channels, int(steps), names)
    env.close()
    np.savez(output, exit_code=np.array(process.returncode), **seen)


if __name__ == "__main__":
    main()
