"""The notebook on augmentation in a real JupyterLab: the filter's explorer, cards, pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    figure_data,
    first_data,
    guess_and_open,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
    wait_for_new_data,
)

FILTER = "explore_filter(\n    model"
KEPT = "explore(kept_view(found)"
TITLE = "gd => gd._fullLayout.title.text"
#: Cells whose screenshots are kept, by words of theirs that no other cell has; of long cells, by
#: words of the figure, because an editor holds only the lines near the screen.
LOOKS = {"filter": FILTER, "kept": KEPT, "errors": "Compared with the rejected samples",
         "places": "Does the criterion rank samples", "reach": "How far from the data, and",
         "gate": "as τ goes from 0 to 1"}  # fmt: skip


def test_augmentation_thresholds(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "06_augmentation_thresholds.ipynb")

    cell = explorer(page, FILTER)
    quantile, noise = cell.get_by_role("slider").all()[:2]
    rejected = first_data(page, cell)
    quantile.press("Home")  # the data's smallest ℓ_Tsym: next to nothing is kept
    everything = wait_for_new_data(page, cell, rejected, 1)
    assert len(everything) > len(rejected)
    quantile.press("End")
    page.wait_for_function(
        "cell => cell.querySelector('.js-plotly-plot')._fullData[1].y.length < 20",
        arg=cell.element_handle(),
    )
    settle(page)
    before = figure_data(cell, 3)  # ℓ_Tsym of the samples
    noise.press("End")
    assert wait_for_new_data(page, cell, before, 3)
    simulated = importlib.util.find_spec("mujoco") is not None
    title = cell.locator(".js-plotly-plot").evaluate(TITLE)
    assert ("median true error" in title) == simulated

    if simulated:
        cell = explorer(page, KEPT)
        before = figure_data(cell, 0)
        cell.locator("select").select_option(label="1.0")
        assert wait_for_new_data(page, cell, before, 0)[-1] > before[-1]
        settle(page)
        guess_and_reveal(page, explorer(page, LOOKS["errors"]), "more wrong")
    nearly_all = explorer(page, "For how many samples does the filter say")
    guess_and_open(page, nearly_all, "about half")
    nearly_all.get_by_text("The same answer, by noise: 0.01:").wait_for()
    guess_and_reveal(page, explorer(page, LOOKS["gate"]), "about τ")
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        if simulated:
            assert output(cell).count()
            picture(cell, tmp_path / f"06-{name}.png")
    check_run(page)
