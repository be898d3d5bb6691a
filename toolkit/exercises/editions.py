"""Students' and instructors' copies of a notebook, from one source.

In the source an exercise is a stub (a cell with the tag `exercise`), its check (`check`) and its
solution (`solution`). Nothing later depends on an exercise, so a copy without solutions runs too.
"""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MARK = "# Solution. Students' copies do not hold this cell."


def student_edition(notebook: NotebookNode) -> NotebookNode:
    """A copy without solution cells, outputs and execution counts.

    Raises:
        UserError: an exercise lacks its check or its solution (see `check_structure`).
    """
    check_structure(notebook)
    return _clean(notebook, [cell for cell in notebook.cells if "solution" not in tags(cell)])


def instructor_edition(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every solution stands open and marked, without outputs.

    Raises:
        UserError: an exercise lacks its check or its solution (see `check_structure`).
    """
    check_structure(notebook)
    copy = _clean(notebook, notebook.cells)
    for cell in copy.cells:
        if "solution" in tags(cell):
            cell.metadata.pop("jupyter", None)  # where the source hides it
            cell.source = f"{MARK}\n{cell.source}"
    return copy


def write_editions(source: str | Path, out: str | Path) -> list[Path]:
    """Write `out/students` and `out/instructors` for each notebook of a folder, with its pictures.

    Raises:
        UserError: the folder holds no notebook, or one that does not fit `check_structure`.
    """
    import nbformat

    source, out = Path(source), Path(out)
    notebooks = sorted(source.glob("*.ipynb"))
    if not notebooks:
        raise UserError(f"`source` must be a folder with notebooks, got {source}.")
    written = []
    for name, edition in [("students", student_edition), ("instructors", instructor_edition)]:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in notebooks:
            nbformat.write(edition(nbformat.read(path, as_version=4)), folder / path.name)
            written.append(folder / path.name)
        if (source / "images").is_dir():
            shutil.copytree(source / "images", folder / "images", dirs_exist_ok=True)
    return written


def check_structure(notebook: NotebookNode) -> None:
    """Each exercise is followed by a check and then a solution before the next exercise begins.

    Raises:
        UserError: one is missing, or out of order; the message names the cell.
    """
    wanted = ["exercise", "check", "solution"]
    expected = 0
    for number, cell in enumerate(notebook.cells):
        found = [kind for kind in wanted if kind in tags(cell)]
        if not found:
            continue
        if found != [wanted[expected]]:
            raise UserError(
                f"Cell {number} is tagged {' and '.join(found)}, where `{wanted[expected]}` was "
                "due: an exercise is a stub, its check and its solution, in this order."
            )
        expected = (expected + 1) % len(wanted)
    if expected:
        raise UserError(f"The last exercise has no cell tagged `{wanted[expected]}`.")


def tags(cell: Any) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags", []))


def _clean(notebook: NotebookNode, cells: list[Any]) -> NotebookNode:
    copy = deepcopy(notebook)
    copy.cells = deepcopy(cells)
    copy.metadata.pop("widgets", None)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return copy
