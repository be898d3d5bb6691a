"""Scores of offline agents: by the number of transitions, and over sets."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.evaluation.intervals import bootstrap_interval, interquartile_mean
from toolkit.figures.checks import finite
from toolkit.figures.theme import LEGEND_BELOW, QUIET_INK, colour, line, themed


def size_figure(
    scores: Mapping[str, Mapping[int, Sequence[float]]], size: int, caption: str = ""
) -> go.Figure:
    """Left: scores over the number of transitions; right: those at one size, every seed as a ring.

    The mean of the seeds stands with a 95 % interval (bootstrap over seeds) where there are
    several. An agent without a run of that size is named, and not drawn.

    Raises:
        UserError: there are no scores, or one is not finite.
    """
    if not any(scores.values()):
        raise UserError("`scores` must hold at least one score.")
    sizes = sorted({n for found in scores.values() for n in found})
    fig = make_subplots(
        1, 2, horizontal_spacing=0.11, column_widths=[0.6, 0.4],
        subplot_titles=["all sizes", f"{size:,} transitions"],
    )  # fmt: skip
    lowest = highest = 0.0
    for at, (name, found) in enumerate(scores.items()):
        known = sorted(found)
        means = [float(np.mean(finite(name, np.asarray(found[n], float)))) for n in known]
        spans = [mean_interval(found[n]) for n in known]
        lowest = min(lowest, *(float(np.min(found[n])) for n in known))
        highest = max(highest, *(float(np.max(found[n])) for n in known))
        fig.add_scatter(
            x=known, y=means, name=name, legendgroup=name, mode="lines+markers",
            line=line(name, at), error_y=_bars(means, spans, colour(name, at)),
            hovertemplate=f"{name}, %{{x:,}} transitions: %{{y:.1f}}<extra></extra>",
            row=1, col=1,
        )  # fmt: skip
        if size in found:
            _at_size(fig, name, at, found[size])
    missing = [name for name, found in scores.items() if size not in found]
    left: dict[str, Any] = {"row": 1, "col": 1}
    fig.add_vline(x=size, line={"color": QUIET_INK, "dash": "dot", "width": 1.5}, **left)
    fig.update_xaxes(
        type="log", tickvals=sizes, ticktext=[short(n) for n in sizes], row=1, col=1,
        title_text="transitions",
    )  # fmt: skip
    margin = 0.05 * max(highest - lowest, 1.0)
    fig.update_yaxes(range=[lowest - margin, highest + margin])
    fig.update_yaxes(title_text="normalised score", row=1, col=1)
    fig.update_xaxes(
        tickvals=list(range(len(scores))), ticktext=list(scores),
        range=[-0.5, len(scores) - 0.5], row=1, col=2,
    )  # fmt: skip
    lacking = f"No run of {', '.join(missing)} at this size. " if missing else ""
    told = [f"{n} {np.mean(found[size]):.1f}" for n, found in scores.items() if size in found]
    title = f"At {size:,} transitions: {', '.join(told) or 'no runs'}"
    return _captioned(fig, title, lacking + caption, 440)


def _at_size(fig: go.Figure, name: str, at: int, values: Sequence[float]) -> None:
    mean, span = float(np.mean(values)), mean_interval(values)
    fig.add_scatter(
        x=[at - 0.13] * len(values), y=list(values), mode="markers", showlegend=False,
        legendgroup=name, hovertemplate=f"{name}, one seed: %{{y:.1f}}<extra></extra>",
        marker={"color": "white", "size": 8, "line": {"color": colour(name, at), "width": 1.5}},
        row=1, col=2,
    )  # fmt: skip
    fig.add_scatter(
        x=[at + 0.13], y=[mean], mode="markers", showlegend=False, legendgroup=name,
        marker={"color": colour(name, at), "size": 11, "symbol": "diamond"},
        error_y=_bars([mean], [span], colour(name, at)),
        hovertemplate=f"{name}, mean: %{{y:.1f}}<extra></extra>", row=1, col=2,
    )  # fmt: skip


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of a mean over seeds; none where there is a single one."""
    if len(values) < 2:
        return None
    return bootstrap_interval(np.array(values, float)[:, None], lambda s: float(s.mean()))


