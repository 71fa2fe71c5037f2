"""Statistics that environments send, through channel, pool, loop and summaries."""

from __future__ import annotations

from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.stats import Aggregation, Statistics
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.incoming_message import IncomingMessage
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel, encode_stat
from toys.training import make_loop, ppo_settings
from toys.walk import Walk


class Telling(Walk):
    """At its n-th step it sends n under the name of every method."""

    def __init__(self, channel):
        super().__init__(agents=2)
        self._channel, self._count = channel, 0

    def step(self):
        super().step()
        self._count += 1
        for method in StatsAggregationMethod:
            message = IncomingMessage(encode_stat(method.name, float(self._count), method))
            self._channel.on_message_received(message)


class Kept:
    def __init__(self):
        self.summaries = {}

    def write(self, behavior, step, summaries):
        self.summaries[step] = summaries

    def text(self, behavior, name, value):
        pass

    def close(self):
        pass


def test_every_aggregation_method():
    channel, kept = StatsSideChannel(), Kept()
    settings = ppo_settings(150, summary_freq=100, time_horizon=5)
    loop = make_loop(Telling(channel), settings, statistics=Statistics([kept]))
    env = loop._sampler._pool._env
    loop._sampler = LocalSampler(InlinePool(env, EnvironmentParametersChannel(), channel))
    loop.run(lambda: False)
    found = kept.summaries[100]
    values = sorted(found["SUM"].values.tolist())
    assert values == [float(n) for n in range(1, len(values) + 1)]
    assert found["SUM"].value == sum(values)
    assert found["AVERAGE"].value == sum(values) / len(values)
    assert found["MOST_RECENT"].value == values[-1]
    assert found["HISTOGRAM"].aggregation is Aggregation.HISTOGRAM
    assert sorted(found["HISTOGRAM"].values.tolist()) == values


def test_most_recent_is_taken_from_worker_0_only():
    kept = Kept()
    loop = make_loop(Walk(agents=2), ppo_settings(150, summary_freq=100, time_horizon=5), statistics=Statistics([kept]))
    recent, average = StatsAggregationMethod.MOST_RECENT, StatsAggregationMethod.AVERAGE
    told = [(worker, {"r": [(float(worker), recent)], "a": [(float(worker), average)]}) for worker in (0, 1)]
    loop._sampler._pool.statistics = lambda: told
    loop.run(lambda: False)
    assert kept.summaries[100]["r"].value == 0.0
    assert kept.summaries[100]["a"].value == 0.5
