"""Predictions against the truth: coordinate by coordinate, and error by horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Num
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import finite, labels_for, matrix, positive, vector
from toolkit.figures.theme import LEGEND_BELOW, AnyArray, fill, line, themed


def rollout_figure(
    truth: Num[AnyArray, "time obs"],
    predictions: Mapping[str, Num[AnyArray, "_ _"]],
    dims: Sequence[int],
    dt: float = 1.0,
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Small multiples: the chosen coordinates of one trajectory, true and predicted.

    The vertical range follows the truth with room to spare: a prediction that explodes leaves the
    picture instead of flattening everything else.

    Shapes: (horizon + 1, obs) each, the start state included; `names` of the chosen `dims`.
    Units:  `dt` in seconds per environment step; with 1.0 the axis counts steps.
    Raises:
        UserError: shapes differ, a coordinate does not exist, or the truth is not finite.
    """
    true = matrix("truth", truth)
    if not dims or not all(0 <= d < true.shape[1] for d in dims):
        raise UserError(
            f"`dims` must name coordinates in 0..{true.shape[1] - 1}, got {list(dims)}."
        )
    titles = list(names) if names else [f"coordinate {d}" for d in dims]
    labels_for(titles, len(dims), "")
    columns = 1 if len(dims) == 1 else 2 if len(dims) < 7 else 3
    rows = -(-len(dims) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=titles, shared_xaxes=True,
        vertical_spacing=0.24 / rows, horizontal_spacing=0.08,
    )  # fmt: skip
    time = positive("dt", dt) * np.arange(len(true))
    curves = {"truth": true} | {n: _like(n, p, true) for n, p in predictions.items()}
    for panel, d in enumerate(dims):
        at: dict[str, Any] = {"row": panel // columns + 1, "col": panel % columns + 1}
        for position, (name, values) in enumerate(curves.items()):
            fig.add_scatter(
                x=time, y=values[:, d], name=name, legendgroup=name, mode="lines",
                line=line(name, position - 1), showlegend=panel == 0, **at,
            )  # fmt: skip
        fig.update_yaxes(range=range_of(true[:, d]), **at)
    fig.update_xaxes(title_text="environment step" if dt == 1.0 else "time, s", row=rows)
    return themed(
        fig, "Rollout", height=max(340, 110 + 180 * rows), margin_t=84, legend=LEGEND_BELOW
    )


def error_by_horizon_figure(
    curves: Mapping[str, tuple[AnyArray, AnyArray, AnyArray]],
    floors: Mapping[str, AnyArray] | None = None,
    quantity: str = "squared error, normalised",
) -> go.Figure:
    """Error after 1, 2, … environment steps on a logarithmic scale, with a band per method.

    `floors` are the predictors that any model must beat: `persistence` (nothing changes) and
    `mean` (the average state).

    Shapes: (mean, low, high) of (horizon,) per method; (horizon,) per floor.
    Raises:
        UserError: a curve is empty, not finite or negative, or its band has another length.
    """
    if not curves:
        raise UserError("`curves` must hold at least one method, got none.")
    fig = go.Figure()
    for name, values in (floors or {}).items():
        _error_line(fig, name, _errors(name, values), 0)
    for position, (name, (mean, low, high)) in enumerate(curves.items()):
        middle = _errors(name, mean)
        below, above = (_errors(f"{name} band", edge, len(middle)) for edge in (low, high))
        _band(fig, name, below, above, position)
        _error_line(fig, name, middle, position)
    fig.update_yaxes(type="log", title_text=quantity, exponentformat="power", dtick=1)
    fig.update_xaxes(title_text="horizon, environment steps", rangemode="tozero")
    return themed(fig, "Prediction error by horizon", height=420)


def range_of(values: np.ndarray, room: float = 0.35) -> list[float]:
    """Lowest and highest value with room on either side, also for a constant curve."""
    low, high = float(values.min()), float(values.max())
    margin = room * (high - low) or max(0.5 * abs(low), 0.5)
    return [low - margin, high + margin]


def _like(name: str, values: AnyArray, truth: np.ndarray) -> np.ndarray:
    """A prediction in the truth's shape; what is not finite becomes a gap."""
    array = np.asarray(values, float)
    if array.shape != truth.shape:
        raise UserError(f"`{name}` must have the truth's shape {truth.shape}, got {array.shape}.")
    return np.where(np.isfinite(array), array, np.nan)


def _errors(name: str, values: AnyArray, length: int | None = None) -> np.ndarray:
    array = vector(name, finite(name, values))
    if (array < 0).any():
        raise UserError(f"`{name}` must not be negative, got {array.min():.3g}.")
    if length is not None and len(array) != length:
        raise UserError(f"`{name}` must hold {length} values, got {len(array)}.")
    return np.maximum(array, np.finfo(np.float32).tiny)  # zero has no logarithm


def _error_line(fig: go.Figure, name: str, values: np.ndarray, position: int) -> None:
    steps = np.arange(1, len(values) + 1)
    fig.add_scatter(
        x=steps, y=values, name=name, legendgroup=name, line=line(name, position),
        mode="lines" if len(values) > 1 else "markers",
    )  # fmt: skip


def _band(fig: go.Figure, name: str, low: np.ndarray, high: np.ndarray, position: int) -> None:
    steps = np.arange(1, len(low) + 1)
    fig.add_scatter(
        x=np.concatenate([steps, steps[::-1]]), y=np.concatenate([high, low[::-1]]), fill="toself",
        fillcolor=fill(name, position), line={"width": 0}, mode="lines", legendgroup=name,
        name=f"{name} band", showlegend=False, hoverinfo="skip",
    )  # fmt: skip
