"""The notebook on planning in a real JupyterLab: the X-ray, the dial, the race, pictures."""

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

SPRING, XRAY = "explore(\n    spring_view", "explore_plan(pendulum"
#: Cells whose screenshots are kept, by words of theirs that no other cell has.
LOOKS = {"spring": SPRING, "swing": "steps ahead: upright after", "xray": XRAY,
         "dial": "Which horizon swings the pendulum",
         "race": "Which of the two learns to swing up"}  # fmt: skip


def test_planning_with_koopman(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "09_planning_with_koopman.ipynb")

    guess_and_reveal(page, explorer(page, "How much can MPPI save"), "half")
    cell = explorer(page, SPRING)
    before = figure_data(cell, 0)
    cell.get_by_role("slider").first.press("End")  # the start
    assert wait_for_new_data(page, cell, before, 0)[0] == 8.0
    settle(page)
    cell = explorer(page, XRAY)
    before = figure_data(cell, 2)
    cell.get_by_role("slider").last.press("End")  # the iteration
    assert wait_for_new_data(page, cell, before, 2)
    settle(page)
    before = figure_data(cell, 2)
    cell.get_by_role("slider").first.press("Home")  # the step
    assert wait_for_new_data(page, cell, before, 2)[0] == 0.0  # hanging
    settle(page)
    guess_and_reveal(page, explorer(page, LOOKS["dial"]), "6")
    race = explorer(page, LOOKS["race"])
    guess_and_reveal(page, race, "with lifted modes")
    assert len(figure_data(race, 0)) == 5  # scores along a run
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        assert output(cell).count()
        picture(cell, tmp_path / f"09-{name}.png")
    check_run(page)
