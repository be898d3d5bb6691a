"""What benchmarks check, print and write alike."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.commands.output import write_report
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.bench.timing import Row


def show_shares(rows: list[Row]) -> None:
    for row in rows:
        print(
            f"{row.case:34s} {1 / row.seconds:8.1f} updates/s, "
            f"{row.ratio:.0%} of the matrix-product rate"
        )


def check_at_least_1(command: Any, *names: str) -> None:
    for name in names:
        if getattr(command, name) < 1:
            raise UserError(f"`{name}` must be at least 1, got {getattr(command, name)}.")


def check_numbers(command: Any, name: str) -> None:
    numbers = getattr(command, name)
    if not numbers or min(numbers) < 1:
        raise UserError(f"`{name}` must be numbers from 1 on, got {numbers}.")


def write(
    path: Path | None, measured: list[Row], note: str = "ratio: share of the reference's rate"
) -> None:
    from toolkit.bench.timing import report

    if path:
        write_report(path, report(measured, [note]))
