"""A module as `--env=pettingzoo:` takes it: a function `parallel_env`."""

from zoo_games import Countdown as parallel_env  # noqa: N813

__all__ = ["parallel_env"]
