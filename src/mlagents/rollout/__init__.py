"""Collecting experience: environments, actors, collectors."""
