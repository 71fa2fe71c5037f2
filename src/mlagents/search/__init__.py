"""Many runs in search of better settings: which values to try, how good each run is, what came of all."""

METRICS = ("reward", "rating", "steps-to-benchmark")
"""What a search can look for."""
