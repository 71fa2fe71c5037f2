"""What an environment is told about one parameter: a number, or a sampler that it draws from itself."""

from __future__ import annotations

from mlagents.settings import (
    ConstantParameters,
    GaussianParameters,
    MultiRangeUniformParameters,
    SamplerSettings,
    UniformParameters,
)
from mlagents_envs.sampler_class import Sampler, SamplerFactory
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, ParameterSampler

Value = float | ParameterSampler | tuple[float, ...]
"""A number; a sampler, whose seed the receiver shifts by worker; or one number for each worker."""

_KINDS = EnvironmentParametersChannel.SamplerTypes
WORKER_STRIDE = 100_003
"""Between the seeds of two workers: far more than a run has samplers, so that no two streams are the same."""


def is_constant(settings: SamplerSettings) -> bool:
    """Return whether there is nothing to draw."""
    return isinstance(settings.sampler_parameters, ConstantParameters)


def sent(settings: SamplerSettings, seed: int) -> float | ParameterSampler | None:
    """Return what is sent to the environment, or None for a sampler that only Python can draw.

    Args:
      settings: of the parameter.
      seed: used if they do not have one.
    """
    parameters = settings.sampler_parameters
    seed = seed_of(settings, seed)
    match parameters:
        case ConstantParameters():
            return parameters.value
        case UniformParameters():
            return ParameterSampler(_KINDS.UNIFORM, seed, (parameters.min_value, parameters.max_value))
        case GaussianParameters():
            return ParameterSampler(_KINDS.GAUSSIAN, seed, (parameters.mean, parameters.st_dev))
        case MultiRangeUniformParameters():
            bounds = tuple(bound for interval in parameters.intervals for bound in interval)
            return ParameterSampler(_KINDS.MULTIRANGEUNIFORM, seed, bounds)
    return None


def seed_of(settings: SamplerSettings, seed: int) -> int:
    """Return the seed that the settings ask for, or this one if they leave it open."""
    return settings.sampler_parameters.seed if settings.sampler_parameters.seed >= 0 else seed % 2**31


def python_samplers(settings: SamplerSettings, seed: int, workers: int) -> list[Sampler]:
    """Return one sampler for each worker.

    Raises:
      SamplerException: the class is not there, or does not accept the arguments.
    """
    arguments = settings.sampler_parameters.model_dump(exclude={"seed"})
    first = seed_of(settings, seed)
    seeds = [(first + WORKER_STRIDE * worker) % 2**31 for worker in range(workers)]
    return [SamplerFactory.init_sampler_class(settings.sampler_type, arguments, seed) for seed in seeds]


def text(settings: SamplerSettings) -> str:
    """Return the value in words, in the known form."""
    parameters = settings.sampler_parameters
    match parameters:
        case ConstantParameters():
            return f"Float: value={parameters.value}"
        case UniformParameters():
            return f"Uniform sampler: min={parameters.min_value}, max={parameters.max_value}"
        case GaussianParameters():
            return f"Gaussian sampler: mean={parameters.mean}, stddev={parameters.st_dev}"
        case MultiRangeUniformParameters():
            return f"MultiRangeUniform sampler: intervals={[list(interval) for interval in parameters.intervals]}"
    arguments = parameters.model_dump(exclude={"seed"})
    return f"{settings.sampler_type} sampler: {', '.join(f'{key}={value}' for key, value in arguments.items())}"
