"""Several trainings side by side, each given the same time."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from toolkit.errors import UserError

Item = TypeVar("Item")


def take_turns(
    runs: Mapping[str, Iterator[Item]],
    seconds: float = math.inf,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[str, float, Item]]:
    """Advance the run that has used the least time, until all have used `seconds` or are done.

    Yields the run's name, the seconds it has used, and what it gave. The first item of each run is
    not counted, since it includes compiling. What the caller does between two turns is not counted
    either, and what slows the machine for a while slows all runs alike.

    Raises:
        UserError: `seconds` is not positive.
    """
    if not seconds > 0:
        raise UserError(f"`seconds` must be positive, got {seconds}.")
    used: dict[str, float] = {}
    for name, run in runs.items():
        for item in itertools.islice(run, 1):
            used[name] = 0.0
            yield name, 0.0, item
    while used:
        name = min(used, key=lambda run: used[run])
        began = clock()
        items = list(itertools.islice(runs[name], 1))
        used[name] += clock() - began
        for item in items:
            yield name, used[name], item
        if not items or used[name] >= seconds:
            del used[name]
