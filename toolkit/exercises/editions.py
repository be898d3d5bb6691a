"""Students' and instructors' copies of a notebook, from one source.

In the source an exercise is a stub (a cell with the tag `exercise`), its check (`check`) and its
solution (`solution`). Nothing later depends on an exercise, so a copy without solutions runs too.

The copies are published on a branch of their own, `course`, which holds nothing else: the
notebooks of both editions, what Binder installs, and a page that leads to them. Its badges open
the copy that they stand in.
"""

from __future__ import annotations

import shutil
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.course import COURSE
from toolkit.errors import UserError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MARK = "# Solution. Students' copies do not hold this cell."
#: Where the project is published: on GitHub, the sources on one branch, the copies on another.
REPOSITORY = "koopman-toolkit/koopman-toolkit"
SOURCE = "main", "notebooks"
BRANCH = "course"
EDITIONS = {
    "students": "*Students' copy: the solutions are left out.*",
    "instructors": "*Instructors' copy: every solution stands open behind its check.*",
}
_ENVIRONMENT = """# What Binder installs for the notebooks of this branch.
name: koopman-course
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def student_edition(notebook: NotebookNode) -> NotebookNode:
    """A copy without solution cells, outputs and execution counts; its badges open itself.

    Raises:
        UserError: an exercise lacks its check or its solution (see `check_structure`).
    """
    check_structure(notebook)
    cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    return _clean(notebook, cells, "students")


def instructor_edition(notebook: NotebookNode) -> NotebookNode:
    """A copy in which every solution stands open and marked, without outputs; its badges open
    itself.

    Raises:
        UserError: an exercise lacks its check or its solution (see `check_structure`).
    """
    check_structure(notebook)
    copy = _clean(notebook, notebook.cells, "instructors")
    for cell in copy.cells:
        if "solution" in tags(cell):
            cell.metadata.pop("jupyter", None)  # where the source hides it
            cell.source = f"{MARK}\n{cell.source}"
    return copy


def write_editions(source: str | Path, out: str | Path) -> list[Path]:
    """Write the tree that the branch `course` holds, and return its notebooks.

    `out/students` and `out/instructors` hold each notebook of a folder with its pictures,
    `out/binder` what Binder installs, `out/README.md` a page that leads to all of them.

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
    _write_binder(source.parent / "constraints.txt", out / "binder")
    (out / "README.md").write_text(_front_page([path.stem for path in notebooks]))
    return written


def badges(branch: str, path: str, pictures: str = "images") -> str:
    """The row of badges that open the notebook at a path of a branch."""
    colab = f"https://colab.research.google.com/github/{REPOSITORY}/blob/{branch}/{path}"
    binder = f"https://mybinder.org/v2/gh/{REPOSITORY}/{branch}?labpath={path}"
    return (
        f"[![Open in Colab]({pictures}/badge-colab.svg)]({colab})\n"
        f"[![Open in Binder]({pictures}/badge-binder.svg)]({binder})"
    )


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


def _clean(notebook: NotebookNode, cells: list[Any], edition: str) -> NotebookNode:
    copy = deepcopy(notebook)
    copy.cells = deepcopy(cells)
    copy.metadata.pop("widgets", None)
    for cell in copy.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if copy.cells:
        copy.cells[0].source = _own_badges(copy.cells[0].source, edition)
    return copy


def _own_badges(header: str, edition: str) -> str:
    """The header with badges that open this edition, and a line that says which it is."""
    branch, folder = SOURCE
    header = header.replace(f"/blob/{branch}/{folder}/", f"/blob/{BRANCH}/{edition}/")
    header = header.replace(f"/{branch}?labpath={folder}/", f"/{BRANCH}?labpath={edition}/")
    row, title, rest = header.partition("\n# ")
    return f"{row}\n{EDITIONS[edition]}\n{title}{rest}" if "images/badge-" in row else header


def _write_binder(constraints: Path, folder: Path) -> None:
    """What Binder installs: the toolkit from its source branch, in versions tested together."""
    folder.mkdir(parents=True, exist_ok=True)
    package = f"koopman-toolkit[notebooks,mujoco] @ git+https://github.com/{REPOSITORY}"
    lines = [package]
    if constraints.is_file():
        shutil.copyfile(constraints, folder / "constraints.txt")
        lines = ["-c constraints.txt", package]
    text = _ENVIRONMENT + "".join(f'      - "{line}"\n' for line in lines)
    (folder / "environment.yml").write_text(text)


def _front_page(names: list[str]) -> str:
    """The branch's first page: every notebook in both editions."""
    titles = {chapter.name: chapter.title for chapter in COURSE}
    rows = []
    for name in names:
        path = f"students/{name}.ipynb"
        row = badges(BRANCH, path, "students/images").replace("\n", " ")
        title = f"{name[:2]} {titles.get(name, name[3:])}"
        rows.append(f"| [{title}]({path}) {row} | [solved](instructors/{name}.ipynb) |")
    made = f"[`{SOURCE[0]}`](https://github.com/{REPOSITORY}) by `python -m toolkit.exercises`"
    return "\n".join(
        [f"# The course\n\nMade from {made}; changes belong there.\n", "| students | instructors |",
         "|---|---|", *rows, ""]
    )  # fmt: skip
