"""Who plays besides models: people and their authors' rules. And recording of what is played."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mlagents.errors import UsageError
from mlagents.viewing.keyboard import Game, KeyboardPlayer, Playable, describe_keys
from mlagents.viewing.seats import open_seat

if TYPE_CHECKING:
    from mlagents.inference import Model
    from mlagents_envs.base_env import ActionTuple, BaseEnv


@contextmanager
def heuristic_players(env: BaseEnv, name: str, screen: str | None) -> Iterator[Mapping[str, Model]]:
    """Give a player for each behavior: a person where keys mean something, otherwise the author's rule.

    Args:
      env: to be played.
      name: of the environment.
      screen: where people play: `keyboard.WINDOW`, `keyboard.TERMINAL`, or None for what there is.

    Raises:
      UsageError: the environment is not of a kind that has rules, or there is neither a display nor a terminal.
    """
    heuristic: Callable[[str], ActionTuple] | None = getattr(env, "heuristic", None)
    if heuristic is None:
        raise UsageError("--heuristic is for environments of mlagents_sim, and this is none; give --model")
    from mlagents.inference.heuristic_policy import HeuristicPolicy  # not above: it loads onnx

    rules = {behavior: HeuristicPolicy(heuristic, behavior) for behavior in env.behavior_specs}
    playable = keyboard_playable(env)
    if playable is None:
        yield rules
        return
    print(f"{name}. Keys: {describe_keys(playable.keys)}", file=sys.stderr)
    with open_seat(name, screen) as seat:
        game = Game(playable, seat)
        yield {**rules, **{behavior: KeyboardPlayer(playable, behavior, game) for behavior in playable.keys}}


def keyboard_playable(env: BaseEnv) -> Playable | None:
    """Return the environment if keys mean something in it."""
    return cast("Playable", env) if getattr(env, "keys", None) else None


def recorded(env: BaseEnv, path: Path | None) -> BaseEnv:
    """Return the environment, recorded to a demonstration if there is a path for it."""
    if path is None:
        return env
    from mlagents_envs.demonstrations import RecordedEnv

    return RecordedEnv(env, path)
