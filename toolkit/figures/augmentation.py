"""Augmented samples: which a filter keeps, how wrong they are, and what that depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import matrix, vector
from toolkit.figures.theme import INK, LEGEND_BELOW, PALETTE, QUIET_INK, themed

KEPT, REJECTED, DATA = PALETTE[0], PALETTE[1], QUIET_INK
MAX_POINTS = 120  # drawn in the plane
NUM_BINS = 24
_APART = 1.05  # between the bars of two curves at one scale, as a factor
#: Colour, dash and symbol of each curve, told apart in black-and-white print too.
_STYLES = (
    (PALETTE[0], "solid", "circle"), (PALETTE[1], "dash", "square"),
    (PALETTE[2], "dashdot", "diamond"), (PALETTE[3], "longdash", "triangle-up"),
    (PALETTE[4], "dot", "cross"), (PALETTE[6], "longdashdot", "x"),
)  # fmt: skip

Curve = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A statistic and the ends of its interval, each `(scales,)`."""


def filter_figure(
    plane: np.ndarray,
    violation: np.ndarray,
    kept: np.ndarray,
    data_violation: np.ndarray,
    threshold: float,
    errors: np.ndarray | None = None,
    *,
    without_errors: str = "",
) -> go.Figure:
    """Left latent samples in a plane, right their ℓ_Tsym with the threshold, and their true errors.

    `errors` of the samples come from a simulator; without one, `without_errors` stands in their
    panel.

    Shapes: `plane (samples, 2)`, `violation`, `kept` (booleans) and `errors` `(samples,)`,
    `data_violation (rows,)`.
    Raises:
        UserError: a length does not fit, or a number is not finite.
    """
    plane, violation = matrix("plane", plane), vector("violation", violation)
    kept, data_violation = np.asarray(kept, bool), vector("data_violation", data_violation)
    for name, values in (("violation", violation), ("kept", kept), ("errors", errors)):
        if values is not None and len(values) != len(plane):
            raise UserError(f"`{name}` must hold {len(plane)} values, got {len(values)}.")
    fig = make_subplots(
        2, 2, specs=[[{"rowspan": 2}, {}], [None, {}]], column_widths=[0.5, 0.5],
        horizontal_spacing=0.12, vertical_spacing=0.24,
        subplot_titles=[
            f"The first {MAX_POINTS} samples, in the data's plane",
            "ℓ<sub>Tsym</sub>, and the threshold h", "True error, one step in MuJoCo",
        ],
    )  # fmt: skip
    groups = (("kept", kept, KEPT, "circle"), ("rejected", ~kept, REJECTED, "diamond"))
    for name, which, paint, symbol in groups:
        drawn = np.flatnonzero(which[:MAX_POINTS])
        fig.add_scatter(
            x=plane[drawn, 0], y=plane[drawn, 1], mode="markers", name=name, legendgroup=name,
            marker={"color": paint, "symbol": symbol, "size": 6, "opacity": 0.75}, row=1, col=1,
        )  # fmt: skip
    fig.update_xaxes(title_text="first principal component of z<sub>s</sub>", row=1, col=1)
    fig.update_yaxes(title_text="second", row=1, col=1)
    edges = _log_edges(np.concatenate([violation, data_violation]))
    _steps(fig, edges, data_violation, "data", DATA, 1, dash="dot", shown=True)
    _steps(fig, edges, violation, "samples", INK, 1, shown=True)
    fig.add_vline(
        _log10(threshold), line={"color": INK, "dash": "dash", "width": 1.5}, row=1, col=2
    )
    title = f"{kept.mean():.0%} kept"
    if errors is None:
        fig.add_annotation(
            text=without_errors or "Not measured.", x=0.5, y=0.5, xref="x3 domain",
            yref="y3 domain", font={"size": 12},
        )  # fmt: skip
        fig.update_xaxes(visible=False, row=2, col=2)
        fig.update_yaxes(visible=False, row=2, col=2)
    else:
        errors = vector("errors", errors)
        edges, medians = _log_edges(errors), []
        for name, which, paint, _ in groups:
            if which.any():
                _steps(fig, edges, errors[which], name, paint, 2)
                middle = float(np.median(errors[which]))
                line = {"color": paint, "dash": "dash", "width": 1.5}
                fig.add_vline(_log10(middle), line=line, row=2, col=2)
                medians.append(f"{middle:.3f} {name}")
        title += f"; median true error {', '.join(medians)}"
    fig.update_yaxes(title_text="share", col=2)
    return themed(fig, title, height=540, legend=LEGEND_BELOW, margin_t=92, margin_b=104)


