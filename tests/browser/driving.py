"""Open a notebook in JupyterLab, run it, and work its widgets.

An explorer is the cell in which it stands; every helper takes a Playwright page or such a cell.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat

from tests.notebook_checks import STATE, check_verdicts, swallowed_errors
from toolkit.bench.explorers import sweep_code

PATIENCE = 90_000  # milliseconds

READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return Boolean(panel?.context?.isReady && panel.sessionContext.isReady
                 && kernel?.connectionStatus === "connected" && kernel.status === "idle"); }"""
WATCH = """() => { window.kernelErrors = [];
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  kernel.iopubMessage.connect((_, message) => {
    const { ename, evalue } = message.content;
    if (message.header.msg_type === "error") window.kernelErrors.push(`${ename}: ${evalue}`);
  }); }"""
RUN_ALL = """async () => {
  const cells = window.jupyterapp.shell.currentWidget.content.widgets;
  await window.jupyterapp.commands.execute("notebook:run-all-cells");
  const filled = cell => cell.model.type === "code" && cell.model.sharedModel.getSource().trim();
  return cells.filter(filled)
    .map(cell => cell.model.executionCount); }"""
CONTENT = """() => JSON.stringify(
  window.jupyterapp.shell.currentWidget.context.model.toJSON())"""
EXECUTE = """async code => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let printed = "";
  future.onIOPub = ({ content }) => { if (content.name === "stdout") printed += content.text; };
  await future.done;
  return printed; }"""
#: Prints what `swallowed_errors` looks at, of every widget of the kernel.
WIDGETS = """
import json, ipywidgets
told = lambda state: {name: state[name] for name in ("error", "outputs") if name in state}
print(json.dumps({key: model | {"state": told(model["state"])} for key, model in
                  ipywidgets.Widget.get_manager_state()["state"].items()}, default=str))
"""
THEME = """name => window.jupyterapp.commands.execute("apputils:change-theme", { theme: name })"""
CHANGED = """([cell, selector, old]) => {
  const now = cell.querySelector(selector)?.getAttribute("d");
  return window.kernelErrors.length || (now && now !== old); }"""


def open_notebook(page: Any, lab: SimpleNamespace, name: str) -> None:
    """Load a notebook of the lab's folder and wait for its kernel."""
    page.goto(f"{lab.url}/lab/tree/{name}?token={lab.token}&reset")
    page.wait_for_function(READY, timeout=PATIENCE)
    page.evaluate(WATCH)


def run_all(page: Any) -> None:
    """Run every cell; fails on an error in a cell or a callback, and on a cell left out."""
    counts = page.evaluate(RUN_ALL)
    settle(page)
    assert counts == list(range(1, len(counts) + 1)), f"cells that did not run: {counts}"


def run_notebook(page: Any, lab: SimpleNamespace, name: str) -> None:
    """Open a notebook of the repository and run every cell; `check_run` belongs to the end."""
    open_notebook(page, lab, name)
    run_all(page)


def check_run(page: Any) -> None:
    """Fails on an error that the run or a widget swallowed, on a wrong verdict of an exercise's
    check, and if an explorer does not bear that every control is moved to both its ends.
    """
    swept = json.loads(execute(page, sweep_code(turns=1)).splitlines()[-1])
    assert swept and all(each["answers"] for each in swept)
    notebook = nbformat.reads(page.evaluate(CONTENT), as_version=4)
    models = json.loads(execute(page, WIDGETS))
    assert models
    notebook.metadata["widgets"] = {STATE: {"state": models}}
    errors = swallowed_errors(notebook)
    assert not errors, "; ".join(errors)
    check_verdicts(notebook)


def execute(page: Any, code: str) -> str:
    """What code prints in the kernel; fails on an error."""
    printed = page.evaluate(EXECUTE, code)
    settle(page)
    return printed


def settle(page: Any) -> None:
    """Wait until the kernel is idle; fails on an error of a cell or a callback since the start."""
    page.wait_for_function(READY, timeout=PATIENCE)
    errors = page.evaluate("window.kernelErrors")
    assert not errors, errors


def take_errors(page: Any) -> list[str]:
    """The idle kernel's errors so far, forgotten from now on: for tests that provoke one."""
    page.wait_for_function(READY, timeout=PATIENCE)
    return page.evaluate("() => window.kernelErrors.splice(0)")


def use_theme(page: Any, name: str) -> None:
    """`JupyterLab Light` or `JupyterLab Dark`."""
    page.evaluate(THEME, name)
    light = str(name.endswith("Light")).lower()
    page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")


def explorer(page: Any, text: str) -> Any:
    """The cell whose source or output contains `text`."""
    return page.locator(".jp-Notebook .jp-Cell").filter(has_text=text)


