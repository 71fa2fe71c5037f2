"""What a measured run is bound by, and what would make it faster."""

from __future__ import annotations

from collections.abc import Iterator

from mlagents.preflight.findings import Finding, Level, in_words
from mlagents.preflight.measure import Measurement
from mlagents.settings import RunSettings
from mlagents.training.bottleneck import ACTING, ENVIRONMENT


def advise(found: Measurement, settings: RunSettings, cores: float) -> Iterator[Finding]:
    """Yield what a measurement says.

    Args:
      found: with these settings.
      settings: of the run.
      cores: that may be used.
    """
    if found.updates:
        rate = f"{found.steps_per_second:,.0f} steps per second, {_updates(found.updates)} in {found.seconds:.1f} s"
        yield Finding("speed", Level.OK, rate)
    else:
        text = f"no update within {found.seconds:.0f} s of measuring: its speed is without learning"
        yield Finding("speed", Level.NOTE, text, "buffer_size is large here; --seconds measures longer.")
    yield Finding(
        "speed",
        Level.OK,
        f"started in {found.start_s:.1f} s, compiled its updates in {found.compile_s:.1f} s (kept for later runs)",
    )
    yield Finding("memory", Level.OK, f"{in_words(found.memory_bytes)} in use while it trained, environments included")
    shares = found.shares
    if shares.bound_by is not None:
        yield Finding("bound by", Level.OK, str(shares).removeprefix("Bound by: "), _faster(found, settings, cores))


def _updates(number: int) -> str:
    return f"{number} update" if number == 1 else f"{number} updates"


def _faster(found: Measurement, settings: RunSettings, cores: float) -> str:
    """Say what would be worth trying; `--autotune` measures it."""
    num_envs = settings.env_settings.num_envs
    if found.shares.bound_by == ENVIRONMENT:
        if num_envs < cores and settings.env_settings.env_path is not None:
            return f"--num-envs {int(cores)}: environments then step beside each other, on {cores:g} cores."
        return "More --num-areas share the cost of a step among more agents; a faster environment helps most."
    if found.shares.bound_by == ACTING:
        return "More --num-areas: agents decide together, at little more cost than one; smaller networks act faster."
    idle = cores - num_envs
    beside = (
        "threaded: true (what is learned from comes in meanwhile), " if idle >= 1 and not _threaded(settings) else ""
    )
    threads = f"NPROC={int(idle)} OMP_NUM_THREADS={int(idle)} (more threads) or " if idle >= 2 else ""
    return (
        f"{beside}{threads}fewer num_epoch, a larger batch_size, smaller networks; --device gpu where there are images."
    )


def _threaded(settings: RunSettings) -> bool:
    sections = [*settings.behaviors.values(), *filter(None, (settings.default_settings,))]
    return any(section.threaded for section in sections)
