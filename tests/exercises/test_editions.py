"""Students' copies lose the solutions and nothing else; pictures come from what cells show."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement

from toolkit.course import COURSE
from toolkit.errors import UserError
from toolkit.exercises import instructor_edition, student_edition, write_editions
from toolkit.exercises.__main__ import main
from toolkit.exercises.editions import BRANCH, EDITIONS, MARK, REPOSITORY, badges, tags
from toolkit.exercises.pictures import figures, to_figure
from toolkit.figures import aliasing_figure
from toolkit.widgets import LivePlot, Slider, explore, static

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = re.compile(
    r"https://colab\.research\.google\.com/github/([\w-]+/[\w-]+)/blob/(\w+)/([^)\s]+)"
)
BINDER = re.compile(r"https://mybinder\.org/v2/gh/([\w-]+/[\w-]+)/(\w+)\?labpath=([^)\s]+)")
PICTURE = re.compile(r"(?:\]\(|src=\")(images/[\w.-]+|\w+/images/[\w.-]+)")
LINK = re.compile(r"\]\((?!http|#)([^)\s]+)\)")
STUB = "def double(x):\n    raise NotImplementedError"
SOLUTION = "def double(x):\n    return 2 * x"


def tagged(tag: str, source: str, **metadata: Any) -> Any:
    cell = new_code_cell(source, metadata={"tags": [tag], **metadata})
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="old")], 7
    return cell


@pytest.fixture
def book() -> Any:
    return new_notebook(
        cells=[
            new_markdown_cell("# Title"),
            tagged("exercise", STUB),
            tagged("check", "assert double(2) == 4"),
            tagged("solution", SOLUTION, jupyter={"source_hidden": True}),
            new_code_cell("print('on')"),
        ],
        metadata={"widgets": {"state": {}}},
    )


def test_students_get_everything_but_the_solution(book: Any):
    copy = student_edition(book)
    assert [cell.source for cell in copy.cells] == [
        cell.source for cell in book.cells if cell.source != SOLUTION
    ]
    assert "widgets" not in copy.metadata
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in copy.cells)
    assert SOLUTION in [cell.source for cell in book.cells]  # the source is as it was
    nbformat.validate(copy)


def test_instructors_see_the_solution_open_and_marked(book: Any):
    solution = instructor_edition(book).cells[3]
    assert solution.source == f"{MARK}\n{SOLUTION}"
    assert "jupyter" not in solution.metadata
    assert len(instructor_edition(book).cells) == len(book.cells)


@pytest.mark.parametrize(
    ("drop", "sentence"),
    [
        (3, "no cell tagged `solution`"),
        (2, "tagged solution, where `check` was due"),
        (1, "tagged check, where `exercise` was due"),
    ],
)
def test_an_incomplete_exercise_is_refused(book: Any, drop: int, sentence: str):
    del book.cells[drop]
    with pytest.raises(UserError, match=sentence):
        student_edition(book)


def test_both_copies_are_written_with_their_pictures(book: Any, tmp_path: Path, capsys: Any):
    source = tmp_path / "notebooks"
    (source / "images").mkdir(parents=True)
    (source / "images" / "a.png").write_bytes(b"picture")
    nbformat.write(book, source / "00_title.ipynb")
    assert main(["editions", str(source), str(tmp_path / "out")]) == 0
    students = nbformat.read(tmp_path / "out/students/00_title.ipynb", as_version=4)
    assert len(students.cells) == 4
    assert (tmp_path / "out/students/images/a.png").read_bytes() == b"picture"
    assert "instructors/00_title.ipynb" in capsys.readouterr().out
    with pytest.raises(UserError, match="must be a folder with notebooks"):
        write_editions(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match="Expected .*editions NOTEBOOKS OUT"):
        main(["edition"])


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the branch with the editions, made from the real notebooks."""
    out = tmp_path_factory.mktemp("course")
    write_editions(ROOT / "notebooks", out)
    return out


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_badges_of_the_source_open_the_source(path: Path):
    first = nbformat.read(path, as_version=4).cells[0].source
    assert first.startswith(badges("main", f"notebooks/{path.name}"))


