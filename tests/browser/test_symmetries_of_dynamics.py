"""The notebook on symmetries in a real JupyterLab: both explorers, cards, pictures."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    figure_data,
    guess_and_open,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
    wait_for_new_data,
)

TWO_WAYS = "explore(\n    two_ways"
ROBOTS = "robots = explore_shifts("
TITLE = "gd => gd._fullLayout.title.text"
#: Cells whose screenshots are kept, by words of theirs that no other cell has.
LOOKS = {"two-ways": TWO_WAYS, "commutators": "and whether it commutes", "robots": ROBOTS,
         "verdict": "Which of these would you trust", "impossible": "Shares of impossible robots",
         "three": "Three robots, 10,000 real"}  # fmt: skip


def title(cell: Any) -> str:
    return cell.locator(".js-plotly-plot").evaluate(TITLE)


def wait_for_title(page: Any, cell: Any, words: str) -> None:
    page.wait_for_function(
        "([cell, words]) => cell.querySelector('.js-plotly-plot')._fullLayout.title.text"
        ".startsWith(words)",
        arg=[cell.element_handle(), words],
    )
    settle(page)


def test_symmetries_of_dynamics(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "08_symmetries_of_dynamics.ipynb")

    guess_and_reveal(page, explorer(page, "Is that the film of a pendulum"), "yes")
    cell = explorer(page, TWO_WAYS)
    assert "nowhere apart" in title(cell)  # the mirror
    before = figure_data(cell, 1)
    cell.locator("select").nth(1).select_option(label="times 1 + ε")
    assert wait_for_new_data(page, cell, before, 1)
    settle(page)
    assert "apart after 2 s" in title(cell)
    cell.locator("select").nth(0).select_option(label="oscillator")
    wait_for_title(page, cell, "oscillator")
    assert "nowhere apart" in title(cell)

    simulated = importlib.util.find_spec("mujoco") is not None
    if simulated:
        cell = explorer(page, ROBOTS)
        cell.locator("select").first.select_option(label="noise")
        wait_for_title(page, cell, "noise, size 0.1")
        cell.get_by_role("slider").first.press("End")  # the size
        wait_for_title(page, cell, "noise, size 1:")
        assert cell.get_by_text("impossible:").count()
        guess_and_open(page, explorer(page, "which kind makes the most"), "eigenspace")
        guess_and_reveal(page, explorer(page, LOOKS["verdict"]), "noise")
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        if simulated:
            assert output(cell).count()
            picture(cell, tmp_path / f"08-{name}.png")
    check_run(page)
