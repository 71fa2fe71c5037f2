"""Samplers on a cluster of two nodes of this machine: what comes back is what this machine would have played."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.data.segments import NEWEST
from mlagents.nn.tensors import named_tensors
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.guard import TooManyFaults
from mlagents.rollout.sampler import LocalSampler
from mlagents.self_play.snapshot_league import SnapshotLeague
from mlagents.settings import RunSettings
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.cluster import Watched, cluster_sampler, train
from toys.remote import RaceSource, TellingSource, WalkSource
from toys.training import ppo_settings, sac_settings

pytestmark = pytest.mark.filterwarnings("default")  # Ray leaves sockets and files to the garbage collector


def test_one_sampler_without_staleness_trains_the_same_weights_as_this_machine(two_nodes):
    settings = ppo_settings(2500, {"buffer_size": 500, "num_epoch": 1}, time_horizon=8)
    pool = InlinePool(WalkSource("walk", 0).make(0, []), EnvironmentParametersChannel(), StatsSideChannel())
    here = train(LocalSampler(pool), settings).behaviors["Walk"].learner
    with cluster_sampler(two_nodes, WalkSource("walk", 0)) as sampler:
        there = train(sampler, settings).behaviors["Walk"].learner
    assert here.version == there.version >= 4
    ours, theirs = (named_tensors({"policy": learner.snapshot()}) for learner in (here, there))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        np.testing.assert_array_equal(tensor, theirs[name], err_msg=name)


class Aged(Watched):
    """A sampler that also counts how old the weights of each segment's first decision are when the learner gets it."""

    def __init__(self, sampler):
        super().__init__(sampler)
        self.ages = Counter()

    def collect(self, stop):
        found = super().collect(stop)
        newest = self._sampler._versions
        self.ages += Counter(newest[s.behavior.name] - s.version for collected in found for s in collected.segments)
        return found


@pytest.mark.slow
@pytest.mark.parametrize("staleness", [0, 1])
def test_experience_is_as_old_as_is_permitted(two_nodes, staleness):
    """Updates take a while, in which samplers that may, play on with the weights of before.

    Segments are of one decision. As on one machine, each agent has decided once more before an update, and hears what
    came of it after: one segment of each of the eight agents may be older, at every update.
    """
    settings = ppo_settings(4000, {"buffer_size": 400, "num_epoch": 30}, time_horizon=1)
    with cluster_sampler(two_nodes, WalkSource("walk", 0), num_samplers=2, max_staleness=staleness) as sampler:
        watched = Aged(sampler)
        learner = train(watched, settings).behaviors["Walk"].learner
    assert learner.version >= 5
    assert sum(count for age, count in watched.ages.items() if age > staleness) <= 8 * learner.version
    assert watched.ages[staleness] > 8 * learner.version


@pytest.mark.slow
def test_sac_takes_what_there_is(two_nodes):
    """Experience of any weights, and as many updates as `steps_per_update` asks for since `buffer_init_steps`."""
    settings = sac_settings(10**6, {"steps_per_update": 20}, time_horizon=8)
    with cluster_sampler(two_nodes, WalkSource("walk", 0), num_samplers=2) as sampler:
        watched = Watched(sampler)
        learner = (
            train(watched, settings, lambda: len({v for _, _, v in watched.segments}) > 5).behaviors["Walk"].learner
        )
    assert learner.steps == sum(length for _, length, _ in watched.segments)
    assert learner.updates == math.ceil((learner.steps - 200) / 20)


PARAMETERS = {
    "noise": {"sampler_type": "uniform", "sampler_parameters": {"min_value": 0.0, "max_value": 1.0}},
    "grade": {
        "curriculum": [
            {
                "name": "Easy",
                "value": 3.0,
                "completion_criteria": {"behavior": "Walk", "measure": "progress", "threshold": 0.5},
            },
            {"name": "Hard", "value": 4.0},
        ]
    },
}


def schedule(workers, interval=0):
    settings = RunSettings.model_validate({"default_settings": {}, "environment_parameters": PARAMETERS})
    return ParameterSchedule(settings.environment_parameters, 5, workers, interval)


def told(watched):
    """Return worker -> name -> values, in order and without repetitions, that environments were told."""
    found = defaultdict(lambda: defaultdict(list))
    for worker, statistics in watched.statistics:
        for name, values in statistics.items():
            for value, _ in values:
                if found[worker][name][-1:] != [value]:
                    found[worker][name].append(value)
    return found


