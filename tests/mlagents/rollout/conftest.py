"""Makes `pool_environments` importable, here and in worker processes, which get this `sys.path`; a cluster."""

from __future__ import annotations

import sys
from pathlib import Path

from toys.cluster import two_nodes as two_nodes

sys.path.append(str(Path(__file__).parent))
