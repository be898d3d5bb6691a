"""Timing that survives a busy machine: repetitions interleaved, medians, ratios."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import jax
import numpy as np

FORMAT = 1


@dataclass(frozen=True)
class Row:
    """One measured case. `ratio` is its median time over the reference's median time."""

    case: str
    seconds: float
    reference: str
    reference_seconds: float
    ratio: float
    repetitions: int


def interleaved(
    cases: Mapping[str, Callable[[], Any]],
    repetitions: int,
    *,
    is_rare: Callable[[str], bool] = lambda name: False,
) -> dict[str, np.ndarray]:
    """Seconds of each case and repetition, the cases taking turns.

    Whatever slows the machine for a while then slows all of them alike. Each case runs twice
    before it is timed, so that compilation is not; results are waited for and dropped. A rare
    case joins every fourth round only.
    """
    for case in cases.values():
        for _ in range(2):
            jax.block_until_ready(case())
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(repetitions):
        for name, case in cases.items():
            if turn % 4 and is_rare(name):
                continue
            began = time.perf_counter()
            jax.block_until_ready(case())
            seconds[name].append(time.perf_counter() - began)
    return {name: np.array(values) for name, values in seconds.items()}


def rows(seconds: Mapping[str, np.ndarray], reference: str) -> list[Row]:
    """A row for every case but the reference."""
    base = float(np.median(seconds[reference]))
    medians = {name: float(np.median(values)) for name, values in seconds.items()}
    return [
        Row(name, median, reference, base, median / base, len(seconds[name]))
        for name, median in medians.items()
        if name != reference
    ]


def report(measured: list[Row], notes: list[str]) -> dict[str, Any]:
    """The content of a benchmark's JSON file; `notes` say what was left out or made smaller."""
    return {
        "format": FORMAT,
        "host": host(),
        "rows": [asdict(row) for row in measured],
        "notes": notes,
    }


def host() -> dict[str, Any]:
    """The machine and the versions that a time belongs to."""
    from toolkit.training.passport import commit, device, versions

    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpus": os.cpu_count(),
        "memory_gb": round(memory_bytes() / 1e9, 1),
        "device": device(),
        "versions": versions(),
        "commit": commit(),
    }


def memory_bytes() -> int:
    """The machine's memory, or 8 GB where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 10**9
