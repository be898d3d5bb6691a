"""Rows of a study by place and candidate, and as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np

from toolkit.studies.table import Row


class Grid:
    """The rows of a table by place (a dataset, a size of it, a task) and by candidate."""

    def __init__(self, rows: Sequence[Row], place: Callable[[Row], Hashable]):
        self.cells: dict[tuple[Hashable, str], list[Row]] = {}
        for row in rows:
            self.cells.setdefault((place(row), row["candidate"]), []).append(row)
        self.places = list(dict.fromkeys(place(row) for row in rows))
        self.candidates = list(dict.fromkeys(row["candidate"] for row in rows))

    def __getitem__(self, at: tuple[Hashable, str]) -> list[Row]:
        """The rows of a cell, one for each seed; there may be none."""
        return self.cells.get(at, [])

    def at(self, place: Hashable) -> list[list[Row]]:
        """The cells of a place, candidate by candidate."""
        return [self[place, candidate] for candidate in self.candidates]

    def of(self, candidate: str) -> list[list[Row]]:
        """The cells of a candidate, place by place."""
        return [self[place, candidate] for place in self.places]


def longest(rows: Sequence[Row], about: Callable[[Row], Hashable], length: str) -> list[Row]:
    """Of rows about the same, the one with the greatest `length`; of equals the last."""
    best: dict[Hashable, Row] = {}
    for row in rows:
        kept = best.get(about(row))
        if kept is None or row[length] >= kept[length]:
            best[about(row)] = row
    return list(best.values())


def line(title: str, texts: Sequence[str], width: int, title_width: int = 36) -> str:
    """A title and texts in columns, flush right."""
    return f"{title:{title_width}s}" + "".join(f"{text:>{width}s}" for text in texts)


def from_to(numbers: Sequence[int]) -> str:
    """The least and the greatest number, or the one that there is."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def mean_and_spread(values: Sequence[float], digits: int) -> str:
    """The mean, with the standard deviation where there are several; a dash for none."""
    if not values:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def with_interval(scores: np.ndarray, aggregate: Callable[[np.ndarray], float], digits: int) -> str:
    """An aggregate of scores `(seeds, places)`, with its 95 % stratified-bootstrap interval where
    there are several seeds.
    """
    from toolkit.evaluation.intervals import bootstrap_interval

    text = f"{aggregate(scores):.{digits}f}"
    if len(scores) < 2:
        return text
    low, high = bootstrap_interval(scores, aggregate)
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"
