"""The notebook on long horizons in a real JupyterLab: explorer, film, cards."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    first_data,
    guess_and_open,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
    wait_for_new_data,
)

ROLLOUTS = "rollout_view(truth, predictions, twenty, names, dt),"
FILM = "film = film_prediction("
PANELS = """cell => Array.from(
  cell.querySelector(".js-plotly-plot")?._fullLayout?.annotations ?? [], note => note.text)"""
#: Cells whose screenshots are kept, by words of theirs that no other cell has. An editor holds
#: only the lines near the screen, so for long cells these are words of the output.
LOOKS = {
    "training": "plot = LivePlot(", "errors": "floors={", "rollouts": ROLLOUTS, "film": FILM,
    "apart": "Two starts, 1 %", "foreign": "koopman: median error and 80 %",
    "speed": "An update on windows of",
}  # fmt: skip


def test_long_horizon_prediction(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "04_long_horizon_prediction.ipynb")

    cell = explorer(page, ROLLOUTS)
    before = first_data(page, cell)
    cell.get_by_role("slider").first.press("End")  # the worst window
    worst = wait_for_new_data(page, cell, before, 1)
    assert len(worst) == len(before) == 101
    cell.get_by_role("slider").nth(1).press("Home")
    page.wait_for_function(
        "cell => cell.querySelector('.js-plotly-plot')._fullData[1].y.length === 6",
        arg=cell.element_handle(),
    )
    settle(page)
    cell.get_by_role("slider").nth(1).press("End")
    cell.locator("select").select_option(label="velocities")
    page.wait_for_function(
        f"cell => ({PANELS})(cell).includes('vertical velocity, m/s')", arg=cell.element_handle()
    )
    settle(page)
    picture(cell, tmp_path / "04-velocities.png")

    film = explorer(page, FILM)
    if film.locator(".frameplayer").count():  # MuJoCo is installed
        bar = film.get_by_role("slider", name="Step")
        bar.press("End")
        film.locator(".frameplayer-readout strong", has_text=re.compile("^100 of 100$")).wait_for()
        film.get_by_role("button", name="First visible divergence").click()
        film.locator(".frameplayer-side.left").wait_for()
        settle(page)

    guess_and_reveal(
        page, explorer(page, "Two starts, 1 %"), "It grows in the simulator and in the models"
    )
    guess_and_reveal(page, explorer(page, "An update on windows of"), "It falls")
    updates = explorer(page, "Which model does more updates")
    guess_and_open(page, updates, "about the same")
    updates.get_by_text("Updates planned: koopman").wait_for()
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        assert output(cell).count()
        picture(cell, tmp_path / f"04-{name}.png")
    check_run(page)
