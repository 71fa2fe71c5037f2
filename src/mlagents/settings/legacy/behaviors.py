"""Trainer files of 2020: a flat section per behavior, completed by `default`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from mlagents.settings.legacy.keys import leave_out_unknown
from mlagents.settings.legacy.rewards import upgrade_rewards
from mlagents.settings.schema import TRAINER_TYPES, BehaviorSettings, NetworkSettings, hyperparameters_of
from mlagents.settings.source.faults import FaultReport, KeyPath, Place, did_you_mean, shown
from mlagents.settings.source.scalars import number, switch, whole
from mlagents.settings.source.sections import Section, copied, located, sections_of
from mlagents.settings.source.spellings import move_init_path, respell, respell_self_play

_NETWORK = ("normalize", "hidden_units", "num_layers", "vis_encode_type")
_BEHAVIOR = ("max_steps", "time_horizon", "summary_freq", "init_path", "threaded", "keep_checkpoints")
_NESTED = ("reward_signals", "behavioral_cloning", "self_play")
_MEMORY = ("use_recurrent", "sequence_length", "memory_size", "burn_in_ratio")
_UPDATES = ("num_update", "train_interval")
_WITHOUT_EFFECT = {
    "summary_path": "the run decides where summaries go",
    "model_path": "the run decides where models go",
}
_SPELLINGS = {"vis_encoder_type": "vis_encode_type", "behavior_cloning": "behavioral_cloning"}

_OLD_NAMES = {
    "pretraining": "it became `behavioral_cloning`",
    "gamma": "each signal in `reward_signals` has its own",
    **dict.fromkeys(
        ("use_curiosity", "curiosity_strength", "curiosity_enc_size"), "it became `curiosity` in `reward_signals`"
    ),
}
_BEFORE_0_9 = ("gamma", "use_curiosity", "curiosity_strength", "curiosity_enc_size")
_OF_2020 = {"trainer": "ppo", "summary_freq": 10000, "sequence_length": 64, "memory_size": 128}
"""Documented defaults that the schema does not have, or has elsewhere."""
_SAVE_FREQ = 50_000
_EXTRINSIC = {"extrinsic": {"strength": 1.0, "gamma": 0.99}}

_REQUIRED = (*_NETWORK[:3], *_BEHAVIOR[:3], "batch_size", "buffer_size", "learning_rate", "reward_signals")
_REQUIRED_BY_TRAINER = {
    "ppo": ("beta", "epsilon", "lambd", "num_epoch"),
    "sac": ("buffer_init_steps", "init_entcoef", "tau", "steps_per_update"),
}


def flat_keys() -> set[str]:
    """Return the keys that stand directly in a section of 2020, but not directly in a modern behavior."""
    hyperparameters = (key for settings in TRAINER_TYPES.values() for key in settings.model_fields)
    return {"trainer", *_NETWORK, *_MEMORY, *_UPDATES, *_WITHOUT_EFFECT, *_SPELLINGS, *hyperparameters}


def is_flat(tree: Mapping[str, object], modern_keys: set[str]) -> bool:
    """Return whether a trainer file has the form of 2020."""
    if modern_keys & tree.keys():
        return False
    keys = flat_keys()
    return "default" in tree or any(
        isinstance(section, Mapping) and not keys.isdisjoint(section) for section in tree.values()
    )


def upgrade_behaviors(flat: Section, report: FaultReport) -> Section:
    """Return the modern mapping (`behaviors`, `default_settings`) of a flat trainer file; its keys get corrected."""
    for name in [name for name in flat if flat[name] is None]:
        flat[name] = Section(flat.keys_at[name])
    _correct_keys(flat, report)
    tree = Section(flat.place)
    checkpoints = tree.subsection("checkpoint_settings")
    checkpoints.put("save_freq", _SAVE_FREQ, checkpoints.place)
    behaviors = tree.subsection("behaviors")
    default = flat.get("default")
    if "default" in flat and not isinstance(default, Section):
        report.fault(flat.values_at["default"], f"expected a mapping (got {shown(default)})")
        default = None
    for name in flat:
        section = _resolved(flat, name, report) if name != "default" else None
        if section is not None:
            at = flat.keys_at[name]
            merged = _merged(default, section)
            converter = _Converter(merged, at, ("behaviors", name), report, _no_default(flat))
            behaviors.put(name, converter.convert(), at, flat.values_at[name])
    if default is not None:
        _default_settings(tree, flat, default, report)
    return tree


def _correct_keys(flat: Section, report: FaultReport) -> None:
    """Leave out what 2020 did not know; a slip in the name of a key that is missing for it is a fault."""
    known = sorted({*flat_keys(), *_BEHAVIOR, *_NESTED})
    needed = {"trainer", *_REQUIRED, *(key for keys in _REQUIRED_BY_TRAINER.values() for key in keys)}
    default, sections = sections_of(flat, "default"), sections_of(flat)
    _refuse_before_0_9(flat, report)
    for written in sections:
        respell(written, _SPELLINGS, report)
        completing = [other for other in sections if other not in default] if written in default else default
        given = set.intersection(*map(set, completing)) if completing else set()
        leave_out_unknown(written, known, report, needed - given, _OLD_NAMES)


def _refuse_before_0_9(flat: Section, report: FaultReport) -> None:
    """Say once for the whole file that rewards were written otherwise before 0.9."""
    default = flat.get("default")
    shared = default if isinstance(default, Section) else {}
    old = [
        (section, key)
        for section in sections_of(flat)
        if "reward_signals" not in {*section, *shared}
        for key in _BEFORE_0_9
        if key in section
    ]
    if not old:
        return
    first, key = old[0]
    names = ", ".join(name for name in _BEFORE_0_9 if any(name == key for _, key in old))
    report.fault(
        first.keys_at[key],
        f"a file from before 0.9: move {names} into `reward_signals`, in this and every other section, as in"
        " `reward_signals: {extrinsic: {strength: 1.0, gamma: 0.99}}`",
    )
    for section, key in old:
        del section[key]
        if "reward_signals" not in section:
            section.put("reward_signals", located(_EXTRINSIC, section.place), section.place)


def _default_settings(tree: Section, flat: Section, default: Section, report: FaultReport) -> None:
    """Let `default` also serve behaviors without a section."""
    at = flat.keys_at["default"]
    converter = _Converter(copied(default), at, ("default_settings",), report)
    tree.put("default_settings", converter.convert(), at, flat.values_at["default"])


def _resolved(flat: Section, name: str, report: FaultReport) -> Section | None:
    """Return the section of a behavior; text names the section to use instead."""
    chain = [name]
    while isinstance(flat[chain[-1]], str):
        target = flat[chain[-1]]
        at = flat.values_at[chain[-1]]
        if target in chain:
            report.fault(at, f"names go in a circle: {' -> '.join([*chain, target])}")
            return None
        if target not in flat:
            near = did_you_mean(get_close_matches(target, flat, n=2))
            report.fault(at, f"no section {target!r} (expected a mapping, or the name of a section){near}")
            return None
        chain.append(target)
    found = flat[chain[-1]]
    if isinstance(found, Section):
        return found
    if chain[-1] != "default":
        report.fault(flat.values_at[chain[-1]], f"expected a mapping, or the name of a section (got {shown(found)})")
    return None


def _merged(default: Section | None, section: Section) -> Section:
    """Merge one level deep, as 2020 did: a behavior's `reward_signals` replace those of `default`."""
    merged = Section(section.place)
    for source in (default, section):
        if source is not None:
            own: Section = copied(source)
            for key in own:
                merged.take(own, key)
    return merged


