"""A sampler's side: what runs inside a Ray actor, on whichever machine. Nothing heavy is imported before it starts."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mlagents_envs.user_errors import describe

if TYPE_CHECKING:
    from mlagents.data.segments import WeightsId
    from mlagents.rollout.collected import Assignment, Collected, Sampling, Weights
    from mlagents.rollout.parameters import ParameterValue
    from mlagents.rollout.parcels import Parcel
    from mlagents.rollout.sampler import LocalSampler
    from mlagents.rollout.source import EnvironmentSource
    from mlagents.settings import EnvSettings
    from mlagents_envs.base_env import BehaviorSpec


class Fault(NamedTuple):
    """Why a sampler cannot go on: the fault is the environment's or the user's, and would come again elsewhere.

    Attributes:
      node: address of its machine.
      message: for users. details: a traceback, for `--debug`; "" where the message says all.
    """

    node: str
    message: str
    details: str


class Hello(NamedTuple):
    """How a sampler introduces itself when its environments are started.

    Attributes:
      node: address of its machine.
      versions: of what must be the same everywhere, by name.
    """

    node: str
    versions: Mapping[str, str]


class Orders(NamedTuple):
    """What a sampler is to do before it plays on, and for how long it plays.

    Attributes:
      add: behaviors that begin to play, by name.
      reset: parameters with which all episodes begin anew; None to go on.
      parameters: those that change.
      assignment: who plays with which weights from the next episode on.
      wanted: behavior name -> decisions after which it hands in what it has.
      seconds: after which it does so in any case.
    """

    add: Mapping[str, tuple[BehaviorSpec, Sampling]]
    reset: Mapping[str, ParameterValue] | None
    parameters: Mapping[str, ParameterValue]
    assignment: Assignment
    wanted: Mapping[str, int]
    seconds: float


class Report(NamedTuple):
    """What a sampler hands in.

    Attributes:
      parcel: what was collected. missing: behaviors that wait for their first weights.
      specs: of all behaviors seen so far, by fully qualified name.
      not_finite: behavior and what was found, for every time that numbers were not finite.
    """

    parcel: Parcel
    missing: Mapping[str, BehaviorSpec]
    specs: Mapping[str, BehaviorSpec]
    not_finite: Sequence[tuple[str, str]]


class RemoteSampler:
    """The local sampler of one actor, driven by `Orders`.

    Args:
      env: settings of environments. source: of the run's environments.
      first_worker: number of its first environment. num_envs: how many it has.
    """

    def __init__(self, env: EnvSettings, source: EnvironmentSource, first_worker: int, num_envs: int) -> None:
        self._env, self._first_worker, self._num_envs = env, first_worker, num_envs
        self._source = replace(
            source,
            seed=source.seed + first_worker,
            base_port=None if source.base_port is None else source.base_port + first_worker,
            no_graphics=source.no_graphics or (source.no_graphics_monitor and first_worker > 0),
            no_graphics_monitor=source.no_graphics_monitor and first_worker == 0,
        )
        self._sampler: LocalSampler | None = None
        self._not_finite: list[tuple[str, str]] = []

    def _note_fault(self, behavior: str, message: str) -> None:
        """Keep what the driver says and counts, for all samplers together."""
        self._not_finite.append((behavior, message))

    def start(self) -> Hello | Fault:
        """Start the environments; blocks until they answer."""
        from mlagents import process

        process.configure()
        import ray

        from mlagents.rollout.cluster import versions
        from mlagents.rollout.pools import make_pool
        from mlagents.rollout.sampler import LocalSampler

        try:
            pool = make_pool(self._env, self._source, self._num_envs)
        except Exception as error:
            return _fault(error)
        self._sampler = LocalSampler(pool, self._first_worker, self._note_fault)
        return Hello(ray.util.get_node_ip_address(), versions())

    def play(self, orders: Orders, *weights: Mapping[WeightsId, Weights]) -> Report | Fault:
        """Follow the orders, play, and hand in what was collected.

        Args:
          orders: see there.
          weights: to act with; later ones replace earlier ones.
        """
        assert self._sampler is not None
        try:
            return self._play(self._sampler, orders, weights)
        except Exception as error:
            return _fault(error)

    def _play(self, sampler: LocalSampler, orders: Orders, weights: Sequence[Mapping[WeightsId, Weights]]) -> Report:
        from mlagents.data.segments import WeightsId
        from mlagents.rollout.parcels import pack

        found = {weights_id: value for published in weights for weights_id, value in published.items()}
        for name, (spec, sampling) in orders.add.items():
            sampler.add(name, spec, sampling, found[WeightsId(name)])
        sampler.publish(found)
        if orders.reset is not None:
            sampler.reset(orders.reset)
        sampler.apply(orders.parameters, orders.assignment)
        parcel = pack(list(_rounds(sampler, orders)))
        not_finite, self._not_finite = self._not_finite, []
        return Report(parcel, dict(sampler.missing()), dict(sampler.behavior_specs), not_finite)

    def close(self) -> None:
        """Stop the environments."""
        if self._sampler is not None:
            self._sampler.close()


def _rounds(sampler: LocalSampler, orders: Orders) -> Iterator[Collected]:
    """Play as long as ordered; yield owned copies, of which each but the last tells more than that time went by."""
    from mlagents.data.segments import NEWEST

    end = time.monotonic() + orders.seconds
    played: Counter[str] = Counter()
    silent_steps = 0
    last: Collected | None = None
    while time.monotonic() < end and not sampler.missing():
        for collected in sampler.collect(lambda: time.monotonic() > end):
            last = collected._replace(segments=(), episodes=(), statistics=(), environment_steps=0)
            silent_steps += collected.environment_steps
            if collected.segments or collected.episodes or any(found for _, found in collected.statistics):
                owned = [segment.owned() for segment in collected.segments if segment.weights.snapshot == NEWEST]
                yield collected._replace(segments=owned, environment_steps=silent_steps)
                silent_steps = 0
                for segment in owned:
                    played[segment.behavior.name] += len(segment)
        if any(played[name] >= decisions for name, decisions in orders.wanted.items()):
            break
    if silent_steps and last is not None:
        yield last._replace(environment_steps=silent_steps)


def _fault(error: Exception) -> Fault:
    import ray

    from mlagents.rollout.source import UnknownEnvironment
    from mlagents_envs.exception import UnityException

    node, details = ray.util.get_node_ip_address(), "".join(traceback.format_exception(error))
    if isinstance(error, UnknownEnvironment):
        what = str(error).splitlines()[0]
        where = "An environment must be on all nodes, under this path, or in working_dir of ray_settings."
        return Fault(node, f"{what}. {where}", details)
    return Fault(node, str(error) if isinstance(error, UnityException) else describe(error), details)
