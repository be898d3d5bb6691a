"""Learning curves from the rows of a metrics file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from toolkit.figures.theme import line, themed


def training_figure(
    history: Sequence[Mapping[str, float]],
    metrics: Sequence[str] | None = None,
    x: str = "update",
    title: str = "Training",
) -> go.Figure:
    """One curve per metric over `x`, by default the number of updates.

    The vertical axis is logarithmic where all values are positive. A row is a mapping from metric
    to number and holds `x`; a metric may be missing from some rows. A value that is not finite is
    a gap. `metrics` chooses and orders the curves; without it, all.
    """
    rows = list(history)
    chosen = list(metrics) if metrics is not None else metric_names(rows, x)
    fig = go.Figure()
    for position, name in enumerate(chosen):
        steps, values = column(rows, name, x)
        fig.add_scatter(
            x=steps, y=values, name=name, line=line(name, position), mode=curve_mode(len(steps))
        )
    fig.update_xaxes(title_text=x)
    fig.update_yaxes(
        type=axis_type(rows, chosen), exponentformat="power", title_text="value of the metric",
        minor_showgrid=True,
    )  # fmt: skip
    return themed(fig, title, height=360, showlegend=True)


def metric_names(rows: Sequence[Mapping[str, float]], x: str = "update") -> list[str]:
    """Every key but `x`, in the order in which they appear."""
    return [name for name in dict.fromkeys(key for row in rows for key in row) if name != x]


def column(
    rows: Sequence[Mapping[str, float]], name: str, x: str = "update"
) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of the rows that hold `name`; what is not finite becomes NaN."""
    pairs = [(row[x], row[name]) for row in rows if name in row and x in row]
    steps, values = np.asarray(pairs, float).reshape(-1, 2).T
    return steps, np.where(np.isfinite(values), values, np.nan)


def axis_type(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> str:
    """`log` if every finite value is positive and there is one, else `linear`."""
    values = np.asarray([row[name] for row in rows for name in names if name in row], float)
    values = values[np.isfinite(values)]
    return "log" if values.size and (values > 0).all() else "linear"


def curve_mode(count: int) -> str:
    """A single point is drawn as a marker, since a line of one point shows nothing."""
    return "lines" if count > 1 else "markers"
