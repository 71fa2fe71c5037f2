"""Reward signals, cloning and self-play of 2020: other names, other required keys, other defaults."""

from __future__ import annotations

from mlagents.settings.report import Report
from mlagents.settings.sections import Section, sections_of

_UPDATE_KEYS = ("reward_signal_num_update", "reward_signal_steps_per_update")
_SELF_PLAY_DEFAULTS = {"save_steps": 20000, "swap_steps": 20000, "team_change": 100000}
_GAIL_ENCODING_SIZE = 64


def upgrade_rewards(behavior: Section, report: Report) -> None:
    """Bring these sections of a behavior to their modern form, in place."""
    signals = behavior.get("reward_signals")
    if isinstance(signals, Section):
        for key in _UPDATE_KEYS:
            signals.pop(key, None)
        for name, signal in signals.items():
            if isinstance(signal, Section):
                _upgrade_signal(name, signal, report)
    for cloning in sections_of(behavior, "behavioral_cloning"):
        _require(cloning, ("strength", "steps"), report)
    for self_play in sections_of(behavior, "self_play"):
        for key, value in _SELF_PLAY_DEFAULTS.items():
            if key not in self_play:
                self_play.put(key, value, self_play.place)


def _upgrade_signal(name: str, signal: Section, report: Report) -> None:
    _require(signal, ("strength", "gamma"), report)
    if name == "curiosity":
        _require(signal, ("encoding_size",), report)
    if "encoding_size" in signal:
        signal.subsection("network_settings").take(signal, "encoding_size", "hidden_units")
        del signal["encoding_size"]
    elif name == "gail":
        signal.subsection("network_settings").put("hidden_units", _GAIL_ENCODING_SIZE, signal.place)


def _require(section: Section, keys: tuple[str, ...], report: Report) -> None:
    for key in keys:
        if key not in section:
            report.fault(section.place, f"missing key {key!r}")
