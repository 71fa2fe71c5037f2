"""Behavior names as file names."""

from __future__ import annotations

import re

# What Windows, macOS or Linux refuse in a name, and '%', which starts an escape. Windows drops a dot or a
# blank at the end; escaping that also covers '.' and '..'.
_UNFIT = re.compile(r'[\x00-\x1f\x7f%/\\:*?"<>|]|[. ]\Z')
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])(\..*)?", re.IGNORECASE | re.DOTALL)


def safe_name(behavior: str) -> str:
    """A behavior's name as one component of a path, on every operating system.

    Ordinary names stay as they are. Unfit characters become `%XX` (`a/b` -> `a%2Fb`), so different behaviors
    get different names, and `urllib.parse.unquote` gives the behavior back. The empty name becomes `%`. Names
    that differ only in case share a file where the file system ignores case.
    """
    name = _UNFIT.sub(lambda match: _escaped(match.group()), behavior)
    if _RESERVED.fullmatch(name):
        return _escaped(name[0]) + name[1:]
    return name or "%"


def _escaped(character: str) -> str:
    return f"%{ord(character):02X}"
