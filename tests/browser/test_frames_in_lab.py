"""The film of a prediction in a real JupyterLab: scrub bar, play, marker, themes, windows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest

from tests.browser.driving import (
    centre,
    drag,
    explorer,
    open_notebook,
    picture,
    run_all,
    settle,
    use_theme,
)  # fmt: skip

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")
pytest.importorskip("PIL")

# No model: a prediction that gets worse by a known rule, then impossible, then not a number.
FILM = """
import numpy as np
from toolkit.data import load
from toolkit.widgets import compare_frames, film_states, static
true = np.asarray(load("toolkit/walker2d-medium").observations[200:301], float)
predicted, steps = true.copy(), np.arange(101)
predicted[:, 2] -= 1e-4 * steps**2  # the thigh falls back more and more
predicted[:, 8] -= 0.004 * steps  # and the robot gets slower
predicted[85:, 4] = 1e6  # no foot can do that
predicted[95:] = np.nan
film = film_states(true, predicted, "walker2d")
player = compare_frames(film)
player
"""
STILL = "static(player.figure())"
SAME = "plain = film_states(true, true, 'walker2d', sticks=True)\ncompare_frames(plain)"
FROM_PYTHON = (
    "from ipywidgets import Button, HTML, VBox\n"
    + """
told, orders = HTML(), Button(description="Orders")
def tell(_change):
    told.value = f"step {player.step}, playing {player.playing}"
def obey(_button):
    player.step, player.playing = 60, True
player.observe(tell, ["step", "playing"])
orders.on_click(obey)
VBox([orders, told])
"""
)
CELLS = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  return [notebook.activeCellIndex, notebook.widgets.length]; }"""
LOADED = """cell => Array.from(cell.querySelectorAll(".frameplayer img"),
  image => image.complete && image.naturalWidth)"""
DIVERGENCE = 23  # where the rule above takes the foot 0.05 m away


@pytest.fixture(scope="module")
def running(new_page: Any, lab: SimpleNamespace, notebook_folder: Path) -> Iterator[Any]:
    """The notebook, opened and run once for all tests of this file."""
    sources = (FILM, STILL, SAME, FROM_PYTHON)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s.strip()) for s in sources])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, notebook_folder / "frames_under_test.ipynb")
    with new_page() as page:
        page.set_default_timeout(120_000)  # 202 rendered pictures
        open_notebook(page, lab, "frames_under_test.ipynb")
        run_all(page)
        yield page


@pytest.fixture
def cell(running: Any) -> Any:
    """The player, paused at the start."""
    cell = explorer(running, "gets slower")
    bar(cell).press("Home")
    wait_for_step(cell, 0)
    settle(running)
    return cell


def bar(cell: Any) -> Any:
    return cell.get_by_role("slider", name="Step")


def shown(cell: Any) -> tuple[int, list[str]]:
    """The step that is read out, and the addresses of both pictures."""
    text = cell.locator(".frameplayer-readout strong").first.text_content()
    pictures = cell.locator(".frameplayer img").evaluate_all("all => all.map(image => image.src)")
    return int(text.split(" of ")[0]), pictures


def wait_for_step(cell: Any, step: int) -> None:
    said = cell.locator(".frameplayer-readout strong", has_text=re.compile(rf"^{step} of 100$"))
    said.wait_for()


def wait_for_word(page: Any, word: str) -> None:
    """What the kernel says about the traits."""
    explorer(page, "orders.on_click").get_by_text(word, exact=True).wait_for()


def test_both_pictures_are_drawn_and_follow_the_keys(cell: Any):
    page, (_, before) = cell.page, shown(cell)
    assert cell.evaluate(LOADED) == [320, 320]
    bar(cell).focus()
    cells = page.evaluate(CELLS)
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "b"):
        page.keyboard.press(key)  # JupyterLab's command mode would move on, or insert a cell
    wait_for_step(cell, 1)
    assert page.evaluate(CELLS) == cells
    step, after = shown(cell)
    assert step == 1 and all(a != b for a, b in zip(after, before, strict=True))
    assert cell.evaluate(LOADED) == [320, 320]
    text = "step 1 of 100, 0.008 s, 0.000 m apart"
    assert bar(cell).get_attribute("aria-valuetext") == text
    wait_for_word(page, "step 1, playing False")
    page.keyboard.press("End")
    wait_for_step(cell, 100)
    assert bar(cell).get_attribute("aria-valuetext").endswith("not a number apart")


