"""Which part of state space a dataset touches, and what a smaller one leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.data.coverage import nearest_distances
from toolkit.errors import UserError
from toolkit.figures.checks import labels_for, matrix, vector
from toolkit.figures.theme import GRID, LEGEND_BELOW, PALETTE, themed

NUM_BINS = 32
_KEEP = 0.001  # of the rows lie beyond each edge, so that a single outlier does not rule the axes
_SHADES = [(0.0, "#b9d9ee"), (0.5, "#2f86bd"), (1.0, "#08306b")]
_NEVER, _OTHERS = -0.8, -0.3  # of a cell that no set touches, and of one that only others do
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


def coverage_figure(
    sets: Mapping[str, np.ndarray],
    dims: tuple[int, int] = (0, 1),
    num_rows: int = 1000,
    shown: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    num_bins: int = NUM_BINS,
) -> go.Figure:
    """One panel per set: how often `num_rows` of its rows fall into each cell of two coordinates.

    Grey are the cells that any set touches with all its rows; a panel's title says which share of
    them is touched. The same seeded order of rows serves every `num_rows`, so more rows only add.
    `sets` are observations `(rows, obs)`; `shown` chooses among their names.

    Raises:
        UserError: a set or coordinate does not exist, or fewer than one row is asked for.
    """
    chosen = list(sets) if shown is None else list(shown)
    if not chosen or not set(chosen) <= set(sets):
        raise UserError(f"`shown` must name some of {list(sets)}, got {chosen}.")
    if num_rows < 1:
        raise UserError(f"`num_rows` must be at least 1, got {num_rows}.")
    pairs = {name: _pair(name, rows, dims) for name, rows in sets.items()}
    labels = labels_for(names, next(iter(sets.values())).shape[1], "coordinate")
    edges = _edges(np.concatenate(list(pairs.values())), num_bins)
    anywhere = np.sum([_cells(rows, edges) for rows in pairs.values()], axis=0) > 0
    columns = min(2, len(chosen))
    counts = {name: _cells(_first(pairs[name], num_rows), edges) for name in chosen}
    fig = make_subplots(
        -(-len(chosen) // columns), columns, shared_xaxes=True, shared_yaxes=True,
        horizontal_spacing=0.05, vertical_spacing=0.12,
        subplot_titles=[f"{name}: {share(c > 0, anywhere):.0%}" for name, c in counts.items()],
    )  # fmt: skip
    for at, count in enumerate(counts.values()):
        _panel(fig, count, anywhere, edges, {"row": at // columns + 1, "col": at % columns + 1})
    rows = -(-len(chosen) // columns)
    fig.update_xaxes(title_text=labels[dims[0]], row=rows)
    fig.update_yaxes(title_text=labels[dims[1]], col=1)
    fig.update_layout(coloraxis=_colours())
    title = f"Cells touched by {num_rows:,} rows; grey: touched by any set"
    return themed(fig, title, height=170 + 230 * rows if rows > 1 else 440, margin_t=84)


def share(touched: np.ndarray, anywhere: np.ndarray) -> float:
    """Which share of the cells `anywhere` is `touched`; both boolean, of one shape."""
    return float((touched & anywhere).sum() / max(int(anywhere.sum()), 1))


def _pair(name: str, rows: np.ndarray, dims: tuple[int, int]) -> np.ndarray:
    rows = matrix(name, rows)
    if not all(0 <= d < rows.shape[1] for d in dims):
        raise UserError(
            f"`dims` must name coordinates in 0..{rows.shape[1] - 1}, got {list(dims)}."
        )
    return rows[:, list(dims)].astype(float)


def _edges(rows: np.ndarray, num_bins: int) -> list[np.ndarray]:
    low, high = np.quantile(rows, [_KEEP, 1 - _KEEP], axis=0)
    high = np.where(high > low, high, low + 1e-6)
    return [np.linspace(a, b, num_bins + 1) for a, b in zip(low, high, strict=True)]


def _cells(rows: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    return np.histogram2d(rows[:, 0], rows[:, 1], bins=(edges[0], edges[1]))[0]


def _first(rows: np.ndarray, count: int) -> np.ndarray:
    return rows[np.random.default_rng(0).permutation(len(rows))[:count]]


def _panel(
    fig: go.Figure, count: np.ndarray, anywhere: np.ndarray, edges: list[np.ndarray],
    place: dict[str, int],
) -> None:  # fmt: skip
    x, y = ((e[1:] + e[:-1]) / 2 for e in edges)
    # codes in place of NaN, which does not travel to a browser as JSON
    codes = np.where(count > 0, np.log10(np.maximum(count, 1)), np.where(anywhere, _OTHERS, _NEVER))
    fig.add_heatmap(
        x=x, y=y, z=codes.T, coloraxis="coloraxis", customdata=count.T, **place,
        hovertemplate="%{x:.3g}, %{y:.3g}<br>%{customdata:,} rows<extra></extra>",
    )  # fmt: skip


def _colours() -> dict[str, Any]:
    """White where no set was, grey where only others were, then blue by powers of ten."""
    powers = [0, 1, 2, 3]
    low, high = _NEVER, powers[-1]
    at = lambda value: (value - low) / (high - low)
    grey = (_NEVER + _OTHERS) / 2
    scale = [[0.0, "white"], [at(grey), "white"], [at(grey), GRID], [at(0), GRID]]
    scale += [[at(share * high), shade] for share, shade in _SHADES]
    bar = {"title": {"text": "rows"}, "tickvals": [_OTHERS, *powers],
           "ticktext": ["0", "1", "10", "100", "1000"], "thickness": 14}  # fmt: skip
    return {"colorscale": scale, "cmin": low, "cmax": high, "colorbar": bar}


def coverage_gap(queries: np.ndarray, kept: np.ndarray) -> float:
    """Mean distance from a query to its nearest kept row, in root mean squares over coordinates.

    Shapes: `queries` (queries, obs) and `kept` (rows, obs), both in units of standard deviations.
    """
    return float(np.mean(nearest_distances(queries, kept)))


def subsample_figure(
    sizes: Sequence[int],
    gaps: Mapping[str, Sequence[float | int] | np.ndarray],
    windows: Mapping[str, Sequence[float | int] | np.ndarray],
    horizon: int,
) -> go.Figure:
    """What each way of drawing rows leaves, by the number of rows drawn.

    `gaps` are distances from a row of the whole set to the nearest row kept (`coverage_gap`);
    `windows` how many windows of `horizon` transitions are left. Each holds one number per size.

    Raises:
        UserError: a curve has another length than `sizes`, or the two have other ways.
    """
    count = vector("sizes", np.asarray(sizes))
    if list(gaps) != list(windows):
        raise UserError(f"`windows` must have the ways {list(gaps)}, got {list(windows)}.")
    fig = make_subplots(
        1, 2, horizontal_spacing=0.12,
        subplot_titles=["Distance to the nearest row kept", f"Windows of {horizon} steps left"],
    )  # fmt: skip
    for col, curves in enumerate((gaps, windows), start=1):
        for position, (way, values) in enumerate(curves.items()):
            y = vector(way, np.asarray(values))
            if len(y) != len(count):
                raise UserError(f"`{way}` must hold {len(count)} values, got {len(y)}.")
            fig.add_scatter(
                x=count, y=y, name=way, legendgroup=way, showlegend=col == 1,
                mode="lines+markers", line={"color": PALETTE[position], "width": 2},
                marker={"size": 9, "symbol": _SYMBOLS[position]}, row=1, col=col,
            )  # fmt: skip
    marked = count[(len(count) - 1) % 2 :: 2]  # every second, the last one too
    ticks = {"tickvals": marked, "ticktext": [f"{n:,}" for n in marked]}
    fig.update_xaxes(type="log", title_text="rows kept", **ticks)
    fig.update_yaxes(rangemode="tozero")
    fig.update_yaxes(title_text="standard deviations", row=1, col=1)
    fig.update_yaxes(title_text="windows", row=1, col=2)
    title = "Fewer rows: what is left of the whole set"
    return themed(fig, title, height=420, margin_t=92, margin_b=110, legend=LEGEND_BELOW)
