"""Students' copies lose the solutions and nothing else; pictures come from what cells show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from toolkit.errors import UserError
from toolkit.exercises import instructor_edition, student_edition, write_editions
from toolkit.exercises.__main__ import main
from toolkit.exercises.editions import MARK
from toolkit.exercises.pictures import figures, to_figure
from toolkit.figures import aliasing_figure
from toolkit.widgets import LivePlot, Slider, explore, static

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
