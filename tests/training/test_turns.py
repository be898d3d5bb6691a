"""Trainings side by side: each gets the same time, compiling aside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from toolkit.errors import UserError
from toolkit.training import take_turns


class Clock:
    """A clock that moves only when a run works."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def run(self, seconds: float, count: int, first: float = 50.0) -> Iterator[int]:
        for item in range(count):
            self.now += seconds if item else first
            yield item


def test_the_run_that_has_used_less_time_is_next():
    clock = Clock()
    runs = {"slow": clock.run(3.0, 100), "fast": clock.run(1.0, 100)}
    turns = list(take_turns(runs, 6.0, clock=clock))
    assert turns[:2] == [("slow", 0.0, 0), ("fast", 0.0, 0)]  # compiling is not counted
    assert [name for name, *_ in turns[2:]] == ["slow", *3 * ["fast"], "slow", *3 * ["fast"]]
    assert turns[-1] == ("fast", 6.0, 6)


def test_what_the_caller_does_is_not_counted():
    clock = Clock()
    for name, seconds, item in take_turns({"one": clock.run(1.0, 4)}, clock=clock):
        assert (name, seconds) == ("one", float(item))
        clock.now += 100.0


def test_a_run_that_ends_leaves_the_others_their_turns():
    clock = Clock()
    runs = {"none": clock.run(1.0, 0), "short": clock.run(1.0, 2), "long": clock.run(1.0, 5)}
    turns = list(take_turns(runs, clock=clock))
    assert [item for name, _, item in turns if name == "long"] == [0, 1, 2, 3, 4]
    assert [item for name, _, item in turns if name == "short"] == [0, 1]


def test_nothing_is_taken_from_a_run_beyond_its_turn():
    clock = Clock()
    run = clock.run(1.0, 10)
    for _, seconds, _ in take_turns({"one": run}, clock=clock):
        if seconds == 2.0:
            break
    assert next(run) == 3


def test_a_time_must_be_positive():
    with pytest.raises(UserError, match="`seconds` must be positive, got 0.0"):
        next(take_turns({}, 0.0))