def output(cell: Any) -> Any:
    """Where a cell shows its results."""
    return cell.locator(".jp-Cell-outputWrapper")


def picture(cell: Any, path: Path) -> None:
    """A screenshot of what a cell shows."""
    output(cell).scroll_into_view_if_needed()
    output(cell).screenshot(path=path)


def figure_data(cell: Any, trace: int = 0) -> list[float]:
    """The ordinates that a plotly figure shows, once it is drawn."""
    plot = cell.locator(".js-plotly-plot").element_handle()
    cell.page.wait_for_function("([gd, t]) => gd._fullData?.[t]?.y", arg=[plot, trace])
    return cell.locator(".js-plotly-plot").evaluate(
        "(gd, trace) => Array.from(gd._fullData[trace].y)", trace
    )


def wait_for_new_data(page: Any, cell: Any, old: list[float], trace: int = 0) -> list[float]:
    """The figure's ordinates once they differ from `old`."""
    changed = """([cell, old, trace]) => {
      const y = cell.querySelector(".js-plotly-plot")?._fullData?.[trace]?.y;
      return window.kernelErrors.length || (y && old.some((value, i) => value !== y[i])); }"""
    page.wait_for_function(changed, arg=[cell.element_handle(), old, trace])
    settle(page)
    return figure_data(cell, trace)


def drawn(cell: Any, selector: str) -> str:
    """The path that an SVG element of our own widgets draws."""
    return cell.locator(selector).first.get_attribute("d")


def wait_for_new_path(page: Any, cell: Any, selector: str, old: str) -> str:
    """The SVG path once it differs from `old` and has come to rest."""
    page.wait_for_function(CHANGED, arg=[cell.element_handle(), selector, old])
    settle(page)
    before, now = None, drawn(cell, selector)
    while before != now:
        page.wait_for_timeout(150)
        before, now = now, drawn(cell, selector)
    return now


def centre(locator: Any) -> tuple[float, float]:
    """Where an element is on the screen, scrolled into view."""
    locator.scroll_into_view_if_needed()
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Any, handle: Any, right: float, down: float, *, release: bool = True) -> None:
    """Press on an element, move in ten steps, and let go."""
    x, y = centre(handle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right, y + down, steps=10)
    if release:
        page.mouse.up()


def guess_and_open(page: Any, card: Any, words: str) -> None:
    """Choose, store, and open the answer, which must be closed before."""
    reveal = card.get_by_role("button", name="Reveal")
    assert reveal.is_disabled()
    exact = re.compile(rf"^\s*{re.escape(words)}\s*$")
    card.locator("label").filter(has_text=exact).first.locator("input").check()
    settle(page)  # the kernel knows the choice before it is asked to keep it
    card.get_by_role("button", name="Store my guess").click()
    page.wait_for_function("node => !node.disabled", arg=reveal.element_handle())
    reveal.click()


def guess_and_reveal(page: Any, card: Any, words: str) -> None:
    """As `guess_and_open`, for an answer that is a figure."""
    guess_and_open(page, card, words)
    card.locator(".js-plotly-plot").wait_for()
    settle(page)


def sketch_and_reveal(page: Any, card: Any) -> None:
    """Draw a curve on a card by mouse and by keys, store it, and look at the true one."""
    pad, reveal = card.locator(".sketch-pad"), card.get_by_role("button", name="Reveal")
    curve, store = pad.locator(".sketch-curve"), card.get_by_role("button", name="Store my guess")
    pad.scroll_into_view_if_needed()
    store.click()  # nothing is drawn, so nothing is stored
    settle(page)
    assert reveal.is_disabled() and not curve.get_attribute("d")
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.3 * box["height"], steps=10)
    page.mouse.up()
    drawn = curve.get_attribute("d")
    assert drawn.count("L") > 20
    pad.focus()
    page.keyboard.press("ArrowUp")
    assert curve.get_attribute("d") != drawn
    store.click()
    page.wait_for_function("node => !node.disabled", arg=reveal.element_handle())
    kept = curve.get_attribute("d")
    pad.focus()
    page.keyboard.press("ArrowUp")  # what is stored stays
    reveal.click()
    card.get_by_text("away from the true one").wait_for()
    settle(page)
    assert curve.get_attribute("d") == kept and pad.locator(".sketch-truth").get_attribute("d")


def first_data(page: Any, cell: Any) -> list[float]:
    """The ordinates of the second trace, once the browser has drawn it."""
    ready = "cell => cell.querySelector('.js-plotly-plot')?._fullData?.[1]?.y"
    page.wait_for_function(ready, arg=cell.element_handle())
    return figure_data(cell, 1)


def file_name(source: str) -> str:
    return "".join(letter for letter in source if letter.isascii() and letter.isalnum())