def _bars(
    middles: Sequence[float], spans: Sequence[tuple[float, float] | None], tone: str
) -> dict[str, object]:
    """Error bars from intervals, of length 0 where there is none."""
    pairs = [(m, m) if s is None else s for m, s in zip(middles, spans, strict=True)]
    return {
        "type": "data", "symmetric": False, "color": tone, "thickness": 1.5, "width": 4,
        "array": [max(high - m, 0.0) for m, (_, high) in zip(middles, pairs, strict=True)],
        "arrayminus": [max(m - low, 0.0) for m, (low, _) in zip(middles, pairs, strict=True)],
    }  # fmt: skip


def aggregates_figure(
    scores: Mapping[str, np.ndarray], sets: Sequence[str], caption: str = ""
) -> go.Figure:
    """Each agent's score on every set as a ring, with the mean (◆) and the IQM (■) over all.

    Intervals are 95 %, by the stratified bootstrap; there is none where a set has a single run.

    Shapes: `(runs, sets)` for each agent.
    Raises:
        UserError: there is no agent, or scores are not finite or of other sets.
    """
    if not scores:
        raise UserError("`scores` must hold at least one agent.")
    fig, names = go.Figure(), list(scores)
    for at, (name, values) in enumerate(scores.items()):
        values = finite(name, values)
        if values.ndim != 2 or not len(values) or values.shape[1] != len(sets):
            raise UserError(
                f"`{name}` must hold scores (runs, {len(sets)}), got the shape {values.shape}."
            )
        place = len(names) - 1 - at  # the first agent on top
        fig.add_scatter(
            x=values.mean(axis=0), y=[place - 0.2] * len(sets), mode="markers", name="a set",
            legendgroup="set", showlegend=at == 0, customdata=list(sets),
            marker={"color": "white", "size": 9, "line": {"color": colour(name, at), "width": 2}},
            hovertemplate="%{customdata}: %{x:.1f}<extra></extra>",
        )  # fmt: skip
        aggregates = (("mean", "diamond", 0.22, lambda s: float(s.mean())),
                      ("IQM", "square", 0.06, interquartile_mean))  # fmt: skip
        for label, symbol, up, aggregate in aggregates:
            middle = aggregate(values)
            span = bootstrap_interval(values, aggregate) if len(values) > 1 else None
            fig.add_scatter(
                x=[middle], y=[place + up], mode="markers", name=label, legendgroup=label,
                showlegend=at == 0, error_x=_bars([middle], [span], colour(name, at)),
                marker={"color": colour(name, at), "size": 11, "symbol": symbol},
                hovertemplate=f"{name}, {label}: %{{x:.1f}}<extra></extra>",
            )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(names)))[::-1], ticktext=names, showgrid=False,
        range=[-0.5, len(names) - 0.5],
    )  # fmt: skip
    fig.update_xaxes(title_text="normalised score", rangemode="tozero")
    return _captioned(fig, "Scores on every set, mean and IQM", caption, 150 + 70 * len(names))


def _captioned(fig: go.Figure, title: str, caption: str, height: int) -> go.Figure:
    """The figure with a legend and, below it, small print."""
    lines = textwrap.wrap(caption, 114)
    below = 17 * len(lines)
    fig.add_annotation(
        text="<br>".join(lines), x=0, y=0, xref="paper", yref="paper", xanchor="left",
        yanchor="top", yshift=-56, align="left", font={"size": 12, "color": QUIET_INK},
    )  # fmt: skip
    return themed(
        fig, title, height=height + below, margin_t=84, margin_b=104 + below, legend=LEGEND_BELOW
    )


def short(count: int) -> str:
    """`5k`, `1M`."""
    if count % 1_000_000 == 0:
        return f"{count // 1_000_000}M"
    return f"{count // 1000}k" if count % 1000 == 0 else f"{count:,}"
