"""The notebook on time reversal in a real JupyterLab: film, map with hover, cards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.browser.driving import (
    check_run,
    explorer,
    guess_and_open,
    guess_and_reveal,
    output,
    picture,
    run_notebook,
    settle,
)

FILM, MAP = "Which films run backwards?", "explore_violation(cases)"
RETURN, TRAINING = "undo step by step", "TDM of the pendulum with friction"
LEVELS = """cell => { const z = cell.querySelector(".js-plotly-plot")?._fullData?.[0]?.z;
  return z ? Array.from(z, line => Array.from(line)).flat() : null; }"""
CHANGED = f"""([cell, old]) => {{ const now = ({LEVELS})(cell);
  return window.kernelErrors.length || (now && now.some((value, i) => value !== old[i])); }}"""
BOBS = """cell => { const gd = cell.querySelector(".js-plotly-plot");
  return [1, 3, 5, 7].map(trace => gd._fullData[trace].x[1]); }"""
#: Cells whose screenshots are kept, by words of theirs that no other cell has. An editor holds
#: only the lines near the screen, so for long cells these are words of the output.
LOOKS = {
    "film": FILM, "energy": "In which pair can you tell", "return": RETURN,
    "reversal": "Running a step back", "training": TRAINING, "map": MAP,
    "distance": "Violation by the distance", "monitor": "Which of the three can pass",
    "hopper": "In which of these groups",
}  # fmt: skip


def levels(cell: Any) -> list[float]:
    """What the map's colours stand for, powers of ten."""
    return cell.element_handle().evaluate(LEVELS)


def wait_for_another_map(page: Any, cell: Any, old: list[float]) -> list[float]:
    page.wait_for_function(CHANGED, arg=[cell.element_handle(), old])
    settle(page)
    return levels(cell)


def test_time_reversal_symmetry(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "05_time_reversal_symmetry.ipynb")

    film = explorer(page, FILM)
    film.scroll_into_view_if_needed()
    before = film.element_handle().evaluate(BOBS)
    film.locator(".updatemenu-button", has_text="Play").click()
    page.wait_for_function(
        f"([cell, old]) => ({BOBS})(cell).every((x, i) => x !== old[i])",
        arg=[film.element_handle(), before],
    )

    cell = explorer(page, RETURN)
    cell.get_by_role("checkbox").click()
    cell.get_by_text("undone step by step: back at its start").wait_for()
    cell.get_by_role("checkbox").click()
    cell.get_by_text("step and flip: misses its start by").wait_for()
    cell.get_by_role("slider").first.press("Home")  # no damping
    cell.get_by_text("step and flip: back at its start").wait_for()
    settle(page)

    cell = explorer(page, TRAINING)
    cell.scroll_into_view_if_needed()
    page.wait_for_function(
        "cell => cell.querySelector('.js-plotly-plot')?._fullData?.[4]?.y?.length > 10",
        arg=cell.element_handle(),
    )

    cell = explorer(page, MAP)
    cell.scroll_into_view_if_needed()
    page.wait_for_function(LEVELS, arg=cell.element_handle())
    smooth = levels(cell)
    cell.locator("select").nth(0).select_option(label="friction, left half")
    half = wait_for_another_map(page, cell, smooth)
    cell.get_by_role("slider").first.press("End")  # the strongest torque
    pushed = wait_for_another_map(page, cell, half)
    cell.locator("select").nth(1).select_option(label="early")
    early = wait_for_another_map(page, cell, pushed)
    cell.locator("select").nth(2).select_option(label="distance to data")
    distances = wait_for_another_map(page, cell, early)
    sides = {"left": [], "right": []}
    for place, level in enumerate(distances):
        sides["left" if place % 41 < 20 else "right"].append(level)
    assert sum(sides["left"]) / len(sides["left"]) < sum(sides["right"]) / len(sides["right"])
    cell.locator("select").nth(2).select_option(label="ℓ_Tsym")
    wait_for_another_map(page, cell, distances)
    plot = cell.locator(".js-plotly-plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    cell.locator(".hoverlayer .hovertext", has_text="nearest real transition").wait_for()
    output(cell).screenshot(path=tmp_path / "05-hover.png")

    guess_and_reveal(page, explorer(page, "In which pair can you tell"), "C and D")
    guess_and_open(page, explorer(page, "how will ℓ_Tsym on the data with"), "about the same")
    guess_and_reveal(page, explorer(page, "Which of the three can pass"), "all three")
    guess_and_reveal(page, explorer(page, "In which of these groups"), "action of another row")
    for name, source in LOOKS.items():
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        assert output(cell).count()
        picture(cell, tmp_path / f"05-{name}.png")
    check_run(page)