def by_noise_figure(
    scales: Sequence[float] | np.ndarray,
    curves: Mapping[str, Curve],
    *,
    title: str,
    quantity: str,
    log: bool = True,
) -> go.Figure:
    """A statistic over the scale of the noise, with its intervals as bars, one curve per group.

    Values that are not finite (an empty group) are left out.

    Raises:
        UserError: there is no curve, or one has another length than `scales`.
    """
    scales = vector("scales", np.asarray(scales, float))
    if not curves:
        raise UserError("`curves` must hold at least one group, got none.")
    fig = go.Figure()
    for position, (name, parts) in enumerate(curves.items()):
        middle, low, high = (np.asarray(part, float) for part in parts)
        if not len(middle) == len(low) == len(high) == len(scales):
            raise UserError(f"`{name}` must hold {len(scales)} values, got {len(middle)}.")
        there = np.isfinite(middle) & np.isfinite(low) & np.isfinite(high)
        paint, dash, symbol = _STYLES[position % len(_STYLES)]
        fig.add_scatter(
            x=(scales * _APART ** (position - (len(curves) - 1) / 2))[there], y=middle[there],
            name=name, mode="lines+markers", customdata=scales[there],
            line={"color": paint, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 8, "color": paint},
            hovertemplate="noise %{customdata:g}: %{y:.3g}",
            error_y={
                "array": (high - middle)[there], "arrayminus": (middle - low)[there],
                "thickness": 1.5, "width": 4,
            },
        )  # fmt: skip
    fig.update_xaxes(
        type="log", title_text="noise, as a share of the latent's standard deviation",
        tickvals=scales, ticktext=[f"{scale:g}" for scale in scales],
    )  # fmt: skip
    fig.update_yaxes(title_text=quantity)
    if log:
        fig.update_yaxes(**_decades())
    else:
        fig.add_hline(0.0, line={"color": QUIET_INK, "width": 1, "dash": "dot"})
    return themed(fig, title, height=440, showlegend=True, legend=LEGEND_BELOW, margin_b=100)


