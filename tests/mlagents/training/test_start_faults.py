"""Independent checks of a start, and what becomes of their faults."""

from __future__ import annotations

import pytest

from mlagents.training.start_faults import StartError, StartFaults


def noted(*errors):
    faults = StartFaults(ValueError, OSError)
    for error in errors:
        with faults.noted():
            if error is not None:
                raise error
    faults.raise_all()


def test_all_are_said_each_in_its_line():
    with pytest.raises(StartError, match=r"^one\ntwo\nthree$"):
        noted(ValueError("one"), None, OSError("two"), ValueError("three"))


def test_a_single_one_stays_what_it_is():
    with pytest.raises(OSError, match="one"):
        noted(None, OSError("one"))


def test_none_is_none_and_defects_are_raised_at_once():
    noted(None, None)
    with pytest.raises(ZeroDivisionError):
        noted(ZeroDivisionError(), ValueError("later"))
