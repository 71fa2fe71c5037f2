"""`mlagents envs`: which environments there are, and what their agents observe and do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from mlagents.cli.table import print_table
from mlagents.cli.values import find_environment

if TYPE_CHECKING:
    from mlagents.viewing.keyboard import Keys
    from mlagents_envs.base_env import BehaviorSpec
    from mlagents_envs.registry import BaseRegistryEntry


@dataclass(frozen=True)
class Observation:
    """One sensor; the shape is without the batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Behavior:
    """What the agents of a behavior observe and do.

    Attributes:
      observations: in their order.
      continuous_actions: how many.
      discrete_branches: the number of choices in each.
      keys: meaning -> names of the keys that people play with.
    """

    observations: tuple[Observation, ...]
    continuous_actions: int
    discrete_branches: tuple[int, ...]
    keys: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Environment:
    """What `mlagents envs` tells of an environment.

    Attributes:
      name: in the registry.
      description: what the agents do.
      benchmark: mean episode reward of a well-trained agent.
      has_model: a trained model comes with it.
      parameters: name -> one line of documentation.
      behaviors: by name; None if that cannot be told, and then `problem` says why.
      problem: why not.
    """

    name: str
    description: str | None
    benchmark: float | None
    has_model: bool
    parameters: Mapping[str, str]
    behaviors: Mapping[str, Behavior] | None
    problem: str | None


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("envs", help="list environments", description=__doc__)
    parser.add_argument("environment", nargs="?", metavar="NAME", help="tell more about this one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List all environments, or describe one.

    Raises:
      UsageError: there is no environment of the given name.
    """
    from mlagents_envs.registry import default_registry

    if arguments.environment:
        environments = [describe(find_environment(arguments.environment))]
    else:
        environments = [_describe_or_excuse(name) for name in sorted(default_registry)]
    if arguments.json:
        print(json.dumps([asdict(environment) for environment in environments], indent=2))
    elif arguments.environment:
        _print_details(environments[0])
    else:
        _print_list(environments)
    return 0


def _describe_or_excuse(name: str) -> Environment:
    try:
        return describe(find_environment(name))
    except Exception as error:  # one package's broken environment must not hide the others
        return Environment(name, None, None, False, {}, None, problem=f"{type(error).__name__}: {error}")


def describe(entry: BaseRegistryEntry) -> Environment:
    """Return what an environment offers; it is made for that, unless it would have to be downloaded."""
    from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry

    remote = isinstance(entry, RemoteRegistryEntry)
    return Environment(
        name=entry.identifier,
        description=entry.description,
        benchmark=entry.expected_reward,
        has_model=entry.pretrained is not None,
        parameters=dict(entry.parameters),
        behaviors=None if remote else _behaviors(entry),
        problem="known once it is downloaded; `mlagents play` does that" if remote else None,
    )


def _behaviors(entry: BaseRegistryEntry) -> dict[str, Behavior]:
    env = entry.make(num_areas=1)
    try:
        if not env.behavior_specs:
            env.reset()
        keys = getattr(env, "keys", {})
        return {name: _behavior(spec, keys.get(name, ())) for name, spec in env.behavior_specs.items()}
    finally:
        env.close()


def _behavior(spec: BehaviorSpec, keys: Iterable[Keys]) -> Behavior:
    sensors = tuple(Observation(sensor.name, tuple(sensor.shape)) for sensor in spec.observation_specs)
    action = spec.action_spec
    meanings = {each.meaning: each.names for each in keys}
    return Behavior(sensors, action.continuous_size, tuple(action.discrete_branches), meanings)


def _print_list(environments: Iterable[Environment]) -> None:
    columns = ("environment", "behavior", "observations", "actions", "parameters", "benchmark")
    print_table(columns, [row for environment in environments for row in _rows(environment)])


def _rows(environment: Environment) -> Iterator[tuple[str, ...]]:
    last = (", ".join(environment.parameters), _number(environment.benchmark))
    if environment.behaviors is None:
        yield (environment.name, environment.problem or "", "", "", *last)
        return
    for name, behavior in environment.behaviors.items():
        yield (environment.name, name, _observations(behavior), _actions(behavior), *last)


def _print_details(environment: Environment) -> None:
    print(f"{environment.name}: {environment.description or 'no description'}")
    print(f"benchmark: {_number(environment.benchmark)}")
    print(f"trained model: {'yes' if environment.has_model else 'no'}")
    for name, behavior in (environment.behaviors or {}).items():
        print(f"behavior {name}")
        print(f"  observations: {_observations(behavior)}")
        print(f"  actions: {_actions(behavior)}")
        for meaning, names in behavior.keys.items():
            print(f"  key {' or '.join(names)}: {meaning}")
    if environment.problem:
        print(f"behaviors: {environment.problem}")
    for name, text in environment.parameters.items():
        print(f"parameter {name}: {text}")


def _observations(behavior: Behavior) -> str:
    """Say "vector 8, camera 3x84x84"."""
    return ", ".join(f"{sensor.name} {'x'.join(map(str, sensor.shape))}".strip() for sensor in behavior.observations)


def _actions(behavior: Behavior) -> str:
    """Say "2 continuous, discrete 3+2"."""
    parts = [f"{behavior.continuous_actions} continuous"] if behavior.continuous_actions else []
    if behavior.discrete_branches:
        parts.append(f"discrete {'+'.join(map(str, behavior.discrete_branches))}")
    return ", ".join(parts) or "none"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"
