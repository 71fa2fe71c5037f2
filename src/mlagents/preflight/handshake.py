"""An environment and its configuration, before anything is trained: do they fit, can their models be exported?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mlagents import plugins
from mlagents.artifacts.layout import Layout
from mlagents.export import PROFILES, export_model
from mlagents.inference import RandomPolicy
from mlagents.learning.protocols import Learner
from mlagents.preflight.findings import Finding, Level, in_words
from mlagents.preflight.footprint import footprint
from mlagents.preflight.machine import usable_memory
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import TRAINER_TYPE_GROUP, RunSettings
from mlagents.training.availability import Coverage, refuse_idle
from mlagents.training.build import LEARNERS, make_learner
from mlagents.training.environments import environment_source
from mlagents_envs.base_env import BaseEnv, BehaviorSpec
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from mlagents_envs.user_errors import describe, user_frames

_TIGHT = 0.8
_FINE = 1e-4


def examine(settings: RunSettings) -> Iterator[Finding]:
    """Start the environment once, and yield what is found; the first thing that is wrong ends it."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            seed = max(0, settings.env_settings.seed)
            yield from _examine(settings, environment_source(settings, Layout("preflight", Path(folder)), seed))
    except Exception as error:
        text = describe(error) if user_frames(error) else str(error) or type(error).__name__
        yield Finding("environment", Level.ERROR, text, "Training would end here, too: mend this first.")


def _examine(settings: RunSettings, source: EnvironmentSource) -> Iterator[Finding]:
    began = time.monotonic()
    env = source.make(0, [EnvironmentParametersChannel(), StatsSideChannel()])
    try:
        env.reset()
        yield Finding("environment", Level.OK, f"{source.env} started and answers, {time.monotonic() - began:.1f} s")
        yield from _behaviors(settings, env.behavior_specs)
        yield from _parameters(settings, source)
        agents = {name: len(env.get_steps(name)[0]) for name in env.behavior_specs}
        yield _step(env)
    finally:
        env.close()
    yield from _learners(settings, env.behavior_specs, agents)


def _behaviors(settings: RunSettings, specs: Mapping[str, BehaviorSpec]) -> Iterator[Finding]:
    """Look whether every behavior has a section, and every section a behavior.

    Raises:
      SettingsError: a behavior has none, or one that this version cannot train.
    """
    shown = {BehaviorId.parse(name).name: spec for name, spec in specs.items()}
    coverage = Coverage(settings, [*LEARNERS, *plugins.names(TRAINER_TYPE_GROUP)], lambda: shown)
    for name, spec in shown.items():
        refuse_idle(name, spec)
        trainer = coverage.settings_of(name).trainer_type
        observed = ", ".join(f"{o.name} {'x'.join(map(str, o.shape))}".strip() for o in spec.observation_specs)
        yield Finding("behaviors", Level.OK, f"{name}: {trainer}; observes {observed}; {spec.action_spec}")
    if idle := [name for name in settings.behaviors if name not in shown]:
        text = f"no agents for the sections {', '.join(idle)}"
        yield Finding("behaviors", Level.WARNING, text, f"The environment has {', '.join(shown)}; is one misspelt?")


def _parameters(settings: RunSettings, source: EnvironmentSource) -> Iterator[Finding]:
    if source.env is None or not source.is_named() or not settings.environment_parameters:
        return
    known = default_registry[source.env].parameters
    unknown = [name for name in settings.environment_parameters if name not in known]
    for name in unknown:
        text = f"{settings.place(('environment_parameters', name))}: the environment has no such parameter"
        yield Finding("parameters", Level.WARNING, text, f"It is ignored. There are: {', '.join(known) or 'none'}.")
    if not unknown:
        yield Finding("parameters", Level.OK, f"{', '.join(settings.environment_parameters)} are known")


def _step(env: BaseEnv) -> Finding:
    """Let every behavior act once, and look at what it then reports."""
    rng, faults = np.random.default_rng(0), []
    for name, spec in env.behavior_specs.items():
        waiting, _ = env.get_steps(name)
        env.set_actions(name, RandomPolicy(spec).act(waiting, False, rng))
    env.step()
    for name in env.behavior_specs:
        for steps in env.get_steps(name):
            arrays = [*steps.obs, steps.reward, steps.group_reward]
            if not all(np.isfinite(array).all() for array in arrays):
                faults.append(name)
    if faults:
        text = f"after one random action, {', '.join(dict.fromkeys(faults))} reports numbers that are not finite"
        return Finding("step", Level.ERROR, text, "Look for a division by zero in observations and rewards.")
    return Finding("step", Level.OK, "every behavior acted once; all that it reports is finite")


def _learners(settings: RunSettings, specs: Mapping[str, BehaviorSpec], agents: Mapping[str, int]) -> Iterator[Finding]:
    """Make the learner of every behavior, export its model, and add up the memory of all."""
    needed: dict[str, float] = {}
    for name, spec in {BehaviorId.parse(name).name: spec for name, spec in specs.items()}.items():
        learner = make_learner(name, spec, settings.behavior(name), max(0, settings.env_settings.seed))
        yield _export(settings, name, spec, learner)
        players = sum(count for full, count in agents.items() if BehaviorId.parse(full).name == name)
        for part, size in footprint(settings.behavior(name), spec, learner, players * settings.workers).items():
            needed[part] = needed.get(part, 0) + size
    total, free = sum(needed.values()), usable_memory()
    parts = ", ".join(f"{part} {in_words(size)}" for part, size in needed.items() if size)
    text = f"about {in_words(total)} for experience and networks ({parts}); {in_words(free)} are free"
    if total > _TIGHT * free:
        advice = "A smaller buffer_size or time_horizon, fewer agents, or smaller networks need less."
        yield Finding("memory", Level.ERROR if total > free else Level.WARNING, text, advice)
    else:
        yield Finding("memory", Level.OK, text)


def _export(settings: RunSettings, name: str, spec: BehaviorSpec, learner: Learner) -> Finding:
    """Write the model and compare it with its policy.

    Raises:
      ExportError: it cannot be written, or does something else.
    """
    profile = PROFILES[settings.checkpoint_settings.export_profile]
    with tempfile.TemporaryDirectory() as folder:
        report = export_model(learner.snapshot(), spec, Path(folder) / "model.onnx", profile=profile)
    worst = max(report.max_error.values(), default=0.0)
    text = f"{name}: its .onnx model does what the policy does; largest difference {worst:.1g}"
    return Finding("export", Level.OK if worst < _FINE else Level.NOTE, text)
