"""Controls described without a widget library, so that they work, and are tested, without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.errors import UserError


@dataclass(frozen=True)
class Slider:
    """A number between `low` and `high`. Three whole numbers make a slider of whole numbers.

    With `log`, the slider moves in powers of ten, for learning rates and the like.

    Raises:
        UserError: `start` lies outside, or `log` meets a bound that is not positive.
    """

    start: float | int
    low: float | int
    high: float | int
    step: float | int | None = None
    log: bool = False
    label: str | None = None

    def __post_init__(self):
        if not self.low <= self.start <= self.high or self.low == self.high:
            raise UserError(
                f"`start` must lie between `low` {self.low} and `high` {self.high}, "
                f"got {self.start}."
            )
        if self.log and self.low <= 0:
            raise UserError(f"`low` of a logarithmic slider must be positive, got {self.low}.")

    def ends(self) -> tuple[Any, ...]:
        """The extreme values: what a test of the figure function must try."""
        return self.low, self.high

    @property
    def whole(self) -> bool:
        """Whether the slider moves over whole numbers."""
        numbers = (self.start, self.low, self.high, 1 if self.step is None else self.step)
        return not self.log and all(isinstance(number, int) for number in numbers)


@dataclass(frozen=True)
class Choice:
    """One of several options, a sequence of values or a mapping from name to value.

    Without `start` the first is chosen. With `dial`, a slider moves along the options in place of
    a list that opens.
    """

    options: Sequence[Any] | Mapping[str, Any]
    start: Any = None
    label: str | None = None
    dial: bool = False

    def __post_init__(self):
        if not self.options:
            raise UserError("`options` must hold at least one value, got none.")
        if self.start is None:
            object.__setattr__(self, "start", self.ends()[0])

    def ends(self) -> tuple[Any, ...]:
        """Every option: what a test of the figure function must try."""
        if isinstance(self.options, Mapping):
            return tuple(self.options.values())
        return tuple(self.options)


@dataclass(frozen=True)
class Toggle:
    """Yes or no."""

    start: bool = False
    label: str | None = None

    def ends(self) -> tuple[Any, ...]:
        """Both answers."""
        return False, True


@dataclass(frozen=True)
class Sketch:
    """A curve to be drawn by hand: a height between `low` and `high` at each place of `x`.

    Raises:
        UserError: there are fewer than two places, or the bounds do not make an axis.
    """

    x: Sequence[float | int] | np.ndarray
    low: float
    high: float
    log: bool = False
    x_label: str = ""
    y_label: str = ""

    def __post_init__(self):
        if len(self.x) < 2:
            raise UserError(f"`x` must hold at least two places, got {len(self.x)}.")
        if not self.low < self.high or (self.log and self.low <= 0):
            kind = "positive and " if self.log else ""
            raise UserError(f"`low` must be {kind}below `high` {self.high}, got {self.low}.")

    @property
    def start(self) -> np.ndarray:
        """A level line in the middle, `(points,)`."""
        return self.values(np.full(len(self.x), 0.5))

    def values(self, heights: np.ndarray) -> np.ndarray:
        """What shares of the axis mean."""
        if self.log:
            return self.low * (self.high / self.low) ** np.asarray(heights, float)
        return self.low + (self.high - self.low) * np.asarray(heights, float)

    def heights(self, curve: Any) -> np.ndarray:
        """Shares of the axis of a curve `(points,)`; what lies beyond an end counts as that end.

        Raises:
            UserError: it has another number of points, or one that is not a number.
        """
        values = np.asarray(curve, float)
        if values.shape != (len(self.x),) or np.isnan(values).any():
            raise UserError(f"A curve must hold {len(self.x)} numbers, got {values.shape}.")
        inside = np.clip(values, self.low, self.high)
        if self.log:
            return np.log(inside / self.low) / np.log(self.high / self.low)
        return (inside - self.low) / (self.high - self.low)

    def ends(self) -> tuple[Any, ...]:
        """Level lines at the bottom and at the top."""
        return self.values(np.zeros(len(self.x))), self.values(np.ones(len(self.x)))


Control = Slider | Choice | Toggle


def start_of(control: Any) -> Any:
    """First value of a control, ours or an ipywidget."""
    return control.start if isinstance(control, Control) else control.value


def build(name: str, control: Any) -> Any:
    """The ipywidget of a control; an ipywidget is returned as it is."""
    if not isinstance(control, Control):
        return control
    from toolkit.widgets.requirements import ipywidgets as ipw

    look: dict[str, Any] = {
        "description": control.label or name.replace("_", " "),
        "style": {"description_width": "150px"},
        "layout": {"width": "min(100%, 560px)"},
        "value": control.start,
    }
    if isinstance(control, Toggle):
        return ipw.Checkbox(**look, indent=True)
    if isinstance(control, Choice):
        if control.dial and len(control.ends()) > 1:
            named = control.options
            pairs = list(named.items() if isinstance(named, Mapping) else named)
            return ipw.SelectionSlider(**look, options=pairs)
        return ipw.Dropdown(**look, options=control.options)
    return _build_slider(ipw, control, look)


def _build_slider(ipw: Any, control: Slider, look: dict[str, Any]) -> Any:
    from math import log10

    if control.log:
        limits = {"min": log10(control.low), "max": log10(control.high)}
        return ipw.FloatLogSlider(**look, **limits, step=control.step or 0.05)
    limits = {"min": control.low, "max": control.high}
    if control.whole:
        return ipw.IntSlider(**look, **limits, step=int(control.step or 1))
    step = control.step or (control.high - control.low) / 100
    return ipw.FloatSlider(**look, **limits, step=step, readout_format=".4g")
