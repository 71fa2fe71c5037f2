"""Modules that users name on the command line."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType


def import_module(name: str) -> ModuleType:
    """Import a module, also from the current folder, which is not on the path of an installed command.

    Raises:
      ImportError: there is no such module, or one that it needs.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # at the end: nothing installed is hidden by it
    return importlib.import_module(name)
