"""What the dataset doctor says: findings with their consequence and remedy, as text and JSON."""

from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Severity = Literal["error", "warning", "note"]
FIRST_ROWS = 5
_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 88


@dataclass(frozen=True)
class Finding:
    """One thing worth saying about a file.

    `error`: the file contradicts itself or its name, or cannot be used as it is. `warning`: it
    needs care, which `load` takes where it can. `note`: good to know.
    """

    severity: Severity
    code: str
    problem: str
    meaning: str
    remedy: str
    num_rows: int = 0
    first_rows: tuple[int, ...] = ()


def finding(
    severity: Severity,
    code: str,
    problem: str,
    meaning: str,
    remedy: str,
    rows: np.ndarray | None = None,
) -> Finding:
    """A finding about the rows where the boolean `rows` is true (about the whole file without)."""
    if rows is None:
        return Finding(severity, code, problem, meaning, remedy)
    at = np.flatnonzero(rows)
    first = tuple(int(row) for row in at[:FIRST_ROWS])
    return Finding(severity, code, problem, meaning, remedy, len(at), first)


@dataclass(frozen=True)
class Report:
    """Everything that the doctor found in one file."""

    file: str
    name: str
    layout: str
    sha256: str | None
    facts: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def has_errors(self) -> bool:
        """Whether anything is wrong with the file (a warning alone is not)."""
        return self.count("error") > 0

    def count(self, severity: Severity) -> int:
        """How many findings have this severity."""
        return sum(f.severity == severity for f in self.findings)

    def find(self, code: str) -> Finding | None:
        """The finding with this code, if there is one."""
        return next((f for f in self.findings if f.code == code), None)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dump`, with a format number."""
        return {"format": 1, "has_errors": self.has_errors, **asdict(self)}

    def __str__(self) -> str:
        parts = [self.file, *self._header(), "", self._verdict()]
        for severity in ("error", "warning", "note"):
            for item in self.findings:
                if item.severity == severity:
                    parts += ["", *_paragraph(item)]
        return "\n".join(parts)

    def _header(self) -> list[str]:
        lines = {"layout": self.layout, "SHA-256": self.sha256 or "none", **self.facts}
        shown = {label: _short(value) for label, value in lines.items()}
        return [f"  {label:<26} {text}" for label, text in shown.items() if text is not None]

    def _verdict(self) -> str:
        counts = [(self.count(s), s) for s in ("error", "warning", "note")]
        told = [f"{n} {severity}{'' if n == 1 else 's'}" for n, severity in counts if n]
        return ", ".join(told) + "." if told else "Nothing to report."


def spread(values: np.ndarray) -> dict[str, Any]:
    """Smallest, median and largest value and a histogram of ten equal bins."""
    counts, _ = np.histogram(values, bins=10)
    return {
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
        "histogram": counts.tolist(),
    }


def _short(value: Any) -> str | None:
    """One line for a fact; lists are for JSON only."""
    if isinstance(value, dict) and "histogram" in value:
        low, middle, high = (f"{value[key]:,.6g}" for key in ("min", "median", "max"))
        return f"{low} to {high}, median {middle}  {_bars(value['histogram'])}"
    if isinstance(value, (list, dict)):
        return None
    if isinstance(value, float):
        return f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _bars(counts: list[int]) -> str:
    top = max(max(counts), 1)
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // top)] if count else " " for count in counts)


def _paragraph(item: Finding) -> list[str]:
    where = ""
    if item.num_rows:
        more = ", …" if item.num_rows > len(item.first_rows) else ""
        where = f" (rows {', '.join(map(str, item.first_rows))}{more})"
    lines = [f"{item.severity.upper()} {item.code}"]
    for text in (item.problem + where, f"Means: {item.meaning}", f"Do: {item.remedy}"):
        lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines
