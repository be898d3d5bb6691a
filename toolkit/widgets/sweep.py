"""Work the controls of every explorer as a reader would, and time the kernel's answers."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit.widgets.explorer import Explorer
from toolkit.widgets.requirements import ipywidgets

#: Packages that compute: a redraw that enters one of them does more than draw.
COMPUTING = ("jax", "mujoco")
#: Options of a list that are tried at most: the ends, and some between them.
MOST_OPTIONS = 6


@dataclass(frozen=True)
class Answer:
    """One move of a control and the seconds until the kernel had redrawn the figure.

    `turn` counts how often the control stood there before: the first visit may compile.
    """

    control: str
    value: str
    turn: int
    seconds: float


@dataclass(frozen=True)
class Sweep:
    """All answers of one explorer; `computes` if a redraw asks a model or a simulator."""

    name: str
    computes: bool
    answers: tuple[Answer, ...]


def sweep(explorer: Explorer, turns: int = 2) -> Sweep:
    """Move each control to both its ends (lists: to their options) and back, `turns` times.

    Raises:
        Exception: whatever a redraw raises, as in the notebook.
    """
    starts, answers = explorer.values, []
    computes = False
    for turn in range(turns):
        for name, control in explorer.controls.items():
            for value in stops(control):
                if value == control.value:
                    continue
                began = time.perf_counter()
                control.value = value
                answers.append(Answer(name, str(value), turn, time.perf_counter() - began))
            control.value = starts[name]
    for name, control in explorer.controls.items():  # once more, watched, which takes its time
        for value in stops(control):
            if value != control.value and not computes:
                computes = enters(COMPUTING, lambda c=control, v=value: setattr(c, "value", v))
        control.value = starts[name]
    return Sweep(", ".join(explorer.controls), computes, tuple(answers))


def stops(control: Any) -> list[Any]:
    """Where a control is moved to: a slider's ends, some options of a list, yes if it says no."""
    if isinstance(control, ipywidgets.Checkbox):
        return [not control.value]
    if hasattr(control, "options"):
        values = [value for _, value in control._options_full]
        step = max(1, -(-(len(values) - 1) // (MOST_OPTIONS - 1)))
        return [*values[:-1:step], values[-1]]
    if isinstance(control, ipywidgets.FloatLogSlider):
        return [control.base**control.min, control.base**control.max]
    return [control.min, control.max]


def enters(packages: Sequence[str], act: Callable[[], None]) -> bool:
    """Whether a call runs Python code of one of these packages."""
    found = False

    def watch(frame: Any, event: str, _argument: Any) -> None:
        nonlocal found
        if event == "call" and not found:
            found = frame.f_globals.get("__name__", "").partition(".")[0] in packages

    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # JAX is called at every collection of garbage
    sys.setprofile(watch)
    try:
        act()
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
    return found
