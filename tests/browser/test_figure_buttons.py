"""Plotly's buttons stand beside a figure's title, in a narrow figure too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.figures import spectrum_figure

#: Whether a part of the title lies below one of the buttons.
COVERED = """() => {
  const at = node => node.getBoundingClientRect();
  const title = at(document.querySelector(".gtitle"));
  return [...document.querySelectorAll(".modebar-btn")].map(at).some(button =>
    button.left < title.right && button.right > title.left
    && button.top < title.bottom && button.bottom > title.top); }"""


@pytest.mark.parametrize(("orientation", "covered"), [("v", False), ("h", True)])
def test_no_button_covers_the_title(chromium: Any, tmp_path: Path, orientation: str, covered: bool):
    figure = spectrum_figure(0.9 * np.exp(1j * np.linspace(0, 3, 8)))
    assert figure.layout.template.layout.modebar.orientation == "v"
    figure.update_layout(width=420, height=420, title="largest |λ̄| 0.951; 3 of 64 modes alias")
    if orientation == "h":  # plotly's own choice, to see that the check sees
        figure.update_layout(modebar_orientation="h")
    figure.write_html(tmp_path / "figure.html", config={"displayModeBar": True})
    page = chromium.new_context(viewport={"width": 480, "height": 480}).new_page()
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector(".modebar-btn")
    assert page.locator(".modebar-btn").count() >= 4
    assert page.evaluate(COVERED) == covered
    page.context.close()
