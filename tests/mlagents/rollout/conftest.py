"""Makes `pool_environments` importable, here and in worker processes, which get this `sys.path`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
