"""The environments of a run, and who plays in them."""

from __future__ import annotations

from mlagents.artifacts.layout import Layout
from mlagents.rollout.offline import OfflineSampler
from mlagents.rollout.pools import make_pool
from mlagents.rollout.sampler import LocalSampler, Sampler
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import BehaviorSettings, RunSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.demonstrations import load_demonstration
from mlagents_envs.logging_util import get_logger
from mlagents_envs.rpc.security import ClientSecurity, ServerSecurity
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfig

_log = get_logger(__name__)


def environment_source(settings: RunSettings, layout: Layout, seed: int) -> EnvironmentSource:
    """Return how the environments of a run are made; worker i gets `seed` + i."""
    env, engine = settings.env_settings, settings.engine_settings
    inference = settings.checkpoint_settings.inference  # whose players leave the logs of training alone
    return EnvironmentSource(
        env=env.env_path,
        seed=seed,
        num_areas=env.num_areas,
        no_graphics=engine.no_graphics,
        base_port=env.base_port if env.env_path is not None else None,
        timeout_wait=env.timeout_wait,
        additional_args=tuple(env.env_args or ()),
        log_folder=str(layout.player_logs / "inference" if inference else layout.player_logs),
        engine=EngineConfig(
            width=engine.width,
            height=engine.height,
            quality_level=engine.quality_level,
            time_scale=engine.time_scale,
            target_frame_rate=engine.target_frame_rate,
            capture_frame_rate=engine.capture_frame_rate,
        ),
        no_graphics_monitor=engine.no_graphics_monitor,
        bind=env.bind,
        security=ServerSecurity(env.tls_cert, env.tls_key, env.token_file, env.insecure),
        attach=env.attach or (),
        attach_security=ClientSecurity(env.tls_ca, env.token_file, env.insecure),
    )


def make_sampler(settings: RunSettings, source: EnvironmentSource) -> Sampler:
    """Return what plays: this machine, or a cluster; where all behaviors clone and no environment is named, nobody.

    Raises:
      DemonstrationError: a demonstration that is to be cloned cannot be read.
    """
    clones = settings.behaviors and all(b.trainer_type == "bc" for b in settings.behaviors.values())
    if not clones or source.env is not None or source.attach or settings.checkpoint_settings.inference:
        if settings.ray_settings.address is None:
            return LocalSampler(make_pool(settings.env_settings, source, settings.workers))
        from mlagents.rollout.remote import ClusterSampler

        return ClusterSampler(settings.ray_settings, settings.env_settings, source)
    _log.info("Every behavior clones demonstrations, and no --env is given: nothing is played.")
    return OfflineSampler({name: _demonstrated_spec(behavior) for name, behavior in settings.behaviors.items()})


def _demonstrated_spec(behavior: BehaviorSettings) -> BehaviorSpec:
    path, pairing = behavior.demonstrations()
    return load_demonstration(path, pairing).spec
