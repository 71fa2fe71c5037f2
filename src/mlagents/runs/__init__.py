"""Runs as they lie on disk: found, told about, compared, drawn, packed and deleted. Nothing here trains."""
