"""The widgets in a real JupyterLab: mouse, keys, history, themes and a narrow window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest

from tests.browser.driving import (
    centre,
    drag,
    drawn,
    explorer,
    figure_data,
    open_notebook,
    output,
    picture,
    run_all,
    settle,
    sketch_and_reveal,
    take_errors,
    use_theme,
    wait_for_new_data,
    wait_for_new_path,
)  # fmt: skip

PLANE = """
import numpy as np
from toolkit.widgets import EigenPlane
modes, t = 64, np.arange(101)
start = np.exp((-0.2 + 1j * np.pi * np.arange(1, modes + 1)) / modes)
weights = np.exp(-np.arange(modes) / 8)
mix = weights[:, None] * np.stack([np.cos(np.arange(modes) * k) for k in range(1, 5)], 1)
def rollout(z):
    if abs(z[0]) > 1.3: raise ValueError("the latent state left float32")
    return ((z[None, :] ** t[:, None]) @ mix).real
truth = rollout(start * np.exp(0.002j - 0.002))
EigenPlane(start, dt=0.02, rollout=rollout, truth=truth, weights=weights, prominent=10,
           labels=["torso height", "torso angle", "thigh angle", "forward speed"])
"""
SLIDERS = """
from toolkit.figures import aliasing_figure
from toolkit.widgets import Slider, explore
explore(aliasing_figure, frequency=Slider(1.0, 0.0, 20.0, 0.5), dt=Slider(0.1, 0.02, 0.2, 0.01))
"""
PREDICT = """
from toolkit.figures import zero_order_hold_figure
from toolkit.widgets import predict_first
predict_first("Does Euler's rule decay as the mode does?", ["It does", "It grows"],
              lambda guess: zero_order_hold_figure(-0.3 + 4j, 0.4))
"""
SKETCH = """
import numpy as np
from toolkit.widgets import Sketch, predict_first as ask
steps = np.arange(1, 61)
ask("Sketch 0.9 to the power k.", Sketch(steps, 0.0, 1.0, x_label="k", y_label="size"),
    "It halves every 6.6 steps.", truth=0.9**steps)
"""
LIVE = """
from toolkit.widgets import LivePlot
plot = LivePlot()
display(plot)
with plot:
    for k in range(200):
        plot.add(k, loss=2.0 ** (-k / 20))
