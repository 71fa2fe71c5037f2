"""Experience from other machines: the local sampler inside Ray actors, behind the same protocol.

Ray places, restarts and carries. Samplers play on their own, with the newest weights that they were sent, for fractions
of a second; what they hand in counts when it arrives here, once. A sampler that is lost takes with it what it had not
handed in, and another begins in its place with new episodes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mlagents.data.segments import NEWEST, Segment, WeightsId
from mlagents.rollout.cluster import Cluster, ClusterError, Places, loss, refuse_other_versions
from mlagents.rollout.collected import Assignment, Collected, Sampling, Weights
from mlagents.rollout.env_pool import never
from mlagents.rollout.guard import Tolerance
from mlagents.rollout.lost_samplers import LostSamplers
from mlagents.rollout.parameters import ParameterValue
from mlagents.rollout.parcels import unpack
from mlagents.rollout.quota import Quota
from mlagents.rollout.remote_actor import Fault, Hello, Orders, RemoteSampler, Report
from mlagents.rollout.seat import Seat
from mlagents.rollout.source import EnvironmentSource
from mlagents.settings import EnvSettings, RaySettings
from mlagents_envs.base_env import BehaviorMapping, BehaviorSpec
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import hierarchical_timer

_log = get_logger(__name__)

_SLICE_S = 0.25
"""Samplers hand in what they have after so long: a call of Ray takes milliseconds, and nobody waits for long."""

_LOOK_UP_S = 0.2  # how often a driver that waits looks whether it shall stop
_IMPORT_S = 120.0  # for an actor to be placed, and to import what it needs
_SILENCE_S = 20.0  # until it is said that nobody has started
_CLOSE_S = 8.0


class ClusterSampler:
    """A `Sampler` whose environments are on the machines of a Ray cluster.

    Construction returns when all samplers have started their environments, or as many as could in time.

    Args:
      settings: which cluster, how many samplers, and how old experience may be.
      env: settings of environments.
      source: of the environments; environment i of sampler j is number j * envs_per_sampler + i, and has that seed.

    Raises:
      ClusterError: the cluster or a sampler cannot be used.
    """

    def __init__(self, settings: RaySettings, env: EnvSettings, source: EnvironmentSource) -> None:
        self._settings, self._env, self._source = settings, env, source
        self._specs: dict[str, BehaviorSpec] = {}
        self._missing: dict[str, BehaviorSpec] = {}
        self._added: dict[str, tuple[BehaviorSpec, Sampling]] = {}
        self._published: dict[WeightsId, tuple[int, Any]] = {}
        self._publications = 0
        self._versions: dict[str, int] = {}
        self._quotas: dict[str, Quota] = {}
        self._parameters: dict[str, ParameterValue] = {}
        self._assignment = Assignment()
        self._tolerances: dict[str, Tolerance] = defaultdict(Tolerance)
        self._taken: list[Collected] = []
        self._dropped = self._accepted = 0
        self._lost = LostSamplers(settings.num_samplers)
        self._cluster: Cluster | None = _connected(settings)
        self._ray = self._cluster.ray
        self._actor_class = self._ray.remote(**self._cluster.options())(RemoteSampler)
        self._seats = [Seat(index) for index in range(settings.num_samplers)]
        try:
            for seat in self._seats:
                self._place(seat)
            self._await_start()
        except BaseException:
            self.close()
            raise

    def _place(self, seat: Seat) -> None:
        environments = self._settings.envs_per_sampler
        actor = self._actor_class.remote(self._env, self._source, seat.index * environments, environments)
        seat.take(actor, actor.start.remote())

    def _await_start(self) -> None:
        """Wait for all samplers; as soon as one has started, for the others no longer than for an environment."""
        patience = self._env.timeout_wait
        begin = time.monotonic()
        until, silent = begin + _IMPORT_S + patience, True
        while time.monotonic() < until and not all(seat.started for seat in self._seats):
            self._receive()
            started = sum(seat.started for seat in self._seats)
            if started:
                until = min(until, time.monotonic() + patience)
            elif silent and time.monotonic() > begin + _SILENCE_S:
                silent = False
                _log.warning("No sampler has started yet; `ray status` says whether the cluster has room for them now.")
        self._say_who_started()

    def _say_who_started(self) -> None:
        started = sum(seat.started for seat in self._seats)
        if not started:
            raise ClusterError(
                f"No sampler could start within {_IMPORT_S + self._env.timeout_wait:g} s: the cluster may be busy with"
                " other work (see `ray status`), or --timeout-wait too short for the environment."
            )
        if started < len(self._seats):
            _log.warning("%d of %d samplers have started; the others join later.", started, len(self._seats))

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Fully qualified name -> spec of every behavior that a sampler has seen so far."""
        return BehaviorMapping(self._specs)

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Begin new episodes everywhere with these environment parameters, as soon as samplers hear of it."""
        self._parameters = dict(parameters)
        for seat in self._seats:
            seat.reset = True
            seat.parameters.clear()

    def missing(self) -> Mapping[str, BehaviorSpec]:
        """Return name and spec of the behaviors that samplers have seen and that were not added yet."""
        return {name: spec for name, spec in self._missing.items() if name not in self._added}

    def add(self, name: str, spec: BehaviorSpec, sampling: Sampling, weights: Weights) -> None:
        """Let agents of a behavior play."""
        self._added[name] = (spec, sampling)
        self.publish({WeightsId(name): weights})

    def publish(self, weights: Mapping[WeightsId, Weights]) -> None:
        """Put weights into the cluster's store, once; samplers get them with their next orders."""
        self._publications += 1
        reference = self._ray.put(dict(weights))
        for weights_id, found in weights.items():
            self._published[weights_id] = (self._publications, reference)
            if weights_id.snapshot == NEWEST:
                self._versions[weights_id.behavior] = found.version
                self._quotas.pop(weights_id.behavior, None)
                if found.wanted is not None:
                    self._quotas[weights_id.behavior] = Quota(found.wanted, self._settings.max_staleness)

    def apply(self, parameters: Mapping[str, ParameterValue], assignment: Assignment) -> None:
        """See `Sampler`."""
        self._parameters |= parameters
        if assignment.plays != self._assignment.plays:
            wanted = set(assignment.plays.values())
            self._published = {w: p for w, p in self._published.items() if w.snapshot == NEWEST or w in wanted}
        self._assignment = assignment._replace(reset=False)
        for seat in self._seats:
            seat.parameters |= parameters
        if assignment.reset:
            self.reset(self._parameters)

    def collect(self, stop: Callable[[], bool] = never) -> Sequence[Collected]:
        """Return what samplers have handed in; where no staleness is permitted, they pause while an update is due.

        Raises:
          ClusterError: a sampler failed in a way that would come again.
          TooManyFaults: numbers that are not finite have come too often, from all samplers together.
        """
        self._renew_quotas()
        while not stop():
            self._grant()
            with hierarchical_timer("environment"):
                self._receive()
            self._look_after()
            if self.missing():
                return []
            if self._taken and not self._awaits_more():
                self._grant()
                break
        taken, self._taken = self._taken, []
        return taken

    def _awaits_more(self) -> bool:
        """Return whether an update is due and others still play for it: what they play would be too old after it."""
        due = self._settings.max_staleness == 0 and any(quota.is_full for quota in self._quotas.values())
        return due and any(seat.is_playing for seat in self._seats)

    def _renew_quotas(self) -> None:
        """Ask for more if all that was asked for has come, and the caller collects again without new weights."""
        if not any(seat.is_playing for seat in self._seats):
            for quota in self._quotas.values():
                if not quota.share(0, 1):
                    quota.renew()

    def _grant(self) -> None:
        """Let samplers that wait for orders play, as far as what they would play is wanted."""
        idle = [seat for seat in self._seats if seat.is_idle]
        for place, seat in enumerate(idle):
            wanted = {}
            for name, quota in self._quotas.items():
                outstanding = sum(other.granted.get(name, 0) for other in self._seats)
                wanted[name] = quota.share(outstanding, len(idle) - place)
            if all(wanted.values()):
                self._order(seat, wanted)

    def _order(self, seat: Seat, wanted: dict[str, int]) -> None:
        new = {weights: found for weights, found in self._published.items() if seat.known.get(weights) != found[0]}
        references = {number: reference for number, reference in new.values()}
        add = {name: (spec, seat.own_stream(s)) for name, (spec, s) in self._added.items() if name not in seat.added}
        reset = self._parameters if seat.reset else None
        parameters = {} if seat.reset else dict(seat.parameters)
        orders = Orders(add, reset, parameters, self._assignment, wanted, _SLICE_S)
        seat.pending = seat.actor.play.remote(orders, *(references[number] for number in sorted(references)))
        seat.deadline, seat.late = time.monotonic() + _SLICE_S + self._env.timeout_wait, False
        seat.known.update({weights: number for weights, (number, _) in new.items()})
        seat.added |= add.keys()
        seat.reset = False
        seat.parameters.clear()
        seat.granted, seat.played_with = wanted, dict(self._versions)

    def _receive(self) -> None:
        """Wait for an answer, for a fraction of a second, and take in all that are there."""
        pending = {seat.pending: seat for seat in self._seats if seat.pending is not None}
        if not pending:
            time.sleep(_LOOK_UP_S)
            return
        references = list(pending)
        self._ray.wait(references, num_returns=1, timeout=_LOOK_UP_S)
        for reference in self._ray.wait(references, num_returns=len(references), timeout=0)[0]:
            self._take(pending[reference], reference)

    def _take(self, seat: Seat, reference: Any) -> None:
        seat.pending, seat.late = None, False
        seat.granted = {}
        try:
            found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # a defect of ours, whose traceback is of use
            raise error.cause from error
        except self._ray.exceptions.RayError as error:
            self._replace(seat, loss(error))
            return
        match found:
            case Fault():
                _log.debug("%s", found.details)
                raise ClusterError(f"Sampler {seat.index} on {found.node}: {found.message}")
            case Hello():
                self._greet(seat, found)
            case Report():
                self._lost.forget()
                self._unpack(seat, found)

    def _greet(self, seat: Seat, hello: Hello) -> None:
        refuse_other_versions(f"Sampler {seat.index}", hello.node, hello.versions)
        seat.started = True
        _log.debug("Sampler %d plays on %s.", seat.index, hello.node)

    def _unpack(self, seat: Seat, report: Report) -> None:
        self._specs.update({name: spec for name, spec in report.specs.items() if name not in self._specs})
        self._missing |= report.missing
        for behavior, message in report.not_finite:
            self._tolerances[behavior].use(message)
        for collected in unpack(report.parcel):
            seat.lanes = dict(collected.lanes)
            lanes = {name: sum(each.lanes.get(name, 0) for each in self._seats) for name in self._added}
            kept = [segment for segment in collected.segments if self._counts(seat, segment)]
            self._taken.append(collected._replace(segments=kept, lanes=lanes))

    def _counts(self, seat: Seat, segment: Segment) -> bool:
        """Return whether a segment is not too old for its learner, and count it."""
        name = segment.behavior.name
        quota = self._quotas.get(name)
        if quota is None:
            return True
        if self._versions[name] - seat.played_with[name] > self._settings.max_staleness:
            self._dropped += len(segment)
            return False
        quota.received += len(segment)
        self._accepted += len(segment)
        return True

    def _look_after(self) -> None:
        """Wait no longer for samplers that take too long, and replace those that do not answer at all."""
        now, patience = time.monotonic(), self._env.timeout_wait
        for seat in self._seats:
            if seat.pending is None or not seat.started or now < seat.deadline:
                continue
            if not seat.late:
                seat.late, seat.granted = True, {}
                _log.warning("Sampler %d has not answered for %g s; the others go on without it.", seat.index, patience)
            elif now > seat.deadline + 2 * patience:
                self._replace(seat, f"no answer for {3 * patience:g} s (--timeout-wait is {patience:g})")

    def _replace(self, seat: Seat, reason: str) -> None:
        """Put a fresh actor in the place of one that was lost, wherever Ray finds room for it."""
        self._lost.add(seat.index, reason)
        _log.warning("Sampler %d is lost, and another starts in its place: %s", seat.index, reason)
        self._ray.kill(seat.actor)  # Ray may have lost but the way to it
        self._place(seat)

    def weights_in_play(self) -> Collection[WeightsId]:
        """Return all weights that samplers may still play with."""
        return set(self._published)

    def state_dict(self) -> None:
        """Return None: the environments are on other machines, and a run goes on with new episodes there."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise an error: `state_dict` returns none.

        Raises:
          ValueError: always.
        """
        raise ValueError("its environments are on other machines now")

    def close(self) -> None:
        """Stop every environment and sampler, and a cluster that was started for them; harmless when called again."""
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return
        if self._dropped:
            share = 100 * self._dropped / (self._dropped + self._accepted)
            _log.info("%d decisions (%.1f %%) came too late for their update.", self._dropped, share)
        try:
            closing = [seat.actor.close.remote() for seat in self._seats if seat.started]
            if closing:
                self._ray.wait(closing, num_returns=len(closing), timeout=_CLOSE_S)
            for seat in self._seats:
                if seat.actor is not None:
                    self._ray.kill(seat.actor)
        finally:
            cluster.close()


def _connected(settings: RaySettings) -> Cluster:
    """Return a cluster that has room for the samplers."""
    assert settings.address is not None
    places = Places(
        "--num-samplers",
        settings.num_samplers,
        settings.cpus_per_sampler,
        settings.resources,
        "cpus_per_sampler or resources in ray_settings",
    )
    return Cluster(settings.address, places, settings.working_dir)