@pytest.mark.slow
def test_every_environment_of_every_sampler_hears_what_it_would_hear_on_one_machine(two_nodes):
    """Seeds, lessons, samplers of parameters: the worker's number among all decides, wherever it plays."""
    settings = ppo_settings(6000, {"buffer_size": 400, "num_epoch": 1}, time_horizon=8)
    source = TellingSource("telling", 10)
    with cluster_sampler(two_nodes, source, num_samplers=2, envs_per_sampler=2) as sampler:
        watched = Watched(sampler)
        train(watched, settings, parameters=schedule(4))
    found = told(watched)
    assert {worker: names["seed"] for worker, names in found.items()} == {w: [10 + w] for w in range(4)}
    assert {worker: names["grade"] for worker, names in found.items()} == {w: [3, 4] for w in range(4)}
    noise = {worker: names["noise"] for worker, names in found.items()}
    assert noise == {worker: [5 + 100_003 * worker] for worker in range(4)}  # the sampler has the run's seed, 5


@pytest.mark.slow
def test_values_that_are_drawn_for_all_arrive_at_the_worker_they_are_for(two_nodes):
    """With a resampling interval the driver draws, for each worker, and all begin anew with each drawing."""
    settings = ppo_settings(4000, {"buffer_size": 400, "num_epoch": 1}, time_horizon=8)
    drawing = schedule(2, interval=300)
    expected = schedule(2, interval=300)
    with cluster_sampler(two_nodes, TellingSource("telling", 10), num_samplers=2) as sampler:
        watched = Watched(sampler)
        train(watched, settings, parameters=drawing)
    draws = [expected.draw()["noise"] for _ in range(drawing.state_dict()["draws"])]
    assert len(draws) > 2
    for worker, names in told(watched).items():
        ours = [float(np.float32(values[worker])) for values in draws]
        assert [value for value in ours if value in names["noise"]] == names["noise"]  # some may come and go unseen
        assert len(names["noise"]) > 2


@pytest.mark.slow
def test_numbers_that_are_not_finite_are_said_and_counted_for_all_samplers(two_nodes, caplog):
    settings = ppo_settings(10**6, {"buffer_size": 400, "num_epoch": 1}, time_horizon=8)
    source = TellingSource("telling", 10, broken_seed=11)
    expected = r"the reward of agent 2 in environment 1 is nan.*This was number 11"
    with cluster_sampler(two_nodes, source, num_samplers=2) as sampler, pytest.raises(TooManyFaults, match=expected):
        train(sampler, settings)
    assert "(10 of 10 before the run stops)" in caplog.text
    assert "environment 0" not in caplog.text


class Recording(SnapshotLeague):
    """A league that keeps who was ever to play with what."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.ever, self.snapshots = set(), set()

    def advance(self, steps, newest):
        move = super().advance(steps, newest)
        self.snapshots |= move.snapshots.keys()
        self.ever |= {(*who, weights) for who, weights in move.assignment.plays.items()}
        return move


@pytest.mark.slow
def test_opponents_of_self_play_are_those_of_the_worker(two_nodes):
    self_play = {"save_steps": 60, "team_change": 150, "swap_steps": 40, "window": 3}
    changes = {"self_play": self_play, "time_horizon": 7}
    settings = ppo_settings(3000, {"buffer_size": 64, "batch_size": 32, "num_epoch": 1}, **changes)
    league = Recording(2, np.random.default_rng(5))
    with cluster_sampler(two_nodes, RaceSource("race", 0), num_samplers=2) as sampler:
        watched = Watched(sampler)
        train(watched, settings, league=league)
    past = {(e.behavior, e.worker, e.weights) for e in watched.episodes if e.weights.snapshot != NEWEST}
    assert past <= league.ever
    assert {(behavior.team, worker) for behavior, worker, _ in past} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert len({weights for _, _, weights in past}) > 3
    assert {weights for _, _, weights in past} <= league.snapshots


@pytest.mark.slow
def test_samplers_are_where_their_resources_are(two_nodes):
    """Two need what only the second node has, and half a CPU each."""
    import ray
    from ray._private import state

    needs = {"resources": {"second": 1}, "cpus_per_sampler": 0.5}
    with cluster_sampler(two_nodes, WalkSource("walk", 0), num_samplers=2, **needs) as sampler:
        there = {state.actors(seat.actor._actor_id.hex())["Address"]["NodeID"] for seat in sampler._seats}
        free = ray.available_resources()
    assert there == {two_nodes.second.node_id}
    assert (free.get("second", 0), free["CPU"]) == (0, 2)
