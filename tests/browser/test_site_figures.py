"""Figures of the documentation site are drawn and move, from files alone, without a network."""

from __future__ import annotations

import base64
import json
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from toolkit.docs.notebooks import figure_html

STATIC = Path(__file__).parents[2] / "docs" / "static"
CURVE = """place => { const trace = place.querySelector(".js-plotly-plot")._fullData[0];
  return [Array.from(trace.x), Array.from(trace.y)]; }"""


@pytest.fixture
def page_of_figures(tmp_path: Path) -> Path:
    """A page with a plain figure, and far below it one whose numbers are stored as bytes."""
    figure = json.loads(
        go.Figure(go.Scatter(x=[0, 1, 2], y=[3, 1, 2]), {"hovermode": "x"}).to_json()
    )
    values = {"dtype": "f4", "shape": "2", "bdata": packed(1.5, 2.5)}
    stored = {"data": [{"type": "scatter", "x": [0, 1], "y": values}], "layout": {"width": 3000}}
    shutil.copy(STATIC / "figures.js", tmp_path)
    plotly = distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
    shutil.copy(str(plotly), tmp_path / "plotly.min.js")
    raw = [figure_html(one).partition("\n\n")[2].rpartition("\n")[0] for one in (figure, stored)]
    page = tmp_path / "page.html"
    page.write_text(
        f'<!doctype html><script defer src="figures.js"></script>{raw[0]}'
        f'<div style="height: 5000px"></div>{raw[1]}'
    )
    return page


def packed(*numbers: float) -> str:
    return base64.b64encode(np.array(numbers, np.float32).tobytes()).decode()


def test_a_figure_is_drawn_when_the_reader_comes_near_and_answers(
    chromium: Any, page_of_figures: Path
):
    context = chromium.new_context(viewport={"width": 800, "height": 600})
    page, problems, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_of_figures.as_uri())
    first, second = (page.locator(".plotly-figure").nth(i) for i in (0, 1))
    page.wait_for_selector(".plotly-figure[data-drawn]")
    assert first.evaluate(CURVE) == [[0, 1, 2], [3, 1, 2]]
    assert second.get_attribute("data-drawn") is None

    first.locator(".plotly .drag.nsewdrag").hover()
    page.wait_for_selector(".hoverlayer .hovertext")

    second.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelectorAll('[data-drawn]').length === 2")
    assert second.evaluate(CURVE) == [[0, 1], [1.5, 2.5]]
    assert second.locator(".main-svg").first.bounding_box()["width"] < 800

    assert problems == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert sum("plotly.min.js" in url for url in asked) == 1
    context.close()
