"""Every notebook keeps the promises that all of them make, and runs, for teachers and students."""

from __future__ import annotations

import ast
import re
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.helpers import browser
from tests.notebook_checks import check_notebook, check_verdicts
from toolkit.bench.explorers import printed_sweeps, sweep_code
from toolkit.exercises import student_edition
from toolkit.exercises.editions import check_structure, tags
from toolkit.exercises.pictures import picture_file, picture_names

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
IMAGE = re.compile(r"images/[\w.-]+")
FOLDER = re.compile(r"\S*/tmp\w+/")  # a temporary one
PLOTLY = "application/vnd.plotly.v1+json"
WIDGETS = ("explore(", "EigenPlane(", "LivePlot(", "predict_first(")
#: Seconds for a whole run. The promise is 90 on two free cores; a busy machine gets more.
LIMIT = 300

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def text(notebook: Any) -> str:
    return "\n".join(cell.source for cell in notebook.cells)


@each_notebook
def test_it_is_valid_clean_and_small(path: Path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert path.stat().st_size < 60_000


@each_notebook
def test_it_tells_what_every_notebook_tells(path: Path):
    notebook = read(path)
    first = notebook.cells[0].source
    for promise in ("badge-colab.svg", f"notebooks/{path.name}", "\n# ", "**Question.**",
                    "**You will**", "**Time:**"):  # fmt: skip
        assert promise in first, promise
    whole = text(notebook)
    for heading in ("## What you saw", "## Sources", "arxiv.org/abs/"):
        assert heading in whole
    assert "predict_first(" in whole
    assert "explore(" in whole
    assert sum("parameters" in tags(cell) for cell in notebook.cells) == 1
    assert sum("exercise" in tags(cell) for cell in notebook.cells) >= 2
    check_structure(notebook)


@each_notebook
def test_a_picture_stands_beside_every_widget(path: Path):
    cells = read(path).cells
    for at, cell in enumerate(cells):
        used = cell.cell_type == "code" and any(widget in cell.source for widget in WIDGETS)
        if used and "import " not in cell.source:
            near = "\n".join(c.source for c in cells[max(at - 2, 0) : at + 4] if c is not cell)
            assert IMAGE.search(near), cell.source.splitlines()[0]


@each_notebook
def test_every_picture_exists_and_is_made_by_a_cell(path: Path):
    notebook = read(path)
    shown = set(IMAGE.findall(text(notebook))) - {
        "images/badge-colab.svg",
        "images/badge-binder.svg",
    }
    made = {f"images/{picture_file(name)}"
            for cell in notebook.cells for name in picture_names(cell)}  # fmt: skip
    assert shown == made
    for name in shown:
        assert (path.parent / name).stat().st_size < 100_000, name


@each_notebook
def test_no_cell_needs_a_solution(path: Path):
    """So the students' copy runs wherever the source does."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    solved = {
        name
        for cell in cells if {"exercise", "solution"} & set(tags(cell))
        for name in bound(cell.source)
    }  # fmt: skip
    assert solved
    for cell in cells:
        if not {"exercise", "check", "solution"} & set(tags(cell)):
            tree = ast.walk(ast.parse(cell.source))
            used = {node.id for node in tree if isinstance(node, ast.Name)}
            assert not used & solved, cell.source.splitlines()[0]


def bound(source: str) -> set[str]:
    """Names that a cell's own lines give a meaning to."""
    names = set()
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in statement.names}
        else:
            stored = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            names |= {n.id for n in stored if isinstance(n.ctx, ast.Store)}
    return names


#: The first is run by a test of its own.
each_later_notebook = pytest.mark.parametrize("path", NOTEBOOKS[1:], ids=lambda path: path.stem)


@pytest.mark.skipif(browser() is not None, reason="run in JupyterLab by tests/browser")
@pytest.mark.usefixtures("fast")
@each_later_notebook
def test_it_runs_in_fast_mode(path: Path, tmp_path: Path):
    run_source(path, tmp_path)


@pytest.mark.usefixtures("fast")
def test_the_students_copy_runs_and_shows_the_same_again(tmp_path: Path):
    """Of one notebook; the students' copies of the others too differ by solutions only."""
    path = NOTEBOOKS[0]
    students = tmp_path / "students"
    students.mkdir()
    first = run_source(path, tmp_path)
    second = run_it(student_edition(read(path)), students / path.name)
    shown = shown_to_all(first)
    assert sum(isinstance(each, dict) for each in shown) >= 3  # figures
    assert sum(isinstance(each, str) for each in shown) >= 3
    assert shown == shown_to_all(second)


@each_notebook
def test_it_is_run_in_a_browser_too(path: Path):
    files = (ROOT / "tests/browser").glob("test_*.py")
    run = f'run_notebook(page, lab, "{path.name}")'
    (source,) = [file.read_text() for file in files if run in file.read_text()]
    assert source.count("check_run(page)") == source.count("run_notebook(page")


def run_source(path: Path, folder: Path) -> Any:
    """Run the notebook as it is, and then move every control of every explorer, once."""
    notebook = read(path)
    notebook.cells.append(nbformat.v4.new_code_cell(sweep_code(turns=1)))
    executed = run_it(notebook, folder / path.name)
    swept = printed_sweeps(executed.cells[-1])
    assert swept and all(each["answers"] for each in swept)
    executed.cells.pop()
    return executed


def run_it(notebook: Any, copy: Path) -> Any:
    nbformat.write(notebook, copy)
    began = time.monotonic()
    executed = check_notebook(copy, timeout=LIMIT)
    seconds = time.monotonic() - began
    print(f"{copy.name}: {seconds:.0f} s")
    assert seconds < LIMIT
    check_verdicts(executed)
    return executed


def shown_to_all(notebook: Any) -> list[Any]:
    """What cells that stand in every edition show: figures, and texts without temporary folders."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):  # plotly draws names at random
            return {k: plain(v) for k, v in value.items() if k not in ("uid", "config")}
        return [plain(v) for v in value] if isinstance(value, list) else value

    shown = []
    for cell in notebook.cells:
        if not {"exercise", "check", "solution"} & set(tags(cell)):
            outputs = cell.get("outputs", [])
            shown += [plain(o.data[PLOTLY]) for o in outputs if PLOTLY in o.get("data", {})]
            # a kernel sends what is printed in pieces, cut wherever its clock strikes
            printed = "".join(o.get("text", "") for o in outputs)
            shown += [FOLDER.sub("", printed)] if printed else []
    return shown
