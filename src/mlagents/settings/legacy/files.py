"""Which of the files of 2020 a file is; curricula and samplers stood in files of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlagents.settings.source.faults import FaultReport, Place
from mlagents.settings.source.sections import Section, sections_of
from mlagents.settings.source.yaml_source import read


@dataclass(frozen=True)
class Kind:
    """One kind of file beside the trainer file.

    Attributes:
        name: in messages.
        flag: destination of the flag that takes it.
        typed: that flag.
        marks: keys that only its sections have.
    """

    name: str
    flag: str
    typed: str
    marks: Collection[str]


CURRICULUM = Kind("curriculum", "curriculum_config_path", "--curriculum", ("thresholds", "min_lesson_length"))
SAMPLER = Kind("sampler", "sampler_file_path", "--sampler", ("sampler-type",))
KINDS = (CURRICULUM, SAMPLER)


def kind_of(tree: Mapping[str, object]) -> Kind | None:
    """Return which kind of file beside the trainer file this is; None if it is neither."""
    if "resampling-interval" in tree:
        return SAMPLER
    sections = [tree, *sections_of(tree)]
    return next((kind for kind in KINDS if any(set(kind.marks) & section.keys() for section in sections)), None)


def read_parameters(kind: Kind, path: Path, report: FaultReport) -> Section | None:
    """Return the mapping in a curriculum or sampler file, or None when there is none: the report then says why."""
    if path.is_dir():
        names = ", ".join(sorted(file.name for file in path.glob("*.json"))[:4])
        found = f" (here {names})" if names else ""
        report.fault(
            Place(str(path), ()),
            f"a folder; curricula before 0.15 were folders of one JSON file per behavior{found}. Write one YAML file"
            " with a section for each behavior, named like the behavior",
        )
        return None
    tree = read(path, report)
    report.settle_repeated(tolerated=True)
    if tree is not None and kind is CURRICULUM and set(kind.marks) & tree.keys():
        report.fault(
            tree.place,
            "the curriculum of one behavior, in the form before 0.15. Put all of it below the behavior's name:"
            f" `{path.stem}:` in a YAML file",
        )
        return None
    return tree
