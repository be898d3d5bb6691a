"""JSON in lines: the rows of a run's `metrics.jsonl`, one for a compiled chunk, and of tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.training.checkpoint import write_atomically

Row = dict[str, Any]


def append_row(path: Path, row: Row) -> None:
    """Add one line and hand it to the operating system, so that a killed run keeps it.

    Raises:
        UserError: the file cannot be written or the disk is full.
    """
    try:
        with path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error


def read_rows(path: Path) -> list[Row]:
    """All whole rows, in order; a last line that was cut off in the middle is left out.

    Raises:
        UserError: a line is not JSON.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # behind the last newline: nothing, or half a row
    try:
        return [json.loads(line) for line in lines]
    except ValueError:
        raise UserError(f"{path} holds a line that is not JSON, so it was damaged.") from None


def cut_rows(path: Path, limit: int, *, key: str = "update") -> list[Row]:
    """Drop from the file every row whose `key` is beyond `limit`, and half a row; what stays."""
    rows = [row for row in read_rows(path) if row[key] <= limit]
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    return rows


def seed_means(rows: list[Row], seed_index: int | None = None) -> list[dict[str, float | int]]:
    """Rows of plain numbers: one seed's, or the mean over the seeds."""
    return [{name: _number(value, seed_index) for name, value in row.items()} for row in rows]


def _number(value: Any, seed_index: int | None) -> float | int:
    if not isinstance(value, list):
        return value
    return sum(value) / len(value) if seed_index is None else value[seed_index]


def json_by_rows(content: dict[str, Any]) -> str:
    """JSON with a line for each entry, and one for each element of an entry that is a list."""
    entries = []
    for name, value in content.items():
        text = json.dumps(value)
        if isinstance(value, list) and value:
            text = "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        entries.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"
