"""The exercises of the notebooks: found, with their level, minutes and check.

Above a stub stands a heading `### Exercise 2: what it is`, and in a line of its own below it the
level and the time, `*Core, about 6 minutes.*`
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import UserError
from toolkit.exercises.editions import check_structure, tags

if TYPE_CHECKING:
    from nbformat import NotebookNode

LEVELS = ("warm-up", "core", "research")
_HEADING = re.compile(r"^### Exercise (\d+): (.+)$", re.MULTILINE)
_LEVEL = re.compile(r"^\*(Warm-up|Core|Research), about (\d+) minutes\.\*$", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    """An exercise and its three cells."""

    notebook: str
    number: int
    title: str
    level: str
    minutes: int
    function: str
    """What the learner writes."""
    check: str
    """What judges it."""
    stub_cell: str
    check_cell: str
    solution_cell: str

    @property
    def name(self) -> str:
        """For messages and tests, as in `03_gradient_scaling-2`."""
        return f"{self.notebook}-{self.number}"


def exercises(notebook: NotebookNode, name: str) -> list[Exercise]:
    """The exercises of a notebook, in its order.

    Raises:
        UserError: one lacks a cell, its heading, its level, or stands out of order.
    """
    check_structure(notebook)
    found, above = [], ""
    cells = iter(notebook.cells)
    for cell in cells:
        if cell.cell_type == "markdown":
            above = cell.source
        elif "exercise" in tags(cell):
            found.append(_exercise(name, len(found) + 1, above, cell.source, cells))
    return found


def read_exercises(folder: str | Path) -> list[Exercise]:
    """The exercises of every notebook in a folder.

    Raises:
        UserError: it holds no notebook, or one of them is not in order.
    """
    import nbformat

    paths = sorted(Path(folder).glob("*.ipynb"))
    if not paths:
        raise UserError(f"`folder` must hold notebooks, got {folder}.")
    return [
        exercise
        for path in paths
        for exercise in exercises(nbformat.read(path, as_version=4), path.stem)
    ]


def table(found: list[Exercise]) -> str:
    """One line for each exercise, and how many there are."""
    head = ("notebook", "exercise", "level", "minutes", "check")
    rows = [(e.notebook, f"{e.number} {e.title}", e.level, str(e.minutes), e.check) for e in found]
    widths = [max(map(len, values)) for values in zip(head, *rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows)]
    counts = ", ".join(f"{sum(e.level == level for e in found)} {level}" for level in LEVELS)
    return "\n".join([*lines, f"{len(found)} exercises: {counts}"])


def _exercise(name: str, number: int, above: str, stub: str, cells: Iterator) -> Exercise:
    where = f"{name}, exercise {number}"
    heading, level = _HEADING.search(above), _LEVEL.search(above)
    if not heading or int(heading[1]) != number:
        raise UserError(f"{where} must stand below a heading `### Exercise {number}: TITLE`.")
    if not level or level.start() < heading.end():
        raise UserError(
            f"{where} must say its level and time in a line of its own below the heading, like "
            "`*Core, about 6 minutes.*`; levels are warm-up, core and research."
        )
    check, solution = (
        next(cell.source for cell in cells if tag in tags(cell)) for tag in ("check", "solution")
    )
    return Exercise(
        name, number, heading[2].strip(), level[1].lower(), int(level[2]),
        _function(stub, where), _judge(check, where), stub, check, solution,
    )  # fmt: skip


def _function(stub: str, where: str) -> str:
    match ast.parse(stub).body:
        case [ast.FunctionDef(name=function)]:
            return function
    raise UserError(f"The stub of {where} must be one function.")


def _judge(check: str, where: str) -> str:
    match ast.parse(check).body:
        case [ast.Expr(ast.Call(func=ast.Name(id=judge), args=[ast.Name()]))]:
            return judge
    raise UserError(f"The check of {where} must be one call, `check_NAME(function)`.")
