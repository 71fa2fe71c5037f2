"""Statistics under the names that programs and plug-ins import."""

from mlagents.stats.older import StatsPropertyType, StatsReporter, StatsSummary, StatsWriter
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod

__all__ = ["StatsAggregationMethod", "StatsPropertyType", "StatsReporter", "StatsSummary", "StatsWriter"]
