"""Printing tables and writing reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import UserError


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows in aligned columns: the first, of names, to the left, the others, of numbers, right."""
    return _aligned(rows, lambda column: str.rjust if column else str.ljust)


def left_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words in columns aligned to the left."""
    return _aligned(rows, lambda column: str.ljust)


def _aligned(rows: Sequence[Sequence[str]], side: Callable[[int], Callable[..., str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            side(number)(word, width)
            for number, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def plus_minus(mean: float, std: float, num_seeds: int) -> str:
    """`mean ± standard deviation` over seeds, without the latter for a single seed."""
    return f"{mean:.4g}" if num_seeds < 2 else f"{mean:.4g} ± {std:.2g}"


def write_report(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON report, an entry or a row on each line.

    Raises:
        UserError: the file cannot be written.
    """
    from toolkit.training.records import json_by_rows

    try:
        path.write_text(json_by_rows(content))
    except OSError as error:
        raise UserError(f"{path}: the report cannot be written ({error.strerror}).") from None


def check_folder(path: Path | None) -> None:
    """Refuse, before any work, a report's file whose folder does not exist.

    Raises:
        UserError: it does not.
    """
    if path and not path.parent.is_dir():
        raise UserError(f"`json` must lie in an existing folder, got {path}.")