"""
TEXTS = (PLANE, SLIDERS, PREDICT, SKETCH, LIVE)
CELLS = """() => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  return [notebook.activeCellIndex, notebook.widgets.length]; }"""
FITS = """node => {
  const share = node.querySelector(".js-plotly-plot .main-svg").clientWidth / node.clientWidth;
  return 0.85 < share && share <= 1; }"""
HEIGHT = "node => node.getAttribute('transform').match(/[0-9.]+/g)[1]"
NOW, RESPONSE = ".eigenplane-panel:nth-child(2) .model", ".eigenplane-panel.first .model"


@pytest.fixture(scope="module")
def notebook(notebook_folder: Path) -> str:
    cells = [nbformat.v4.new_code_cell(text.strip()) for text in TEXTS]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, notebook_folder / "widgets_under_test.ipynb")
    return "widgets_under_test.ipynb"


@pytest.fixture(scope="module")
def running(new_page: Any, lab: SimpleNamespace, notebook: str) -> Iterator[Any]:
    """The notebook, opened and run once for all tests of this file."""
    with new_page() as page:
        open_notebook(page, lab, notebook)
        run_all(page)
        yield page


@pytest.fixture
def opened(running: Any) -> Any:
    """The running notebook with every eigenvalue at its trained place."""
    snap = explorer(running, "EigenPlane(start").get_by_role("button", name="Snap all back")
    if snap.is_enabled():
        snap.click()
    running.wait_for_function("node => node.disabled", arg=snap.element_handle())
    settle(running)
    return running


def height_of(point: Any) -> float:
    """Imaginary part of an eigenvalue, read from where it is drawn."""
    pixels = float(point.evaluate(HEIGHT))
    return 1.25 - (pixels - 6) * 2.5 / 400


def test_dragging_moves_rollout_and_history(opened: Any):
    page, cell = opened, explorer(opened, "EigenPlane(start")
    point = cell.get_by_role("slider", name="mode 3", exact=True)
    trained, response = drawn(cell, NOW), drawn(cell, RESPONSE)
    drag(page, point, -40, 30)
    moved = wait_for_new_path(page, cell, NOW, trained)
    assert drawn(cell, RESPONSE) != response
    assert "mode 3" in cell.locator(".eigenplane-readout").text_content()

    point.press("Control+z")
    assert wait_for_new_path(page, cell, NOW, moved) == trained
    point.press("Control+Shift+z")
    assert wait_for_new_path(page, cell, NOW, trained) == moved
    cell.get_by_role("button", name="Snap back").click()
    assert wait_for_new_path(page, cell, NOW, moved) == trained
    assert cell.get_by_role("button", name="Snap all back").is_disabled()


def test_keys_move_a_point_and_nothing_else(opened: Any):
    page, cell = opened, explorer(opened, "EigenPlane(start")
    point = cell.get_by_role("slider", name="mode 2", exact=True)
    heights, path = [height_of(point)], drawn(cell, NOW)
    page.mouse.click(*centre(point))
    before = page.evaluate(CELLS)
    for key in ("ArrowDown", "Shift+ArrowDown"):  # "next cell" in JupyterLab's command mode
        point.press(key)
        path = wait_for_new_path(page, cell, NOW, path)
        heights.append(height_of(point))
        assert point.evaluate("node => node === document.activeElement")
    page.keyboard.press("b")  # "insert a cell"
    assert page.evaluate(CELLS) == before
    assert np.diff(heights) == pytest.approx([-0.01, -0.001], abs=1e-9)
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "mode 3"


def test_escape_returns_a_drag(opened: Any):
    page, cell = opened, explorer(opened, "EigenPlane(start")
    point, trained = cell.get_by_role("slider", name="mode 4", exact=True), drawn(cell, NOW)
    drag(page, point, -30, 40, release=False)
    moved = wait_for_new_path(page, cell, NOW, trained)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert wait_for_new_path(page, cell, NOW, moved) == trained
    assert cell.get_by_role("button", name="Snap back").is_disabled()


def test_a_failing_rollout_is_told_in_one_sentence(opened: Any):
    page, cell = opened, explorer(opened, "EigenPlane(start")
    drag(page, cell.get_by_role("slider", name="mode 1", exact=True), 90, 0)
    alarm = cell.locator(".eigenplane-error")
    alarm.filter(has_text="ValueError: the latent state left float32").wait_for()
    cell.get_by_role("button", name="Snap all back").click()
    alarm.filter(has_text="left").wait_for(state="hidden")
    errors = take_errors(page)
    assert errors
    assert set(errors) == {"ValueError: the latent state left float32"}


def test_slider_redraws_in_place(opened: Any):
    page, cell = opened, explorer(opened, "explore(aliasing")
    before = figure_data(cell, 1)
    cell.get_by_role("slider").first.press("End")
    after = wait_for_new_data(page, cell, before, 1)
    assert len(after) != len(before)
    names = cell.locator(".js-plotly-plot").evaluate("gd => gd._fullData.map(t => t.name)")
    assert names == ["true, 20 Hz", "apparent, 0 Hz", "samples"]
    page.evaluate("window.jupyterapp.commands.execute('application:toggle-left-area')")
    page.wait_for_function(FITS, arg=output(cell).element_handle())


def test_the_answer_opens_after_the_guess(opened: Any):
    page, cell = opened, explorer(opened, "predict_first(")
    reveal = cell.get_by_role("button", name="Reveal")
    assert reveal.is_disabled()
    cell.get_by_text("It grows", exact=True).click()
    cell.get_by_role("button", name="Store my guess").click()
    page.wait_for_function("node => !node.disabled", arg=reveal.element_handle())
    reveal.click()
    cell.locator(".js-plotly-plot").wait_for()
    settle(page)


def test_a_curve_is_sketched_stored_and_held_against_the_true_one(opened: Any):
    sketch_and_reveal(opened, explorer(opened, "Sketch 0.9"))


def test_it_fits_in_every_window(opened: Any, tmp_path: Path):
    page, cell = opened, explorer(opened, "EigenPlane(start")
    drag(page, cell.get_by_role("slider", name="mode 5", exact=True), 4, -22)
    for theme in ("Dark", "Light"):
        use_theme(page, f"JupyterLab {theme}")
        for width in (700, 1400):
            page.set_viewport_size({"width": width, "height": 1100})
            settle(page)
            fits = "node => node.scrollWidth <= node.clientWidth + 1"
            assert cell.locator(".eigenplane").evaluate(fits)
            for name in ("EigenPlane(start", "explore(al", "predict_first(", "ask(", "LivePlot()"):
                look = tmp_path / f"{theme}-{width}-{name.strip('(')}.png"
                picture(explorer(page, name), look)
