"""What to type on a first day, in this order."""

from __future__ import annotations

from typing import Final

FIRST_DAY: Final = """\
a first day:
  mlagents doctor                                   is everything here?
  mlagents envs                                     what environments are there?
  mlagents play 3DBall --video ball.gif             see a trained agent
  mlagents play PushBlock --heuristic               play yourself
  mlagents view 3DBall                              look at it from all sides, in the browser
  mlagents config check FILE                        is my trainer file right?
  mlagents doctor FILE --env 3DBall                 does it fit, and how fast will it be?
  mlagents-learn FILE --env 3DBall --run-id first   train
  mlagents runs list                                what has become of my runs?
  mlagents runs plot first                          its curve, as a picture
  mlagents play 3DBall --model first                see what was learned
  mlagents export first -o 3DBall.onnx              take the model into a game
  mlagents new my_game                              begin a game of my own

`mlagents COMMAND --help` tells more. Without a trainer file, mlagents-learn takes its defaults.
"""
