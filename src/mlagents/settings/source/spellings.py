"""Other names and places of keys that files of every generation may use."""

from __future__ import annotations

from mlagents.settings.source.faults import FaultReport
from mlagents.settings.source.sections import Section, sections_of


def respell_self_play(behavior: Section, report: FaultReport) -> None:
    """Rename self-play's ratio from its name of 0.15, in place."""
    for self_play in sections_of(behavior, "self_play"):
        respell(self_play, {"play_against_current_self_ratio": "play_against_latest_model_ratio"}, report)


def move_init_path(behavior: Section) -> None:
    """Move an `init_path` of cloning to the behavior, in place."""
    for cloning in sections_of(behavior, "behavioral_cloning"):
        if "init_path" in cloning:
            if "init_path" not in behavior:
                behavior.take(cloning, "init_path")
            del cloning["init_path"]


def respell(section: Section, spellings: dict[str, str], report: FaultReport) -> None:
    """Rename keys; both spellings at once are a fault."""
    for spelling, key in spellings.items():
        if spelling in section and key in section:
            report.fault(section.keys_at[spelling], f"the same as {key!r}, which is also given; keep one")
            del section[spelling]
        elif spelling in section:
            section.rename(spelling, key)
