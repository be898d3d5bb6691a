"""The table of a study: rows in a JSON file, each with the passport of what it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import UserError

FORMAT = 2
#: What many rows of a table have in common; a file holds each such passport once.
PASSPORT = ("dataset", "versions", "device", "commit", "persistence_by_horizon")

Row = dict[str, Any]


class Table:
    """Rows in a JSON file, each written as soon as it is known."""

    def __init__(self, path: Path, settings: dict[str, Any]):
        """A new table, or the stored one if it was begun with the same settings.

        Raises:
            UserError: the file holds something else.
        """
        self.path = path
        self.content: dict[str, Any] = {"format": FORMAT, "settings": settings, "rows": []}
        self._known: list[Row] = []  # rows of the file, as this process last saw it
        if not path.exists():
            return
        there = self.read(path)
        self._check_settings(there)
        self.content = there
        self._known = list(self.rows)

    def _check_settings(self, there: dict[str, Any]) -> None:
        if there["settings"] != self.content["settings"]:
            raise UserError(f"{self.path} holds a study with other settings; choose another `out`.")

    @staticmethod
    def read(path: Path) -> dict[str, Any]:
        """The content of a table that is there: its `settings`, whole `rows` and more.

        Raises:
            UserError: the file holds something else.
        """
        try:
            content = json.loads(path.read_text())
            _ = content["settings"], content["rows"]
            passports = content.pop("passports", [])
            rows = [passports[row.pop("passport")] | row if "passport" in row else row
                    for row in content["rows"]]  # fmt: skip
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise UserError(f"{path} is not a table of this study.") from error
        return content | {"rows": rows}

    @property
    def rows(self) -> list[Row]:
        """The rows so far."""
        return self.content["rows"]

    @property
    def speeds(self) -> dict[str, dict[str, float]]:
        """Updates per second by size of the data and candidate, as first measured."""
        return self.content.setdefault("updates_per_second", {})

    def check_data(self, data: Sequence[str]) -> None:
        """Refuse datasets that would be taken for one another: rows know them by their labels.

        Raises:
            UserError: two of them have one label, or the table has rows of other data under it.
        """
        from toolkit.data import load
        from toolkit.data.catalogue import find_entry

        labels = [Path(where).stem for where in data]
        for label, where in zip(labels, data, strict=True):
            if labels.count(label) > 1:
                raise UserError(
                    f"`data` has the name {label!r} twice; leave one out, or rename its file."
                )
            known = {r["dataset"]["sha256"] for r in self.rows if r["dataset"]["label"] == label}
            entry = find_entry(where)
            if entry is not None and entry.kind == "simulated":
                continue  # their last bits depend on the machine
            if known and load(where).source.sha256 not in known:
                raise UserError(
                    f"{self.path} has rows of other data under the name {label!r}; rename the "
                    f"file {where}, or choose another `out`."
                )

    def save(self) -> None:
        """Write everything, all or nothing; a row is a line, and a passport too.

        Rows and speeds that another process has put into the file before are kept.

        Raises:
            UserError: the file cannot be written, or has come to hold something else.
        """
        from toolkit.training.checkpoint import write_atomically
        from toolkit.training.records import json_by_rows

        if self.path.exists():
            there = self.read(self.path)
            self._check_settings(there)
            self.rows.extend(row for row in there["rows"] if row not in self._known)
            for size, known in there.get("updates_per_second", {}).items():
                self.speeds.setdefault(size, {}).update(known)
        numbers: dict[str, int] = {}
        rows = []
        for row in self.rows:
            own = {name: row[name] for name in PASSPORT if name in row}
            number = numbers.setdefault(json.dumps(own), len(numbers))
            rest = {name: value for name, value in row.items() if name not in own}
            rows.append(rest | {"passport": number})
        passports = [json.loads(own) for own in numbers]
        written = self.content | {"format": FORMAT, "rows": rows, "passports": passports}
        write_atomically(self.path, json_by_rows(written).encode())
        self._known = self.read(self.path)["rows"]


def described(experiment: Any, data: str) -> Row:
    """What a row says about its dataset; the label is the file's name without its ending."""
    record = experiment.config.data
    return {
        "label": Path(data).stem, "name": record.name, "sha256": record.sha256,
        "num_transitions": record.num_transitions,
    }  # fmt: skip


def identity(row: Row) -> tuple[str, str, int]:
    """What a row is about: the data's label, the candidate and the seed."""
    return row["dataset"]["label"], row["candidate"], row["seed"]
