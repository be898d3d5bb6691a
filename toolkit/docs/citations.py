"""Which equation of which paper a name says it computes, and the map of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from toolkit.docs.prose import ARXIV

#: The papers whose every numbered equation the map has, by what the map calls them.
PAPERS = {"2306.11941": "Koopman dynamics", "2306.04220": "TDM and TSRL", "2111.01365": "KFC"}
_EQUATIONS = re.compile(r"\bEqs?\. ?((?:\d+(?:[–-]\d+)?)(?:(?:, | and )\d+(?:[–-]\d+)?)*)")
_CITED = re.compile(f"{ARXIV.pattern}|{_EQUATIONS.pattern}")
_ROW = re.compile(r"\| *([^|]+?) *\|([^|]*)\|([^|]*)\|$")
#: What the first cell of a line holds that is no equation.
_TABLE_HEADS = ("---", "Eq.", "formula")
_NAME = re.compile(r"`(toolkit\.[\w.]+)`")


@dataclass(frozen=True)
class Row:
    """A line of the map: an equation, what it says, and the names that compute it."""

    paper: str
    number: str
    says: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Citations:
    """Equations by the name that cites them: (paper, number), in the order of the text."""

    by_name: dict[str, list[tuple[str, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, reference: Any) -> Citations:
        """What the classes, functions and methods of the reference cite."""
        found = {}
        for path, item in reference.names.items():
            if (item.docstring and not item.is_attribute) or _is_property(item):
                cited = [entry for entry in cited_by(item) if entry[0] in PAPERS]
                if cited:
                    found[path] = list(dict.fromkeys(cited))
        return cls(found)

    def names_of(self, paper: str, number: int) -> list[str]:
        """Who cites an equation."""
        return [name for name, cited in self.by_name.items() if (paper, number) in cited]

    def rows_of(self, name: str) -> list[str]:
        """Links to the lines of the map that a name cites."""
        return [
            f"[{PAPERS[paper]} ({number})](../equations.md#{anchor(paper, number)})"
            for paper, number in self.by_name.get(name, [])
        ]


def anchor(paper: str, number: int | str) -> str:
    """The anchor of an equation's line in the map."""
    return f"eq-{paper.replace('.', '-')}-{number}"


def cited_by(item: Any) -> list[tuple[str | None, int]]:
    """The equations that a docstring cites, each with its paper.

    An equation belongs to the paper that was named last before it; without one to the first of the
    docstring's `Source:`, or to the only one that the docstring names; else its class's or its
    module's is meant. None where that does not tell.
    """
    text = item.docstring.value if item.docstring else ""
    paper, found = None, []
    for match in _CITED.finditer(text):
        if match[1]:
            paper = match[1]
        else:
            numbers = list(_numbers(match[3]))
            found += [(paper or _paper_of(item), number) for number in numbers]
    return found


def read_map(text: str) -> list[Row]:
    """The lines of the map: a table under a heading that names a paper."""
    rows, paper = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            named = ARXIV.search(line)
            paper = named[1] if named else ""
        row = _ROW.fullmatch(line.strip())
        if row and paper and not row[1].startswith(_TABLE_HEADS):
            rows.append(Row(paper, row[1], row[2].strip(), tuple(_NAME.findall(row[3]))))
    return rows


def map_page(text: str, citations: Citations) -> str:
    """The map as a page: an anchor on each line, and a column of who else cites the equation."""
    rows = {(row.paper, row.number): row for row in read_map(text)}
    lines, paper = [], ""
    for line in text.splitlines():
        if line.startswith("## "):
            named = ARXIV.search(line)
            paper = named[1] if named else ""
        row = _ROW.fullmatch(line.strip())
        if row and paper and row[1] in _TABLE_HEADS[1:]:
            line = f"{line.rstrip()} cited by |"
        elif row and paper and row[1].startswith("-"):
            line = f"{line.rstrip()}---|"
        elif row and paper and (paper, row[1]) in rows:
            others = _others(rows[paper, row[1]], citations)
            mark = f"[{row[1]}]{{#{anchor(paper, row[1])}}}" if row[1].isdigit() else row[1]
            line = f"| {mark} |{row[2]}|{row[3]}| {others} |"
        lines.append(line)
    return "\n".join(lines) + "\n"


def _others(row: Row, citations: Citations) -> str:
    if not row.number.isdigit():
        return ""
    names = citations.names_of(row.paper, int(row.number))
    return ", ".join(f"`{name}`" for name in names if name not in row.names)


def _numbers(text: str) -> Iterator[int]:
    for part in re.split(r", | and ", text):
        first, _, last = re.sub("–", "-", part).partition("-")
        yield from range(int(first), int(last or first) + 1)


def _paper_of(item: Any) -> str | None:
    while item is not None and item.path != "toolkit":
        text = item.docstring.value if item.docstring else ""
        named = {match[1] for match in ARXIV.finditer(text)}
        source = ARXIV.search(text.partition("Source:")[2])
        if named:
            return source[1] if source else named.pop() if len(named) == 1 else None
        item = item.parent
    return None


def _is_property(item: Any) -> bool:
    return bool(item.is_attribute and item.docstring and "property" in item.labels)
