"""The failure museum in a real JupyterLab: a dial, a guess, an exhibit, and two diagnoses."""

from __future__ import annotations

import re
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

MUSEUM, DOSES = "explore_museum(museum)", "def doses"
REPORT = "look better, not worse"


def test_the_failure_museum(patient: Any, lab: SimpleNamespace, tmp_path: Path):
    page = patient
    run_notebook(page, lab, "11_failure_museum.ipynb")

    guess_and_reveal(page, explorer(page, REPORT), "three")
    explorer(page, DOSES).get_by_role("slider").last.press("End")  # a step of two seconds
    settle(page)

    room = explorer(page, MUSEUM)
    for cause, word in (("a positive real part", "Not yet"), ("windows cross", "Correct")):
        room.locator("label").filter(has_text=re.compile(cause)).first.click()
        room.get_by_role("button", name="Diagnose").click()
        room.get_by_role("status").filter(has_text=word).wait_for()
    settle(page)
    room.get_by_role("slider").press("End")  # the last exhibit
    settle(page)
    room.get_by_role("status").wait_for(state="detached")  # what was said of the last one
    for name, source in (("museum", MUSEUM), ("doses", DOSES), ("report", REPORT)):
        cell = explorer(page, source)
        assert not cell.locator("[data-mime-type='application/vnd.jupyter.stderr']").count()
        assert output(cell).count()
        picture(cell, tmp_path / f"11-{name}.png")
    check_run(page)