def test_the_marker_leads_to_the_first_visible_divergence(cell: Any):
    flag = cell.get_by_role("button", name="First visible divergence")
    assert flag.text_content() == f"First visible divergence: step {DIVERGENCE}, 0.184 s"
    assert not cell.locator(".frameplayer-side.left").count()
    flag.click()
    wait_for_step(cell, DIVERGENCE)
    assert cell.locator(".frameplayer-side.left").count() == 1
    wait_for_word(cell.page, f"step {DIVERGENCE}, playing False")
    bar(cell).press("ArrowLeft")
    wait_for_step(cell, DIVERGENCE - 1)
    assert not cell.locator(".frameplayer-side.left").count()


def test_the_bar_and_the_plot_are_dragged_alike(cell: Any):
    page, track = cell.page, bar(cell).bounding_box()
    page.mouse.click(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
    wait_for_step(cell, 50)
    plot = cell.locator(".frameplayer-plot")
    middle = track["x"] + track["width"] / 2
    page.mouse.click(middle, centre(plot)[1])  # the same place on the time axis
    wait_for_step(cell, 50)
    drag(page, plot, 2000, 0)
    wait_for_step(cell, 100)
    wait_for_word(page, "step 100, playing False")


def test_it_plays_to_the_end_and_pauses(cell: Any):
    page = cell.page
    cell.locator("select").select_option(label="real time")
    bar(cell).press("ArrowRight")
    cell.get_by_role("button", name="Play").click()
    wait_for_step(cell, 100)
    cell.get_by_role("button", name="Play").wait_for()  # no longer Pause
    wait_for_word(page, "step 100, playing False")
    cell.locator("select").select_option(label="1/16")
    bar(cell).press(" ")  # from the end it begins again
    cell.get_by_role("button", name="Pause").wait_for()
    page.wait_for_timeout(1000)
    bar(cell).press(" ")
    cell.get_by_role("button", name="Play").wait_for()
    step, _ = shown(cell)
    assert 2 <= step <= 20  # 0.0625 s of the film and the time of the keys
    wait_for_word(page, f"step {step}, playing False")


def test_python_moves_it_too(cell: Any):
    cell.locator("select").select_option(label="1/4")
    explorer(cell.page, "orders.on_click").get_by_role("button", name="Orders").click()
    cell.get_by_role("button", name="Pause").wait_for()
    assert shown(cell)[0] >= 60
    wait_for_step(cell, 100)
    wait_for_word(cell.page, "step 100, playing False")


def test_a_prediction_that_stays_is_said_to(running: Any):
    cell = explorer(running, "plain = film")
    assert cell.get_by_text("No visible divergence: never more than 0.05 m apart").is_visible()
    assert cell.evaluate(LOADED) == [320, 320]


def test_it_fits_in_every_window(cell: Any, tmp_path: Path):
    page = cell.page
    bar(cell).press("End")
    for _ in range(40):
        bar(cell).press("ArrowLeft")
    wait_for_step(cell, 60)
    for theme in ("Dark", "Light"):
        use_theme(page, f"JupyterLab {theme}")
        for width in (640, 1400):
            page.set_viewport_size({"width": width, "height": 1100})
            settle(page)
            fits = "node => node.scrollWidth <= node.clientWidth + 1"
            assert cell.locator(".frameplayer").evaluate(fits)
            tops = cell.locator(".frameplayer img").evaluate_all(
                "all => all.map(image => image.getBoundingClientRect().top)"
            )
            assert (tops[0] == tops[1]) is (width == 1400)
            for name in ("gets slower", "plain = film", "static(player"):
                look = tmp_path / f"{theme}-{width}-{re.sub('[^a-z]+', '-', name)}.png"
                picture(explorer(page, name), look)
