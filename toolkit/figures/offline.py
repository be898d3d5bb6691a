"""Offline agents: scores while they train, what critics expect, how familiar states are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import vector
from toolkit.figures.theme import LEGEND_BELOW, PALETTE, QUIET_INK, colour, fill, line, themed
from toolkit.figures.training import column

MAX_POINTS = 40
NEAR = 0.02
"""Standard deviations; what is nearer is drawn there."""
SEED = "/"
"""Between an agent's name and the number of a seed, in the rows of a learning curve."""


def familiar_figure(distances: Mapping[str, np.ndarray], step: float) -> go.Figure:
    """The share of states that have a known one within each distance, for groups of states.

    A dotted line marks how far a state is from the next.

    Shapes: `(states,)` for each group.  Units: standard deviations, as `step`.
    Raises:
        UserError: there is no group, or a distance is not finite.
    """
    if not distances:
        raise UserError("`distances` must hold at least one group of states.")
    shares, fig = np.linspace(0, 1, 41), go.Figure()
    for at, (name, values) in enumerate(distances.items()):
        reached = np.quantile(vector(name, values), shares)
        fig.add_scatter(
            x=np.maximum(reached, NEAR).round(4), y=shares, name=name, mode="lines",
            line={"color": PALETTE[at % len(PALETTE)], "width": 2.5},
            hovertemplate="%{y:.0%} within %{x:.2f}<extra></extra>",
        )  # fmt: skip
    fig.add_vline(x=step, line={"color": QUIET_INK, "dash": "dot", "width": 1.5})
    fig.add_annotation(
        text="one step", x=float(np.log10(step)), y=0.03, xanchor="left", yanchor="bottom",
        xshift=5, font={"size": 12, "color": QUIET_INK},
    )  # fmt: skip
    fig.update_xaxes(
        type="log", title_text="distance from the nearest known state, standard deviations",
        tickvals=[0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    )  # fmt: skip
    fig.update_yaxes(title_text="share of the states", range=[-0.02, 1.02], tickformat=".0%")
    return themed(fig, "How near is what is known?", height=380, margin_b=104, legend=LEGEND_BELOW)


def score_curves_figure(
    history: Sequence[Mapping[str, float]],
    reference: float | None = None,
    quantity: str = "normalised score",
) -> go.Figure:
    """Scores over updates: a thin line for each seed, a thick one for their mean.

    A row holds `update` and scores by `agent/seed`. `reference` is a dotted line, the score of
    the data themselves. Something else than a score may be drawn, if `quantity` says what.
    """
    columns: dict[str, list[str]] = {}
    for name in dict.fromkeys(key for row in history for key in row if key != "update"):
        columns.setdefault(name.rpartition(SEED)[0], []).append(name)
    fig = go.Figure()
    for position, (agent, seeds) in enumerate(columns.items()):
        curves = [column(history, name) for name in seeds]
        steps = curves[0][0]
        for _, values in curves if len(curves) > 1 else []:
            fig.add_scatter(
                x=steps[: len(values)], y=values, mode="lines", legendgroup=agent,
                showlegend=False, hoverinfo="skip",
                line={"color": fill(agent, position, 0.45), "width": 1},
            )  # fmt: skip
        count = min(len(values) for _, values in curves)
        mean = np.mean([values[:count] for _, values in curves], axis=0)
        fig.add_scatter(
            x=steps[:count], y=mean, name=agent, legendgroup=agent, mode="lines+markers",
            line=line(agent, position, 3.0), marker_size=5,
            hovertemplate=f"{agent}, %{{x:,}} updates: %{{y:.1f}}<extra></extra>",
        )  # fmt: skip
    if reference is not None:
        _level(fig, reference, "the data's mean")
    fig.update_xaxes(title_text="updates", rangemode="tozero")
    fig.update_yaxes(title_text=quantity, rangemode="tozero")
    return themed(fig, "While training: every seed, and their mean", height=420, showlegend=True)


def _level(fig: go.Figure, height: float, text: str) -> None:
    fig.add_hline(y=height, line={"color": QUIET_INK, "dash": "dot", "width": 1.5})
    fig.add_annotation(
        text=text, x=1, xref="paper", y=height, xanchor="right", yanchor="bottom",
        font={"size": 12, "color": QUIET_INK}, bgcolor="rgba(255, 255, 255, 0.8)",
    )  # fmt: skip


def trust_figure(
    expected: Mapping[str, tuple[np.ndarray, np.ndarray]],
    distances: Mapping[str, np.ndarray],
    title: str = "What critics expect, and what comes",
) -> go.Figure:
    """Left: critics against discounted returns, a point for each step of the agents' episodes;
    right: how far each agent's actions are from the recorded ones.

    Above the dashed line a critic expects more than comes. Both axes are logarithmic, values
    below 1 are drawn at 1. Boxes hold the middle half of the rows, whiskers the middle 90 %.

    Shapes: `expected` pairs of `(points,)`, critics' first; `distances (rows,)`.
    Raises:
        UserError: there is nothing to draw, or numbers are not finite or do not fit together.
    """
    if not distances:
        raise UserError("`distances` must hold at least one agent.")
    fig = make_subplots(
        1, 2, horizontal_spacing=0.13, column_widths=[0.58, 0.42],
        subplot_titles=["along the agent's own episodes", "at recorded states"],
    )  # fmt: skip
    order, top = list(distances), 10.0
    for name, (values, real) in expected.items():
        at = order.index(name) if name in order else len(order)
        values, real = vector(name, values), vector(name, real)
        if values.shape != real.shape:
            raise UserError(f"`{name}` must have {len(values)} returns, got {len(real)}.")
        shown = np.linspace(0, len(values) - 1, min(len(values), MAX_POINTS)).astype(int)
        x, y = np.maximum(real[shown], 1.0), np.maximum(values[shown], 1.0)
        top = max(top, float(x.max()), float(y.max()))
        fig.add_scatter(
            x=np.round(x, 2), y=np.round(y, 2), mode="markers", name=name, legendgroup=name,
            marker={"color": colour(name, at), "size": 5, "opacity": 0.6},
            hovertemplate=f"{name}: %{{y:.3g}} expected, %{{x:.3g}} came<extra></extra>",
            row=1, col=1,
        )  # fmt: skip
    wide = max(10.0, *(float(real.max()) for _, real in expected.values()), 400.0)
    fig.add_scatter(
        x=[1, wide], y=[1, wide], mode="lines", hoverinfo="skip", showlegend=False,
        line={"color": QUIET_INK, "dash": "dash", "width": 1.5}, row=1, col=1,
    )  # fmt: skip
    for at, (name, values) in enumerate(distances.items()):
        _box(fig, name, at, vector(name, values))
    limit = np.log10(1.6 * max(top, 400.0))
    fig.update_xaxes(type="log", range=[-0.05, np.log10(1.2 * wide)], row=1, col=1,
                     title_text="discounted return that came", dtick=1)  # fmt: skip
    fig.update_yaxes(type="log", range=[-0.05, float(limit)], row=1, col=1,
                     title_text="expected by the critics", exponentformat="power",
                     dtick=1 if limit < 6 else 2)  # fmt: skip
    fig.update_yaxes(title_text="distance of actions (rms)", rangemode="tozero", row=1, col=2)
    fig.update_xaxes(title_text="", row=1, col=2)
    return themed(fig, title, height=440, margin_t=84, margin_b=104, legend=LEGEND_BELOW)


def _box(fig: go.Figure, name: str, at: int, values: np.ndarray) -> None:
    """A box from quantiles, so that ten thousand rows take five numbers."""
    low, first, middle, third, high = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).round(4)
    fig.add_box(
        x=[name], lowerfence=[low], q1=[first], median=[middle], q3=[third], upperfence=[high],
        name=name, legendgroup=name, showlegend=False, line={"color": colour(name, at)},
        fillcolor=fill(name, at), row=1, col=2,
    )  # fmt: skip