def _missing(section: Section) -> list[str]:
    """Return the required keys that a (merged) section lacks."""
    trainer = section.get("trainer")
    required = ("trainer", *_REQUIRED, *_REQUIRED_BY_TRAINER.get(str(trainer), ()))
    given = set(section)
    if given & set(_UPDATES):
        given.add("steps_per_update")
    if _is_on(section.get("use_recurrent", False)):
        required = (*required, *_MEMORY[1:3])
    return [key for key in required if key not in given or (key in section and section[key] is None)]


def _is_on(value: object) -> bool:
    try:
        return switch(value)
    except ValueError:
        return False


def _documented(key: str, trainer: str) -> object:
    """Return the default of a key that 2020 required, from its documentation."""
    if key == "reward_signals":
        return located(_EXTRINSIC, Place("default", ()))
    if key in _OF_2020:
        return _OF_2020[key]
    chosen = hyperparameters_of(trainer) or TRAINER_TYPES["ppo"]
    fields = {**BehaviorSettings.model_fields, **NetworkSettings.model_fields, **chosen.model_fields}
    return fields[key].default


def _in_words(value: object) -> str:
    return "extrinsic with strength 1.0 and gamma 0.99" if isinstance(value, Section) else str(value).lower()


def _no_default(flat: Section) -> str:
    if "default" in flat:
        return ""
    return f"; there is no `default` section{did_you_mean(get_close_matches('default', flat, n=1))}"


