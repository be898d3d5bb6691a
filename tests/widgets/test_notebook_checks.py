"""The scanner finds planted errors that a notebook run lets pass, and none in a sound one."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest

from tests.notebook_checks import check_notebook, execute, swallowed_errors

SETUP = """
import contextlib
import ipywidgets, numpy as np
from IPython.display import display
from toolkit.figures import aliasing_figure
from toolkit.widgets import Choice, EigenPlane, Slider, explore, predict_first
def fragile(frequency):
    if frequency > 5: raise ValueError("planted in a figure")
    return aliasing_figure(frequency, 0.1)
def rollout(z):
    if abs(z[0]) > 2: raise ValueError("planted in a rollout")
    return (z ** np.arange(9)[:, None]).real
explorer = explore(fragile, frequency=Slider(1.0, 0.0, 9.0))
plane = EigenPlane(np.array([0.9 + 0.1j]), dt=0.1, rollout=rollout)
card = predict_first("?", Slider(1.0, 0.0, 9.0), lambda guess: fragile(guess))
slider = ipywidgets.FloatSlider(1.0, max=9.0)
panel = ipywidgets.interactive_output(lambda frequency: print(fragile(frequency).data[0].name),
                                      {"frequency": slider})
display(explorer, plane, card, panel)
"""
PLANTED = """
slider.value = 8.0
with contextlib.suppress(ValueError): explorer.controls["frequency"].value = 8.0
with contextlib.suppress(ValueError): plane.move(0, 3.0)
card.control.value = 8.0
with ipywidgets.Output():
    card.store_button.click(); card.reveal_button.click()
"""
SOUND = PLANTED.replace("8.0", "2.0").replace("3.0", "0.5")


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel imports this checkout."""
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))


def write(folder: Path, *sources: str) -> Path:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s.strip()) for s in sources])
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / "planted.ipynb")
    return folder / "planted.ipynb"


def test_planted_errors_are_found(tmp_path: Path):
    path = write(tmp_path, SETUP, PLANTED)
    before = path.read_bytes()
    errors = swallowed_errors(execute(path))  # passes: no cell failed
    places = sorted(error.split()[0] for error in errors)
    assert places == ["AnyModel", "VBoxModel", "VBoxModel", "output", "output"], errors
    assert sum("planted in a figure" in error for error in errors) == 4
    assert sum("planted in a rollout" in error for error in errors) == 1
    assert path.read_bytes() == before


def test_a_sound_notebook_passes(tmp_path: Path):
    notebook = check_notebook(write(tmp_path, SETUP, SOUND))
    assert swallowed_errors(notebook) == []


def test_a_failing_cell_is_named(tmp_path: Path):
    with pytest.raises(AssertionError, match=r"planted\.ipynb: .*ZeroDivisionError"):
        check_notebook(write(tmp_path, "1 / 0"))
