"""Which pool holds the environments of a run, or of one of its samplers."""

from __future__ import annotations

from mlagents.rollout.env_pool import EnvPool, InlinePool
from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import EnvSettings
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc.security import is_loopback
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

_log = get_logger(__name__)


def make_pool(env: EnvSettings, source: EnvironmentSource, num_envs: int) -> EnvPool:
    """Return the started environments: one of Python in this process, others and several in processes of their own.

    Raises:
      UnknownEnvironment, UnityException: the environment could not be started.
    """
    named = source.is_named()
    if not (named or source.attach or is_loopback(env.bind)) and (env.tls_cert is None or env.token_file is None):
        _log.warning(
            "Listening on %s: any machine may connect%s. Do so in networks that you trust only; without --bind only"
            " this machine can connect.",
            env.bind,
            ", unencrypted" if env.tls_cert is None else ", for there is no --token-file",
        )
    if num_envs > 1 or not named:
        return ProcessPool(
            source,
            num_envs,
            max_lifetime_restarts=env.max_lifetime_restarts,
            restarts_rate_limit_n=env.restarts_rate_limit_n,
            restarts_rate_limit_period_s=env.restarts_rate_limit_period_s,
            timeout_wait=env.timeout_wait,
        )
    parameters, stats = EnvironmentParametersChannel(), StatsSideChannel()
    return InlinePool(source.make(0, [parameters, stats]), parameters, stats)
