"""A cluster for searches."""

from __future__ import annotations

from toys.cluster import two_nodes as two_nodes
