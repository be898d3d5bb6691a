"""The repository's notebooks in a real JupyterLab: every cell runs, and the explorers answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.browser.driving import (
    centre,
    check_run,
    drag,
    drawn,
    explorer,
    figure_data,
    file_name,
    first_data,
    guess_and_reveal,
    picture,
    run_notebook,
    sketch_and_reveal,
    wait_for_new_data,
    wait_for_new_path,
)  # fmt: skip

NOW = ".eigenplane-panel:nth-child(2) .model"

#: What the pseudospectrum's figure draws before the norms of the powers.
SHEAR_TRACES = ("contours", "unit circle", "eigenvalues")

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
    "03": (
        "Which of these four", "def report(", "trained = {}", "shear_view(", "straight = ",
        "answer = share_figure", "for share, values",
    ),
}  # fmt: skip


def test_start_here(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "00_start_here.ipynb")

    cell = explorer(page, "rollout_view(chosen")
    before = first_data(page, cell)
    cell.get_by_role("slider").first.press("ArrowRight")
    assert wait_for_new_data(page, cell, before, 1) != before

    card = explorer(page, "predict_first(\n")
    guess_and_reveal(page, card, "every 20")
    assert len(first_data(page, card)) == 100
    for name in LOOKS["00"]:
        picture(explorer(page, name), tmp_path / f"00-{file_name(name)}.png")
    check_run(page)


def test_an_eigenvalue_is_dragged(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "01_eigenvalue_initialization.ipynb")

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
    check_run(page)


def test_gradients_follow_the_sliders(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page, measured, theory = patient, 1, 2
    run_notebook(page, lab, "03_gradient_scaling.ipynb")

    cell = explorer(page, "explore_gradients(shown")
    before = first_data(page, cell)
    assert figure_data(cell, theory) == pytest.approx(before, rel=1e-3)
    cell.get_by_role("slider").first.press("End")  # the largest real part
    after = wait_for_new_data(page, cell, before, measured)
    assert after[-1] > 1 > before[-1]
    assert figure_data(cell, theory) == pytest.approx(after, rel=1e-3)
    cell.locator("select").select_option(label="dense")
    sheared = wait_for_new_data(page, cell, after, measured)
    assert max(sheared) > 2 * max(figure_data(cell, theory))
    picture(cell, tmp_path / "03-dense.png")

    cell = explorer(page, "shear_view(shear")
    before = figure_data(cell, len(SHEAR_TRACES))
    cell.get_by_role("slider").first.press("Home")  # no shear
    straight = wait_for_new_data(page, cell, before, len(SHEAR_TRACES))
    assert max(straight) < 1 < max(before)

    card = explorer(page, "Sketch how far")
    sketch_and_reveal(page, card)
    picture(card, tmp_path / "03-sketch.png")
    for name in LOOKS["03"]:
        picture(explorer(page, name), tmp_path / f"03-{file_name(name)}.png")
    check_run(page)