@dataclass
class _Converter:
    """Converts one merged section; `at` is its name in the file, `path` its place in the modern mapping."""

    section: Section
    at: Place
    path: KeyPath
    report: FaultReport
    hint: str = ""

    def convert(self) -> Section:
        out = Section(self.section.place)
        self._complete()
        trainer = self.section.get("trainer")
        if trainer == "offline_bc":
            self.report.fault(
                self.section.values_at["trainer"],
                "the trainer 'offline_bc' no longer exists; "
                "use `behavioral_cloning`, or the reward signal `gail`, with ppo or sac",
            )
            self.report.doubtful.add((*self.path, "trainer_type"))
        elif "trainer" in self.section:
            out.take(self.section, "trainer", "trainer_type")
        self._hyperparameters(out, str(trainer))
        self._network(out)
        for key in (*_BEHAVIOR, *_NESTED):
            if key in self.section:
                out.take(self.section, key)
        for key, why in _WITHOUT_EFFECT.items():
            if self.section.get(key):
                self.report.warn(self.section.keys_at[key], f"ignored: {why}")
        respell_self_play(out, self.report)
        upgrade_rewards(out, self.report)
        move_init_path(out)
        return out

    def _complete(self) -> None:
        """Put the documented defaults of keys that 2020 required."""
        missing = _missing(self.section)
        if not missing:
            return
        trainer = str(self.section.get("trainer", "ppo"))
        for key in missing:
            self.section.put(key, _documented(key, trainer), self.at)
        values = ", ".join(f"{key} {_in_words(self.section[key])}" for key in missing)
        self.report.tolerate(
            self.at,
            f"lacks {', '.join(missing)}, which trainer {trainer} required in 2020{self.hint}",
            f"the documented defaults count: {values}",
        )

    def _hyperparameters(self, out: Section, trainer: str) -> None:
        """Return the keys that only other trainers have are left out: `default` may serve several."""
        chosen = hyperparameters_of(trainer)
        if chosen is None:
            return
        found = out.subsection("hyperparameters")
        for key in chosen.model_fields:
            if key in self.section:
                found.take(self.section, key)
        if trainer == "ppo":
            for schedule in ("beta_schedule", "epsilon_schedule"):
                if schedule not in found:
                    found.put(schedule, "linear", self.at)
        if trainer == "sac":
            self._steps_per_update(found)

    def _steps_per_update(self, found: Section) -> None:
        """Return steps per update: 0.15 counts updates per event and steps between events."""
        interval, updates = self._positive("train_interval"), self._positive("num_update")
        given = next((key for key in _UPDATES if key in self.section), None)
        if given and "steps_per_update" not in found:
            found.take(self.section, given, "steps_per_update", interval / updates)
        signals = self.section.get("reward_signals")
        if not isinstance(signals, Section):
            return
        if "reward_signal_num_update" in signals:
            updates = _positive(signals, "reward_signal_num_update", self.report)
            found.take(signals, "reward_signal_num_update", "reward_signal_steps_per_update", interval / updates)
        if "reward_signal_steps_per_update" in signals:
            found.take(signals, "reward_signal_steps_per_update")

    def _positive(self, key: str) -> float:
        return _positive(self.section, key, self.report)

    def _network(self, out: Section) -> None:
        network = out.subsection("network_settings")
        for key in _NETWORK:
            if key in self.section:
                network.take(self.section, key)
        self._at_least_one_layer(network)
        if "use_recurrent" not in self.section or not self._is_recurrent():
            return
        memory = Section(self.section.values_at["use_recurrent"])
        network.put("memory", memory, self.section.keys_at["use_recurrent"])
        for key in ("sequence_length", "memory_size"):
            memory.take(self.section, key)
        if "burn_in_ratio" in self.section:
            memory.take(self.section, "burn_in_ratio")

    def _is_recurrent(self) -> bool:
        try:
            return switch(self.section["use_recurrent"])
        except ValueError:
            got = shown(self.section["use_recurrent"])
            self.report.fault(
                self.section.values_at["use_recurrent"], f"wrong type (got {got}, expected true or false)"
            )
            return False

    def _at_least_one_layer(self, network: Section) -> None:
        try:
            if "num_layers" in network and whole(network["num_layers"]) < 1:
                self.report.warn(network.keys_at["num_layers"], "read as 1: there is always one layer")
                network["num_layers"] = 1
        except ValueError:
            return  # validation reports it


def _positive(section: Section, key: str, report: FaultReport) -> float:
    """Return a number above 0; 1 when the key is absent or (reported) wrong."""
    try:
        value = float(number(section.get(key, 1)))
    except (ValueError, OverflowError):
        value = 0.0
    if not value > 0:
        report.fault(section.values_at[key], f"out of bounds (got {shown(section[key])}, expected a number > 0)")
        return 1.0
    return value
