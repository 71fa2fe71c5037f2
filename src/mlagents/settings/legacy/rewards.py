"""Reward signals, cloning and self-play of 2020: other names, other required keys, other defaults."""

from __future__ import annotations

from mlagents.settings.legacy.keys import correct_keys, leave_out_unknown, require
from mlagents.settings.schema import REWARD_SIGNALS, BehavioralCloningSettings, SelfPlaySettings
from mlagents.settings.source.faults import FaultReport
from mlagents.settings.source.sections import Section, sections_of

_UPDATE_KEYS = ("reward_signal_num_update", "reward_signal_steps_per_update")
_SIGNAL_KEYS = (
    "strength",
    "gamma",
    "encoding_size",
    "learning_rate",
    "demo_path",
    "demo_pairing",
    "use_actions",
    "use_vail",
)
_SELF_PLAY_DEFAULTS = {"save_steps": 20000, "swap_steps": 20000, "team_change": 100000}
_GAIL_ENCODING_SIZE = 64


def upgrade_rewards(behavior: Section, report: FaultReport) -> None:
    """Bring these sections of a behavior to their modern form, in place."""
    signals = behavior.get("reward_signals")
    if isinstance(signals, Section):
        for key in _UPDATE_KEYS:
            signals.pop(key, None)
        for name, signal in signals.items():
            if isinstance(signal, Section):
                _upgrade_signal(name, signal, report)
    for cloning in sections_of(behavior, "behavioral_cloning"):
        correct_keys(cloning, (*BehavioralCloningSettings.model_fields, "init_path"), report)
        require(cloning, ("strength", "steps"), cloning.place, report)
    for self_play in sections_of(behavior, "self_play"):
        leave_out_unknown(self_play, SelfPlaySettings.model_fields, report)
        for key, value in _SELF_PLAY_DEFAULTS.items():
            if key not in self_play:
                self_play.put(key, value, self_play.place)


def _upgrade_signal(name: str, signal: Section, report: FaultReport) -> None:
    if name not in REWARD_SIGNALS:
        return  # validation reports it
    known = REWARD_SIGNALS[name].model_fields
    sized = name in ("curiosity", "gail")
    correct_keys(signal, [key for key in _SIGNAL_KEYS if key in known or (sized and key == "encoding_size")], report)
    require(signal, ("strength", "gamma"), signal.place, report)
    if name == "curiosity":
        require(signal, ("encoding_size",), signal.place, report)
    if "encoding_size" in signal:
        signal.subsection("network_settings").take(signal, "encoding_size", "hidden_units")
        del signal["encoding_size"]
    elif name == "gail":
        signal.subsection("network_settings").put("hidden_units", _GAIL_ENCODING_SIZE, signal.place)
