"""The head of the first notebook in JupyterLab: the map tells a question where one points at it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat

from tests.browser.driving import explorer, open_notebook, picture, run_all, use_theme
from toolkit.course import COURSE

ROOT = Path(__file__).parents[2]


def test_pointing_at_a_box_tells_its_question(
    patient: Any, lab: SimpleNamespace, notebook_folder: Path, tmp_path: Path
):
    page, chapter = patient, COURSE[4]
    book = nbformat.read(ROOT / "notebooks" / f"{COURSE[0].name}.ipynb", as_version=4)
    at = next(i for i, cell in enumerate(book.cells) if "course_figure()" in cell.source)
    book.cells = book.cells[: at + 2]
    nbformat.write(book, notebook_folder / "map_under_test.ipynb")
    open_notebook(page, lab, "map_under_test.ipynb")
    run_all(page)

    cell = explorer(page, "import course_figure")
    cell.locator(".main-svg").first.wait_for()
    cell.scroll_into_view_if_needed()
    box = cell.locator(".annotation-text").filter(has_text=f"{chapter.number} ").first
    box.hover(force=True)
    told = cell.locator(".hoverlayer .hovertext").first
    told.wait_for()
    assert " ".join(chapter.question.split()[:4]) in told.text_content()
    picture(cell, tmp_path / "map-hovered.png")
    use_theme(page, "JupyterLab Dark")
    picture(cell, tmp_path / "map-dark.png")
