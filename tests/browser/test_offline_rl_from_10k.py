"""The notebook on offline agents in a real JupyterLab: cards, the players, every explorer."""

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
    picture,
    run_notebook,
    settle,
    wait_for_new_data,
)

TRUST = "trust_view(snapshots),"
FILM = "lineup = film_policies("
AGGREGATES = "aggregates = explore_aggregates("
PROFILES = "profiles = explore_profiles("
SIZES = "sizes = explore_sizes("
TITLE = "cell => cell.querySelector('.js-plotly-plot')._fullLayout.title.text"
#: Cells whose screenshots are kept, by words of theirs or of their figure.
LOOKS = {"familiar": "familiar = familiar_figure(gaps", "race": "While training: every seed",
         "film": FILM, "trust": TRUST, "sizes": SIZES, "aggregates": AGGREGATES,
         "profiles": PROFILES}  # fmt: skip


def test_offline_rl_from_10k(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "07_offline_rl_from_10k.ipynb")
    simulated = importlib.util.find_spec("mujoco") is not None

    leader = explorer(page, "Which has the best mean")
    guess_and_open(page, leader, "TSRL")
    leader.get_by_text("Now, mean of the seeds: bc").wait_for()
    surprise = explorer(page, "TD3 without the cloning term, the same rows.")
    guess_and_open(page, surprise, "About what comes")

    cell = explorer(page, TRUST)
    dial = cell.get_by_role("slider").first
    end = page.evaluate(TITLE, cell.element_handle())
    dial.press("Home")
    wait_for_title(page, cell, end)
    assert page.evaluate(TITLE, cell.element_handle()).startswith("After 20 updates")

    cell = explorer(page, PROFILES)
    before = page.evaluate(TITLE, cell.element_handle())
    shares = figure_data(cell, 0)
    assert shares[0] >= shares[-1]
    cell.get_by_role("slider").first.press("End")
    wait_for_title(page, cell, before)
    assert "above 110: bc 0%" in page.evaluate(TITLE, cell.element_handle())

    sizes = explorer(page, SIZES)
    if sizes.get_by_role("slider").count():  # where a table is committed
        before = figure_data(sizes, 1)
        sizes.get_by_role("slider").first.press("End")
        assert wait_for_new_data(page, sizes, before, 1)

    if simulated:
        scrub_and_play(page, explorer(page, FILM))
    for name, words in LOOKS.items():
        cells = page.locator(".jp-Notebook .jp-CodeCell").filter(has_text=words)
        assert cells.count(), name
        for number, cell in enumerate(cells.all()):  # there are two races
            errors = cell.locator("[data-mime-type='application/vnd.jupyter.stderr']")
            assert not errors.count(), name
            picture(cell, tmp_path / f"07-{name}-{number}.png")
    check_run(page)


def wait_for_title(page: Any, cell: Any, old: str) -> None:
    changed = f"([cell, old]) => window.kernelErrors.length || ({TITLE})(cell) !== old"
    page.wait_for_function(changed, arg=[cell.element_handle(), old])
    settle(page)


def scrub_and_play(page: Any, cell: Any) -> None:
    """Each agent's picture follows the bar to both ends; playing stops at the end."""
    images = cell.locator(".lineup img")
    assert images.count() == 4
    bar = cell.locator(".lineup .frameplayer-bar")
    first = images.first.get_attribute("src")
    bar.press("End")
    page.wait_for_function("([image, old]) => image.src !== old",
                           arg=[images.first.element_handle(), first])  # fmt: skip
    assert cell.locator(".lineup .frameplayer-side.left").count() == 4  # untrained: all fell
    assert "over" in cell.locator(".lineup figcaption").first.text_content()
    bar.press("Home")
    page.wait_for_function("([image, old]) => image.src === old",
                           arg=[images.first.element_handle(), first])  # fmt: skip
    assert cell.locator(".lineup .frameplayer-side.left").count() == 0
    cell.get_by_role("button", name="Play").click()
    page.wait_for_function("bar => bar.value === bar.max", arg=bar.element_handle(), timeout=60_000)
    cell.get_by_role("button", name="Play").wait_for()  # it has stopped
    settle(page)
