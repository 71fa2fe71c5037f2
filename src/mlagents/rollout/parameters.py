"""Environment parameters on their way to the environments."""

from __future__ import annotations

from collections.abc import Mapping

from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, ParameterSampler

ParameterValue = float | ParameterSampler | tuple[float, ...]
"""A number; a sampler that the environment draws from itself; or one number for each worker."""

_SEED_STRIDE = 100_003  # between workers: far more than a run has samplers, so that no two streams are the same


def for_worker(parameters: Mapping[str, ParameterValue], worker: int) -> dict[str, float | ParameterSampler]:
    """Return what one worker is told: the same distributions as the others, and streams of its own."""
    told: dict[str, float | ParameterSampler] = {}
    for name, value in parameters.items():
        if isinstance(value, float | int):
            told[name] = value
        elif isinstance(value, ParameterSampler):
            told[name] = value._replace(seed=(value.seed + _SEED_STRIDE * worker) % 2**31)
        else:
            told[name] = value[worker]
    return told


def for_sampler(parameters: Mapping[str, ParameterValue], first_worker: int) -> Mapping[str, ParameterValue]:
    """Return the parameters as workers see them that are counted from 0 again, the first being this one of the run."""
    if first_worker == 0:
        return parameters
    told: dict[str, ParameterValue] = {}
    for name, value in parameters.items():
        if isinstance(value, ParameterSampler):
            told[name] = value._replace(seed=(value.seed + _SEED_STRIDE * first_worker) % 2**31)
        elif isinstance(value, float | int):
            told[name] = value
        else:
            told[name] = value[first_worker:]
    return told


def tell(channel: EnvironmentParametersChannel, parameters: Mapping[str, float | ParameterSampler]) -> None:
    """Queue parameters for the environment at the other end of the channel."""
    kinds = EnvironmentParametersChannel.SamplerTypes
    for name, value in parameters.items():
        if not isinstance(value, ParameterSampler):
            channel.set_float_parameter(name, value)
        elif value.kind is kinds.UNIFORM:
            low, high = value.arguments
            channel.set_uniform_sampler_parameters(name, low, high, value.seed)
        elif value.kind is kinds.GAUSSIAN:
            mean, st_dev = value.arguments
            channel.set_gaussian_sampler_parameters(name, mean, st_dev, value.seed)
        else:
            bounds = value.arguments
            intervals = list(zip(bounds[::2], bounds[1::2], strict=True))
            channel.set_multirangeuniform_sampler_parameters(name, intervals, value.seed)
