"""The notebook on pixels in a real JupyterLab: shifts, predictions, the explorer of encoders."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    figure_data,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
    wait_for_new_data,
)

SHIFTS, ENCODERS = "explore(shifts", "explore_encoders(settings"
#: Cells whose screenshots are kept, by words of theirs that no other cell has.
LOOKS = {"films": "The first pictures of two episodes", "which_way": "which way does it swing",
         "shifts": SHIFTS, "kept": "will self-prediction not keep",
         "learning": "What can be read from the features", "ahead": "that is not predicted",
         "collapse": "which of these will look best", "encoders": ENCODERS}  # fmt: skip
PICTURE = "gd => gd._fullLayout.images[0].source"


def test_learning_from_pixels(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "10_learning_from_pixels.ipynb")

    guess_and_reveal(page, explorer(page, LOOKS["which_way"]), "one cannot tell")
    guess_and_reveal(page, explorer(page, LOOKS["kept"]), "the rate")
    guess_and_reveal(page, explorer(page, LOOKS["collapse"]), "the loss")
    for source, key in ((SHIFTS, "End"), (ENCODERS, "End")):  # more pixels; the last picture
        cell = explorer(page, source)
        slider = cell.get_by_role("slider")
        before = shown(cell)
        (slider.first if source == SHIFTS else slider.last).press(key)
        wait_for_new_picture(page, cell, before)
    cell = explorer(page, ENCODERS)
    cell.get_by_role("slider").first.press("End")  # the encoder's own features as targets
    settle(page)
    before = figure_data(cell, 1)
    cell.get_by_role("checkbox").click()  # without stop-gradient
    assert wait_for_new_data(page, cell, before, 1)
    settle(page)
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        assert output(cell).count()
        picture(cell, tmp_path / f"10-{name}.png")
    check_run(page)


def shown(cell: Any) -> str:
    """The picture that a cell's figure shows, once it is drawn."""
    return cell.locator(".js-plotly-plot").evaluate(PICTURE)


def wait_for_new_picture(page: Any, cell: Any, old: str) -> None:
    """The kernel's answer can be drawn after it is idle again."""
    changed = """([gd, old]) => window.kernelErrors.length
      || gd._fullLayout.images[0].source !== old"""
    plot = cell.locator(".js-plotly-plot").element_handle()
    page.wait_for_function(changed, arg=[plot, old])
    settle(page)
