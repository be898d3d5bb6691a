"""T-symmetry violation: as a map, over the distance to data, of groups, and as a monitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int

from toolkit.errors import UserError
from toolkit.figures.checks import finite, vector
from toolkit.figures.theme import LEGEND_BELOW, PALETTE, QUIET_INK, UNSTABLE, fill, themed

SHADES = [(0.0, "#f7fbff"), (0.35, "#9ecae1"), (0.7, "#3182bd"), (1.0, "#08306b")]
_DOTS = 250  # transitions drawn over a map, at most
_FLOOR = 1e-12  # of what a logarithm is taken
_BINS = 10


@dataclass(frozen=True)
class ViolationMap:
    """A quantity over a slice of state space, and the real transition nearest to each cell.

    `rows` are what is known of every transition: two state coordinates, the action, and the
    quantity there; `shown` says which of them lie in the slice and are drawn.

    Shapes: `x (columns,)`, `y (lines,)`; `values`, `nearest` and `distance` `(lines, columns)`;
        `rows (transitions, 4)`, `shown (transitions,)`.
    Units: `distance` in standard deviations of the data.
    """

    x: Float[np.ndarray, " columns"]
    y: Float[np.ndarray, " lines"]
    values: Float[np.ndarray, "lines columns"]
    nearest: Int[np.ndarray, "lines columns"]
    distance: Float[np.ndarray, "lines columns"]
    rows: Float[np.ndarray, "transitions 4"]
    shown: np.ndarray
    quantity: str = "ℓ_Tsym"

    def __post_init__(self):
        wanted = (len(self.y), len(self.x))
        for name in ("values", "nearest", "distance"):
            if np.shape(getattr(self, name)) != wanted:
                shape = np.shape(getattr(self, name))
                raise UserError(f"`{name}` must have the shape {wanted}, got {shape}.")


def violation_map_figure(
    drawn: ViolationMap,
    *,
    powers: tuple[float, float] = (-5.0, 0.0),
    labels: tuple[str, str] = ("angle θ, rad", "rate ω, rad/s"),
    title: str = "T-symmetry violation",
) -> go.Figure:
    """A heat map on a logarithmic scale, with real transitions as dots.

    `powers` of ten are the ends of the colour scale, the same for every map that is to be
    compared. Hovering over a cell tells the nearest real transition, and the quantity there.

    Raises:
        UserError: a value is not finite, or the ends of the scale are in the wrong order.
    """
    low, high = powers
    if not low < high:
        raise UserError(f"`powers` must rise, got {powers}.")
    values = finite("values", drawn.values)
    level = np.log10(np.maximum(values, _FLOOR))
    told = drawn.rows[drawn.nearest]  # (lines, columns, 4)
    details = np.dstack([values, told, drawn.distance, drawn.nearest])
    ticks = np.arange(np.ceil(low), high + 1)
    fig = go.Figure()
    fig.add_heatmap(
        x=drawn.x, y=drawn.y, z=np.round(level, 3), zmin=low, zmax=high, colorscale=SHADES,
        customdata=details, zsmooth=False,
        colorbar={"title": {"text": drawn.quantity, "side": "right"}, "tickvals": ticks,
                  "thickness": 14, "ticktext": [f"10<sup>{tick:.0f}</sup>" for tick in ticks]},
        hovertemplate=(
            "θ %{x:.2f}, ω %{y:.2f}: %{customdata[0]:.1e}<br>"
            "<b>nearest real transition</b>, row %{customdata[6]:.0f}<br>"
            "θ %{customdata[1]:.2f}, ω %{customdata[2]:.2f}, action %{customdata[3]:.2f}: "
            "%{customdata[4]:.1e}<br>%{customdata[5]:.2f} standard deviations away<extra></extra>"
        ),
    )  # fmt: skip
    at = np.flatnonzero(drawn.shown)
    at = at[np.unique(np.linspace(0, len(at) - 1, min(_DOTS, len(at))).astype(int))]
    fig.add_scatter(
        x=np.round(drawn.rows[at, 0], 3), y=np.round(drawn.rows[at, 1], 3), mode="markers",
        name="real transitions", hoverinfo="skip",
        marker={"color": UNSTABLE, "size": 4, "opacity": 0.75},
    )  # fmt: skip
    fig.update_xaxes(title_text=labels[0], range=_edges(drawn.x), constrain="domain")
    fig.update_yaxes(title_text=labels[1], range=_edges(drawn.y))
    return themed(fig, title, height=480, showlegend=True, legend=LEGEND_BELOW, margin_b=92)


def _edges(centres: np.ndarray) -> list[float]:
    half = (centres[-1] - centres[0]) / (2 * (len(centres) - 1))
    return [float(centres[0] - half), float(centres[-1] + half)]


def by_distance_figure(
    groups: Mapping[str, tuple[np.ndarray, np.ndarray]],
    *,
    quantity: str = "ℓ_Tsym",
    title: str = "Violation by the distance to the nearest real transition",
) -> go.Figure:
    """Median and the middle 80 % of a quantity, over its distance to data.

    Each group is `(distances, values)`, one number per place. It is cut into ten parts of equally
    many places; the curve stands at their median distances.

    Raises:
        UserError: there is no group, or one has fewer places than parts.
    """
    if not groups:
        raise UserError("`groups` must hold at least one, got none.")
    fig = go.Figure()
    for place, (name, (distance, values)) in enumerate(groups.items()):
        distance, values = vector(name, distance), np.maximum(vector(name, values), _FLOOR)
        if len(distance) != len(values) or len(values) < _BINS:
            raise UserError(
                f"{name}: {len(distance)} distances and {len(values)} values; needed are equally "
                f"many, at least {_BINS}."
            )
        parts = np.array_split(np.argsort(distance, kind="stable"), _BINS)
        x = np.array([np.median(distance[part]) for part in parts])
        low, middle, high = np.array(
            [np.quantile(values[part], [0.1, 0.5, 0.9]) for part in parts]
        ).T
        paint = PALETTE[place % len(PALETTE)]
        fig.add_scatter(
            x=np.concatenate([x, x[::-1]]), y=np.concatenate([high, low[::-1]]), fill="toself",
            fillcolor=fill(name, place), line={"width": 0}, mode="lines", hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
        fig.add_scatter(
            x=x, y=middle, name=name, mode="lines+markers", line={"color": paint, "width": 2.5}
        )
    fig.update_xaxes(title_text="distance to the nearest real transition, standard deviations")
    fig.update_yaxes(type="log", title_text=quantity, exponentformat="power", dtick=1)
    return themed(fig, title, height=420, showlegend=True, legend=LEGEND_BELOW, margin_b=104)


def groups_figure(
    groups: Mapping[str, np.ndarray], *, quantity: str = "ℓ_Tsym", title: str = ""
) -> go.Figure:
    """Quartiles as boxes, and between which values 90 % of each group lie, on a log axis.

    The first group is what the others are compared with; a dotted line marks its median.

    Raises:
        UserError: there is no group, or a value is not finite.
    """
    if not groups:
        raise UserError("`groups` must hold at least one, got none.")
    named = {name: np.maximum(vector(name, values), _FLOOR) for name, values in groups.items()}
    fig = go.Figure()
    for place, (name, values) in enumerate(named.items()):
        low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        paint = PALETTE[0] if place == 0 else PALETTE[4]
        fig.add_box(
            y=[name], q1=[first], median=[middle], q3=[third], lowerfence=[low],
            upperfence=[high], orientation="h", name=name, line={"color": paint},
            fillcolor=paint + "40", width=0.6,
        )  # fmt: skip
    reference = float(np.median(next(iter(named.values()))))
    fig.add_vline(reference, line={"color": QUIET_INK, "width": 1, "dash": "dot"})
    lowest = min(box.lowerfence[0] for box in fig.data)
    span = np.log10(max(box.upperfence[0] for box in fig.data) / lowest)
    # over less than two powers of ten, plotly finds ticks in between by itself
    dtick = 1 if span >= 2 else None
    fig.update_xaxes(type="log", title_text=quantity, exponentformat="power", dtick=dtick)
    fig.update_yaxes(autorange="reversed")
    return themed(fig, title, height=120 + 44 * len(named), showlegend=False)


def monitor_figure(
    models: Mapping[str, tuple[float, float]],
    limit: float,
    *,
    title: str = "Two ways to ask the reverse model",
) -> go.Figure:
    """Eq. 7 of each model and what Eq. 13 adds, as shares of the forward rate's own square.

    Source: arXiv:2306.04220.

    `models` holds both shares; `limit` is where the monitor calls a reverse model degenerate.

    Raises:
        UserError: there is no model, or a share is not finite.
    """
    if not models:
        raise UserError("`models` must hold at least one, got none.")
    shares = finite("models", np.asarray(list(models.values()), float))
    fig = go.Figure()
    questions = (
        "where f leads: |f(z) + g(z + f(z))|² (Eq. 7)",
        "at recorded next states: |f(z) + g(z′)|² (Eq. 13)",
    )
    for column, (name, paint) in enumerate(zip(questions, (PALETTE[0], PALETTE[1]), strict=True)):
        fig.add_scatter(
            y=list(models), x=np.maximum(shares[:, column], 1e-8), name=name, mode="markers",
            marker={"color": paint, "size": 15, "symbol": ("circle", "diamond")[column]},
            hovertemplate="%{y}: %{x:.2g}<extra></extra>",
        )  # fmt: skip
    for row, name in enumerate(models):
        ends = np.maximum(shares[row], 1e-8)
        fig.add_scatter(
            x=ends, y=[name, name], mode="lines", hoverinfo="skip", showlegend=False,
            line={"color": QUIET_INK, "width": 1},
        )  # fmt: skip
    fig.add_vline(limit, line={"color": QUIET_INK, "width": 1.5, "dash": "dash"})
    fig.update_xaxes(type="log", title_text="share of |f(z)|²", exponentformat="power", dtick=1)
    fig.update_yaxes(autorange="reversed", range=[len(models) - 0.5, -0.5])
    return themed(
        fig, title, height=190 + 56 * len(models), showlegend=True, legend=LEGEND_BELOW,
        margin_b=126,
    )  # fmt: skip
