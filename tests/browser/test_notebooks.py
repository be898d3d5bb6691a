"""The repository's notebooks in a real JupyterLab: every cell runs, and the explorers answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.browser.driving import (
    centre,
    drag,
    drawn,
    explorer,
    figure_data,
    open_notebook,
    picture,
    run_all,
    settle,
    wait_for_new_data,
    wait_for_new_path,
)  # fmt: skip

NOW = ".eigenplane-panel:nth-child(2) .model"
MINUTES = 60_000  # milliseconds

#: Cells whose screenshots are kept, by a piece of their source that no other cell has.
LOOKS = {
    "00": (
        "dataset_figure(dataset, shown", "LivePlot([", "predict_first(\n", "rollout_view(chosen",
        "floors=", "spectrum_figure(multipliers", "Which modes",
    ),
    "01": (
        "one_mode(decay", "λ = −0.3 + 4i decays", "hold(decay", "plain = np", "Heatmap",
        "few = np", "schemes = {", "turns 9 times", "start_with_step(", "wide = ",
        "moved[strongest]", "ours(results",
    ),
}  # fmt: skip


@pytest.fixture
def patient(page: Any) -> Any:
    """A page that waits while the kernel trains a model."""
    page.set_default_timeout(5 * MINUTES)
    return page


def test_start_here(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    open_notebook(page, lab, "00_start_here.ipynb")
    run_all(page)

    cell = explorer(page, "rollout_view(chosen")
    before = first_data(page, cell)
    cell.get_by_role("slider").first.press("ArrowRight")
    assert wait_for_new_data(page, cell, before, 1) != before

    card = explorer(page, "predict_first(\n")
    guess_and_reveal(page, card, "every 20")
    assert len(first_data(page, card)) == 100
    for name in LOOKS["00"]:
        picture(explorer(page, name), tmp_path / f"00-{file_name(name)}.png")


def test_an_eigenvalue_is_dragged(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    open_notebook(page, lab, "01_eigenvalue_initialization.ipynb")
    run_all(page)

    cell = explorer(page, "EigenPlane(\n")
    before = drawn(cell, NOW)
    point = cell.locator("[role=slider]").first
    x, _ = centre(point)
    centre_of_plane = cell.locator(".eigenplane svg").first.bounding_box()
    inwards = centre_of_plane["x"] + centre_of_plane["width"] / 2 - x
    drag(page, point, 0.3 * inwards, 10)
    moved = wait_for_new_path(page, cell, NOW, before)
    picture(cell, tmp_path / "01-dragged.png")
    cell.get_by_role("button", name="Snap all back").click()
    assert wait_for_new_path(page, cell, NOW, moved) == before

    cell = explorer(page, "explore(\n    aliasing_figure")
    before = first_data(page, cell)
    cell.get_by_role("slider").first.press("Home")
    assert wait_for_new_data(page, cell, before, 1) != before

    guess_and_reveal(page, explorer(page, "λ = −0.3 + 4i decays"), "It grows")
    for name in LOOKS["01"]:
        picture(explorer(page, name), tmp_path / f"01-{file_name(name)}.png")


def guess_and_reveal(page: Any, card: Any, guess: str) -> None:
    """Choose, store, and open the answer, which must be closed before."""
    reveal = card.get_by_role("button", name="Reveal")
    assert reveal.is_disabled()
    card.get_by_text(guess, exact=True).click()
    card.get_by_role("button", name="Store my guess").click()
    page.wait_for_function("node => !node.disabled", arg=reveal.element_handle())
    reveal.click()
    card.locator(".js-plotly-plot").wait_for()
    settle(page)


def first_data(page: Any, cell: Any) -> list[float]:
    """The ordinates of the second trace, once the browser has drawn it."""
    ready = "cell => cell.querySelector('.js-plotly-plot')?._fullData?.[1]?.y"
    page.wait_for_function(ready, arg=cell.element_handle())
    return figure_data(cell, 1)


def file_name(source: str) -> str:
    return "".join(letter for letter in source if letter.isascii() and letter.isalnum())
