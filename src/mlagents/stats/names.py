"""Behavior names as file names."""

from __future__ import annotations

import hashlib
import re

# What Windows, macOS or Linux refuse in a name, and '%', which starts an escape. Windows drops a dot or a
# blank at the end; escaping that also covers '.' and '..'.
_UNFIT = re.compile(r'[\x00-\x1f\x7f%/\\:*?"<>|]|[. ]\Z')
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)

# What a run writes beside the folders of its behaviors.
_OUR_SUFFIX = re.compile(r"\.(?=(csv|json|jsonl|lock|nn|onnx|safetensors|yaml)\Z)", re.IGNORECASE)
_OUR_FOLDER = re.compile(r"r(?=un_logs\Z)", re.IGNORECASE)

LONGEST_BYTES = 120
"""Of a behavior's name in a path, in UTF-8: file systems take 255 for all that a run makes of it."""


def safe_name(behavior: str) -> str:
    """Return a behavior's name as one component of a path, on every operating system.

    Ordinary names stay as they are. Unfit characters become `%XX` (`a/b` -> `a%2Fb`), so different behaviors
    get different names, and `urllib.parse.unquote` gives the behavior back. Names that files of a run have are
    escaped as well (`a.onnx` -> `a%2Eonnx`). The empty name becomes `%`. Of a name longer than `LONGEST_BYTES` the
    beginning is left, with `~` and a hash of the whole. Names that differ only in case share a file where the file
    system ignores case.
    """
    name = _UNFIT.sub(lambda match: _escaped(match.group()), behavior)
    name = _OUR_SUFFIX.sub("%2E", name)
    if _RESERVED.fullmatch(name) or _OUR_FOLDER.match(name):
        name = _escaped(name[0]) + name[1:]
    return _shortened(name) or "%"


def is_portable(name: str) -> bool:
    """Return whether a name can be one component of a path on every operating system, as it is."""
    return bool(name) and not _UNFIT.search(name.replace("%", "")) and not _RESERVED.fullmatch(name)


def _shortened(name: str) -> str:
    data = name.encode("utf-8", "surrogatepass")
    if len(data) <= LONGEST_BYTES:
        return name
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{data[: LONGEST_BYTES - len(digest) - 1].decode('utf-8', 'ignore')}~{digest}"


def _escaped(character: str) -> str:
    return f"%{ord(character):02X}"
