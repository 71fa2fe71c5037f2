"""Generated protobuf messages of the wire; see `generate.py`."""
