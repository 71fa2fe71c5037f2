"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Shapes and dtypes in annotations are checked while tests run.
install_import_hook(["mlagents.nn", "mlagents.algorithms", "mlagents.returns"], "beartype.beartype")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recorded files; tests that need it skip when it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("recorded data are not here")
    return folder