def kept_error_figure(
    errors: np.ndarray, criteria: Mapping[str, np.ndarray], *, title: str, num_points: int = 40
) -> go.Figure:
    """Mean true error of what is kept, if each criterion keeps the share where it is smallest.

    Beside the criteria stand the best that any could do, which knows the errors, and no criterion.

    Shapes: `errors` and each criterion `(samples,)`.
    Raises:
        UserError: there is no criterion, a length does not fit, or a number is not finite.
    """
    errors = vector("errors", errors)
    if not criteria:
        raise UserError("`criteria` must hold at least one, got none.")
    shares = np.linspace(0.05, 1.0, num_points)
    fig = go.Figure()
    fig.add_hline(errors.mean(), line={"color": QUIET_INK, "width": 1.5, "dash": "dot"})
    for position, (name, values) in enumerate(criteria.items()):
        values = vector(name, values)
        if len(values) != len(errors):
            raise UserError(f"`{name}` must hold {len(errors)} values, got {len(values)}.")
        paint, dash, _ = _STYLES[position % len(_STYLES)]
        fig.add_scatter(
            x=shares, y=error_of_kept(values, errors, shares), name=name, mode="lines",
            line={"color": paint, "dash": dash, "width": 2.5},
        )  # fmt: skip
    fig.add_scatter(
        x=shares, y=error_of_kept(errors, errors, shares), name="the error itself", mode="lines",
        line={"color": INK, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    fig.update_xaxes(title_text="share kept", tickformat=".0%", range=[0, 1.02])
    fig.update_yaxes(title_text="mean true error of those kept", rangemode="tozero")
    return themed(fig, title, height=440, showlegend=True, legend=LEGEND_BELOW, margin_b=100)


def error_of_kept(criterion: np.ndarray, errors: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Mean error of the share of samples whose criterion is smallest, at least one: `(shares,)`."""
    running = np.cumsum(errors[np.argsort(criterion, kind="stable")])
    count = np.maximum(np.round(np.asarray(shares) * len(errors)).astype(int), 1)
    return running[count - 1] / count


def reach_figure(
    kinds: Mapping[str, tuple[np.ndarray, np.ndarray]],
    scales: Sequence[float] | np.ndarray,
    *,
    title: str,
    change: float | None = None,
) -> go.Figure:
    """True error over the distance from the nearest recorded state, as the noise grows.

    `kinds` are, for each augmentation, distances and errors `(scales,)`; `change` is how much a
    state changes in one step, to compare errors with.

    Raises:
        UserError: there is no augmentation, or one has another length than `scales`.
    """
    scales = np.asarray(scales, float)
    if not kinds:
        raise UserError("`kinds` must hold at least one augmentation, got none.")
    fig = go.Figure()
    for position, (name, parts) in enumerate(kinds.items()):
        reach, error = (np.asarray(part, float) for part in parts)
        if not len(reach) == len(error) == len(scales):
            raise UserError(f"`{name}` must hold {len(scales)} values, got {len(reach)}.")
        there = np.isfinite(reach) & np.isfinite(error)
        paint, dash, symbol = _STYLES[position % len(_STYLES)]
        fig.add_scatter(
            x=reach[there], y=error[there], name=name, mode="lines+markers",
            customdata=scales[there], line={"color": paint, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 8, "color": paint},
            hovertemplate="noise %{customdata:g}<br>distance %{x:.3g}<br>error %{y:.3g}",
        )  # fmt: skip
    if change is not None:
        fig.add_hline(change, line={"color": QUIET_INK, "width": 1.5, "dash": "dot"})
        fig.add_annotation(
            text="change of a state in one step", x=0.01, xref="paper", xanchor="left",
            y=_log10(change), yanchor="bottom", font={"size": 12},
        )  # fmt: skip
    fig.update_xaxes(title_text="median distance from the nearest recorded state", **_decades())
    fig.update_yaxes(title_text="median true error", **_decades())
    return themed(fig, title, height=480, showlegend=True, legend=LEGEND_BELOW, margin_b=100)


def gate_figure(
    quantiles: np.ndarray, gates: Mapping[str, np.ndarray], *, title: str, marked: float | None
) -> go.Figure:
    """Share of the samples that each gate lets through, over the quantile τ.

    Shapes: `quantiles` and each gate `(quantiles,)`.
    Raises:
        UserError: there is no gate, or one has another length than `quantiles`.
    """
    quantiles = vector("quantiles", quantiles)
    if not gates:
        raise UserError("`gates` must hold at least one, got none.")
    fig = go.Figure()
    for position, (name, shares) in enumerate(gates.items()):
        shares = vector(name, shares)
        if len(shares) != len(quantiles):
            raise UserError(f"`{name}` must hold {len(quantiles)} values, got {len(shares)}.")
        paint, dash, _ = _STYLES[position % len(_STYLES)]
        fig.add_scatter(
            x=quantiles, y=shares, name=name, mode="lines",
            line={"color": paint, "dash": dash, "width": 2.5},
        )  # fmt: skip
    if marked is not None:
        fig.add_vline(marked, line={"color": QUIET_INK, "width": 1.5, "dash": "dot"})
    fig.update_xaxes(title_text="quantile τ", range=[-0.02, 1.02])
    fig.update_yaxes(title_text="share let through", tickformat=".0%", range=[-0.04, 1.04])
    return themed(fig, title, height=420, showlegend=True, legend=LEGEND_BELOW, margin_b=100)


def _decades() -> dict:
    """A logarithmic axis with 1, 2 and 5 of each power of ten."""
    powers = 10.0 ** np.arange(-8, 4)
    return {"type": "log", "tickvals": np.outer(powers, [1, 2, 5]).ravel(), "tickformat": ".3~g"}


def _log10(value: float) -> float:
    return float(np.log10(max(value, 1e-12)))


def _log_edges(values: np.ndarray) -> np.ndarray:
    low, high = (_log10(float(v)) for v in np.quantile(values, [0.002, 0.998]))
    return np.linspace(low, max(high, low + 1e-3), NUM_BINS + 1)


def _steps(
    fig: go.Figure, edges: np.ndarray, values: np.ndarray, name: str, paint: str, row: int,
    *, dash: str = "solid", shown: bool = False,
) -> None:  # fmt: skip
    """A histogram as one line, on an axis of powers of ten; what lies outside is counted inside."""
    logs = np.clip(np.log10(np.maximum(values, 1e-12)), edges[0], edges[-1])
    share = np.histogram(logs, edges)[0] / len(values)
    fig.add_scatter(
        x=np.repeat(edges, 2), y=np.concatenate([[0], np.repeat(share, 2), [0]]), mode="lines",
        name=name, legendgroup=name, showlegend=shown,
        line={"color": paint, "width": 2, "dash": dash}, row=row, col=2,
    )  # fmt: skip
    whole = np.arange(np.floor(edges[0]), np.ceil(edges[-1]) + 1)
    ticks = (whole[:, None] + np.log10([1, 3])).ravel()
    fig.update_xaxes(
        tickvals=ticks, ticktext=[f"{10**tick:.3g}" for tick in ticks], row=row, col=2,
        range=[edges[0], edges[-1]],
    )  # fmt: skip
