"""The notebook on data in a real JupyterLab: the explorer redraws, the cards open, films show."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
)

COVERAGE = "coverage_view(observations, labels),"
PANELS = """cell => Array.from(
  cell.querySelector(".js-plotly-plot")?._fullLayout?.annotations ?? [], note => note.text)"""
#: Cells whose screenshots are kept, by a piece of their source that no other cell has.
LOOKS = (
    "dims=[0, 1, 5]", "endings_figure(fell[", "stages_view,", "early_stage = ", "judges = {",
    "qualities_figure(sets)", COVERAGE, "predict_first(\n    f", "figure = qualities_figure",
    "suspect_view(suspects),",
)  # fmt: skip


def test_where_the_data_comes_from(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "02_where_the_data_comes_from.ipynb")

    cell = explorer(page, COVERAGE)
    before = panels(page, cell)
    assert len(before) >= 2
    cell.get_by_role("slider").first.press("Home")  # the fewest rows
    few = wait_for_new_panels(page, cell, before)
    assert all(percent(a) <= percent(b) for a, b in zip(few, before, strict=True))
    picture(cell, tmp_path / "02-few-rows.png")

    cell.locator("select").nth(1).select_option(label="torso angle, rad")
    other = wait_for_new_panels(page, cell, few)
    assert len(other) == len(few)
    cell.locator("select").first.select_option(label="medium")
    (alone,) = wait_for_new_panels(page, cell, other)
    assert alone.startswith("medium: ")
    picture(cell, tmp_path / "02-medium-alone.png")

    assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()

    suspect = explorer(page, "suspect_view(suspects),")
    suspect.locator("select").select_option(label="E")
    page.wait_for_function(
        "cell => cell.querySelector('.js-plotly-plot')._fullLayout.title.text === 'File E'",
        arg=suspect.element_handle(),
    )
    settle(page)
    picture(suspect, tmp_path / "02-file-E.png")

    card = explorer(page, "Cut the plane of torso height")
    guess_and_reveal(page, card, "medium-replay")
    picture(card, tmp_path / "02-card.png")

    for number, name in enumerate(LOOKS):
        cell = explorer(page, name)
        if output(cell).count():
            picture(cell, tmp_path / f"02-{number}.png")
    check_run(page)


def panels(page: Any, cell: Any) -> list[str]:
    """The titles of an explorer's panels, once they are drawn."""
    page.wait_for_function(f"cell => ({PANELS})(cell).length", arg=cell.element_handle())
    return cell.evaluate(PANELS)


def wait_for_new_panels(page: Any, cell: Any, old: list[str]) -> list[str]:
    changed = f"""([cell, old]) => window.kernelErrors.length
      || (now => now.length && String(now) !== String(old))(({PANELS})(cell))"""
    page.wait_for_function(changed, arg=[cell.element_handle(), old])
    settle(page)
    return cell.evaluate(PANELS)


def percent(title: str) -> int:
    return int(title.split(": ")[1].rstrip("%"))
