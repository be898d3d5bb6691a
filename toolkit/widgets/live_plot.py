"""Learning curves that grow while a model trains."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from toolkit.figures.training import training_figure
from toolkit.widgets.support import has_widgets


class LivePlot:
    """A training figure to which rows are added; drawn at most once per `every` seconds.

    Show it before the loop (`display(plot)`), call `add` inside, and `close` (or leave the `with`
    block) to draw the last rows. `history` keeps every row. Where the widget packages are missing,
    rows are kept and `figure()` draws them. `x` says what the steps count. `view` draws the rows
    in another way than `training_figure`, which `metrics` and `title` are for.

    Units: `every` in seconds.
    """

    def __init__(
        self,
        metrics: Sequence[str] | None = None,
        *,
        every: float = 0.5,
        title: str = "Training",
        x: str = "update",
        view: Callable[[Sequence[dict[str, float]]], go.Figure] | None = None,
    ):
        self.history: list[dict[str, float]] = []
        self._x, self._view = x, view
        self._metrics, self._every, self._title = metrics, every, title
        self._drawn, self._last_draw = 0, -float("inf")
        self._live = self._make_live() if has_widgets() else None

    def add(self, step: int | float, **values: float) -> None:
        """Append one row: where on the axis, usually the updates done, and the metrics there.

        Metrics whose names are not Python names go in as `add(step, **{"loss/critic": 0.1})`.
        """
        numbers = {name: float(value) for name, value in values.items()}
        self.history.append({self._x: float(step), **numbers})
        if time.monotonic() - self._last_draw >= self._every:
            self.draw()

    def draw(self) -> None:
        """Draw every row so far, now."""
        self._last_draw = time.monotonic()
        if self._live is not None and self._drawn != len(self.history):
            self._live.show(self.figure())
        self._drawn = len(self.history)

    def figure(self, max_points: int = 2000) -> go.Figure:
        """The curves as a plain figure, thinned to `max_points` rows."""
        stride = -(-len(self.history) // max_points) or 1
        rows = self.history[::stride]
        if rows and rows[-1] is not self.history[-1]:
            rows = [*rows, self.history[-1]]
        if self._view is not None:
            return self._view(rows)
        return training_figure(rows, self._metrics, self._x, self._title)

    def close(self) -> None:
        """Draw what is left."""
        self.draw()

    def __enter__(self) -> LivePlot:
        return self

    def __exit__(self, *_problem: Any) -> None:
        self.close()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        shown = self._live if self._live is not None else self.figure()
        return shown._repr_mimebundle_(**options)

    def _make_live(self) -> Any:
        from toolkit.widgets.live import LiveFigure

        return LiveFigure(self.figure())