@pytest.mark.parametrize("edition", EDITIONS)
def test_badges_open_the_edition_that_they_stand_in(published: Path, edition: str):
    copies = sorted((published / edition).glob("*.ipynb"))
    assert [copy.name for copy in copies] == [path.name for path in SOURCES]
    for copy in copies:
        first = nbformat.read(copy, as_version=4).cells[0].source
        own = (REPOSITORY, BRANCH, f"{edition}/{copy.name}")
        assert COLAB.findall(first) == [own]
        assert BINDER.findall(first) == [own]
        assert (published / own[2]).is_file()
        assert EDITIONS[edition] in first


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_edition_holds_what_it_says_and_all_that_it_shows(published: Path, edition: str):
    for copy in (published / edition).glob("*.ipynb"):
        notebook = nbformat.read(copy, as_version=4)
        nbformat.validate(notebook)
        solved = [cell for cell in notebook.cells if "solution" in tags(cell)]
        assert bool(solved) == (edition == "instructors")
        assert all(cell.source.startswith(MARK) for cell in solved)
        words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        for name in {*PICTURE.findall(words), *LINK.findall(words)}:
            assert (copy.parent / name).is_file(), f"{copy.name}: {name}"
        assert re.search(r"^\*(Warm-up|Core), about \d+ minutes", words, re.MULTILINE)


def test_the_front_page_leads_to_every_copy(published: Path):
    page = (published / "README.md").read_text()
    for name in {*LINK.findall(page), *PICTURE.findall(page)}:
        assert (published / name).is_file(), name
    for chapter in COURSE:
        assert f"[{chapter.number} {chapter.title}](students/{chapter.name}.ipynb)" in page
    opened = COLAB.findall(page) + BINDER.findall(page)
    assert len(opened) == 2 * len(COURSE)
    assert all((published / path).is_file() and branch == BRANCH for _, branch, path in opened)


def extras() -> dict[str, Any]:
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def test_binder_installs_the_toolkit_in_tested_versions(published: Path):
    text = (published / "binder" / "environment.yml").read_text()
    assert '- "-c constraints.txt"' in text
    assert (published / "binder/constraints.txt").read_text() == (
        ROOT / "constraints.txt"
    ).read_text()
    wanted = Requirement(re.search(r'- "(koopman-toolkit.+)"', text)[1])
    assert wanted.url == f"git+https://github.com/{REPOSITORY}"
    assert {"notebooks", "mujoco"} <= wanted.extras <= set(extras())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_colab_gets_the_toolkit_before_anything_asks_for_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert tags(cells[0]) == ["setup"]
    commands, switched = [], []
    google, colab = ModuleType("google"), ModuleType("google.colab")
    colab.output = SimpleNamespace(enable_custom_widget_manager=lambda: switched.append(True))
    monkeypatch.setattr("subprocess.run", lambda command, check: commands.append(command))

    exec(compile(ast.parse(cells[0].source), "<setup>", "exec"), {})
    assert not commands  # elsewhere it does nothing
    monkeypatch.setitem(sys.modules, "google", google)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    exec(compile(ast.parse(cells[0].source), "<setup>", "exec"), {})
    ((python, *pip, package),) = commands
    assert (python, pip) == (sys.executable, ["-m", "pip", "install", "-q"])
    wanted = Requirement(package)
    assert wanted.url == f"git+https://github.com/{REPOSITORY}"
    assert {"notebooks"} <= wanted.extras <= set(extras())
    assert switched == [True]


def test_the_workflow_publishes_what_the_command_writes():
    text = (ROOT / ".github/workflows/course.yml").read_text()
    assert "python -m toolkit.exercises editions notebooks build/course" in text
    assert "working-directory: build/course" in text
    assert f"HEAD:{BRANCH}\n" in text
    assert "branches: [main]" in text
    assert "contents: write" in text


def test_a_picture_is_the_figure_that_the_cell_shows():
    def cell(tag: str, source: str) -> Any:
        return new_code_cell(source, metadata={"tags": [tag]})

    cells = [
        new_code_cell("import plotly.graph_objects as go\nfig = go.Figure(go.Bar(y=[1, 2]))"),
        cell("exercise", "raise NotImplementedError"),
        cell("picture:bars", "display(fig)\nfig"),
        cell("picture:more=fig", "fig = go.Figure(go.Bar(y=[3]))\nprint('shown elsewhere')"),
    ]
    found = dict(figures(new_notebook(cells=cells)))
    assert {name: list(figure.data[0].y) for name, figure in found.items()} == {
        "bars": [1, 2],
        "more": [3],
    }


def test_every_way_to_show_a_figure_has_a_picture():
    figure = aliasing_figure(1.0, 0.1)
    plot = LivePlot()
    plot.add(1, loss=0.5)
    shown = [figure, static(figure), explore(aliasing_figure, frequency=Slider(1.0, 0.0, 2.0),
             dt=Slider(0.1, 0.05, 0.2)), plot]  # fmt: skip
    for value in shown:
        assert type(to_figure(value, "x")) is go.Figure
    with pytest.raises(UserError, match="'x' must come from a figure, got int"):
        to_figure(3, "x")
