"""Rows laid out by place and candidate, and what is told of a cell."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.studies.layout import Grid, line, longest, mean_and_spread, with_interval

ROWS = [
    {"task": "walk", "candidate": "old", "seed": 0, "length": 5},
    {"task": "run", "candidate": "new", "seed": 0, "length": 5},
    {"task": "walk", "candidate": "old", "seed": 1, "length": 7},
]


def test_a_grid_keeps_the_order_of_the_rows_and_knows_empty_cells():
    grid = Grid(ROWS, lambda row: row["task"])
    assert grid.places == ["walk", "run"] and grid.candidates == ["old", "new"]
    assert [row["seed"] for row in grid["walk", "old"]] == [0, 1]
    assert grid.at("run") == [[], [ROWS[1]]]
    assert grid.of("old") == [[ROWS[0], ROWS[2]], []]
    assert ("run", "old") not in grid.cells  # asking for an empty cell adds none


@pytest.mark.parametrize(("lengths", "kept"), [((5, 7), 1), ((7, 5), 0), ((5, 5), 1)])
def test_the_longest_row_about_the_same_is_kept(lengths: tuple[int, int], kept: int):
    rows = [{"about": "a", "length": length, "number": at} for at, length in enumerate(lengths)]
    other = {"about": "b", "length": 1, "number": 2}
    found = longest([*rows, other], lambda row: row["about"], "length")
    assert found == [rows[kept], other]


def test_a_line_is_flush_right():
    assert line("score", ["1.0", "10.0"], 6, 7) == "score     1.0  10.0"


@pytest.mark.parametrize(
    ("values", "text"), [([], "-"), ([4.0], "4.00"), ([1.0, 3.0], f"2.00 ± {2**0.5:.2f}")]
)
def test_the_spread_needs_two_values(values: list[float], text: str):
    assert mean_and_spread(values, 2) == text


def test_an_interval_needs_two_seeds_and_holds_the_aggregate():
    mean = lambda scores: float(scores.mean())
    assert with_interval(np.array([[1.0, 2.0]]), mean, 1) == "1.5"
    text = with_interval(np.array([[1.0, 2.0], [3.0, 4.0]]), mean, 1)
    assert text == "2.5 [1.5, 3.5]"  # of each task's two seeds, both may be the worse one
