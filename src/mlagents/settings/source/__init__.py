"""Text as sections whose every entry knows its place, and the faults found in them."""
