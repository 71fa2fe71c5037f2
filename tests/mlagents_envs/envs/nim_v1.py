"""A module as `--env=pettingzoo:` takes it: a function `env`, of an environment in turns."""

from zoo_games import Nim as env  # noqa: N813

__all__ = ["env"]
