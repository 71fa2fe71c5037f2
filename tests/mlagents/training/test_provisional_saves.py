"""A run that is killed loses a minute at most, however long its checkpoint interval is."""

from __future__ import annotations

from itertools import pairwise

from mlagents.training.loop import PROVISIONAL_SAVE_S
from toys.training import make_loop, ppo_settings
from toys.walk import Walk


def test_saved_once_a_minute_and_at_the_interval():
    rounds, saves = [0], []

    def clock():
        return rounds[0] * PROVISIONAL_SAVE_S / 10

    def save(behaviors, provisional):
        saves.append((rounds[0], provisional))
        if not provisional:
            behaviors[0].last_saved_step = behaviors[0].learner.steps

    def stop():
        rounds[0] += 1
        return rounds[0] > 100

    settings = ppo_settings(10_000, checkpoint_interval=512)
    make_loop(Walk(), settings, save=save, clock=clock).run(stop)
    provisional = [number for number, flag in saves if flag]
    assert len(provisional) in (8, 9)  # every 11 rounds, the first time the minute is more than over
    assert all(b - a >= 11 for a, b in pairwise(provisional))
    assert any(not flag for _, flag in saves)


def test_saved_every_so_many_environment_steps_as_in_2020():
    """The walk has several agents: after 30 environment steps they have made far more than the 64 of the interval."""
    rounds, saved = [0], []

    def save(behaviors, provisional):
        saved.append((rounds[0], provisional))

    def stop():
        rounds[0] += 1
        return rounds[0] > 100

    settings = ppo_settings(10_000, checkpoint_interval=64)
    make_loop(Walk(), settings, save=save, clock=lambda: 0.0, save_freq=30).run(stop)
    assert saved == [(30, False), (60, False), (90, False)]
