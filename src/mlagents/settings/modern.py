"""Modern files: other spellings of known keys, and what behaviors take over from `default_settings`."""

from __future__ import annotations

from mlagents.settings.schema import hyperparameters_of
from mlagents.settings.schema.empty_sections import fill_empty_signals
from mlagents.settings.source.faults import FaultReport
from mlagents.settings.source.sections import Section, copied, sections_of
from mlagents.settings.source.spellings import move_init_path, respell, respell_self_play

_NETWORK_SPELLINGS = {"vis_encoder_type": "vis_encode_type", "conditioning_type": "goal_conditioning_type"}


def normalise(tree: Section, report: FaultReport) -> None:
    """Bring every known spelling of a key to the one of the schema, in place."""
    for behavior in sections_of(tree.get("behaviors")):
        normalise_behavior(behavior, report)
    for behavior in sections_of(tree, "default_settings"):
        normalise_behavior(behavior, report)


def normalise_behavior(behavior: Section, report: FaultReport) -> None:
    """Do the same for one behavior."""
    if "framework" in behavior:
        report.warn(behavior.keys_at["framework"], "ignored: there is only one framework")
        del behavior["framework"]
    respell(behavior, {"behavior_cloning": "behavioral_cloning"}, report)
    for network in sections_of(behavior, "network_settings"):
        respell(network, _NETWORK_SPELLINGS, report)
    for signal in sections_of(behavior.get("reward_signals")):
        _encoding_size(signal, report)
        for network in sections_of(signal, "network_settings"):
            respell(network, _NETWORK_SPELLINGS, report)
    respell_self_play(behavior, report)
    move_init_path(behavior)


def _encoding_size(signal: Section, report: FaultReport) -> None:
    if "encoding_size" not in signal:
        return
    at = signal.keys_at["encoding_size"]
    if "network_settings" in signal:
        report.warn(at, "ignored: network_settings says it (hidden_units)")
    else:
        report.warn(at, "deprecated: write `network_settings: {hidden_units: ...}`")
        signal.subsection("network_settings").take(signal, "encoding_size", "hidden_units")
    del signal["encoding_size"]


def inherit(tree: Section) -> None:
    """Complete each behavior by `default_settings`, key by key through nested mappings, in place."""
    default, behaviors = tree.get("default_settings"), tree.get("behaviors")
    if isinstance(default, Section) and isinstance(behaviors, Section):
        for name, behavior in behaviors.items():
            if isinstance(behavior, Section):
                behaviors[name] = _completed(_relevant(default, behavior), behavior)
    fill_empty_signals(tree)


def _relevant(default: Section, behavior: Section) -> Section:
    """Return the defaults without hyperparameters that the behavior's own trainer does not have."""
    trainer = str(behavior.get("trainer_type", default.get("trainer_type", "ppo")))
    relevant: Section = copied(default)
    hyperparameters = relevant.get("hyperparameters")
    if trainer != str(default.get("trainer_type", "ppo")) and isinstance(hyperparameters, Section):
        chosen = hyperparameters_of(trainer)
        known = {} if chosen is None else chosen.model_fields
        for key in [key for key in hyperparameters if key not in known]:
            del hyperparameters[key]
    return relevant


def _completed(base: Section, over: Section) -> Section:
    completed = Section(over.place)
    for key in over:
        completed.take(over, key)
    for key, inherited in base.items():
        own = over.get(key)
        if key not in over:
            completed.take(base, key)
        elif isinstance(inherited, Section) and isinstance(own, Section):
            merged = _completed(inherited, own)
            if key == "reward_signals":
                _take_back(merged, inherited)
            completed[key] = merged
    return completed


def _take_back(signals: Section, inherited: Section) -> None:
    """Take back signals of the defaults whose name stands over null: the behavior does without them."""
    for name in inherited:
        if signals[name] is None:
            del signals[name]
