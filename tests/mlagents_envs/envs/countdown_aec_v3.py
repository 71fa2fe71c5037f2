"""As `nim_v1`, but in turns that could be taken at once."""

from pettingzoo.utils.conversions import parallel_to_aec
from zoo_games import Countdown


def env():
    return parallel_to_aec(Countdown())
