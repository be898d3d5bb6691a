"""Planning: candidates and elites of a plan, what a model believed, and what a plan is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import matrix, positive, vector
from toolkit.figures.theme import (
    INK,
    LEGEND_BELOW,
    PALETTE,
    QUIET_INK,
    fill,
    line,
    themed,
)

MAX_DRAWN = 80  # candidates, of each of the two groups
_CANDIDATE, _ELITE = "rgba(107, 114, 128, 0.25)", "rgba(0, 114, 178, 0.45)"


def plan_figure(
    candidates: np.ndarray,
    elites: np.ndarray,
    values: np.ndarray,
    *,
    dt: float,
    believed: np.ndarray,
    happened: np.ndarray | None = None,
    goal: float | None = None,
    title: str = "",
    quantity: str = "angle, rad",
) -> go.Figure:
    """One iteration of a plan: left where each sequence leads by the model, right their values.

    `believed` is where the model thinks that the plan leads, `happened` where the system went when
    the plan was carried out; `goal` a level to reach.

    Shapes: `candidates (samples, time)`, the start state included; `elites (samples,)` booleans,
    `values (samples,)`; `believed` and `happened` `(time,)`.
    Units:  `dt` in seconds per step.
    Raises:
        UserError: lengths do not fit, nothing is an elite, or a number is not finite.
    """
    paths, values = matrix("candidates", candidates), vector("values", values)
    best = np.asarray(elites, bool)
    for name, given in (("elites", best), ("values", values)):
        if len(given) != len(paths):
            raise UserError(f"`{name}` must hold {len(paths)} entries, got {len(given)}.")
    if not best.any():
        raise UserError("`elites` must name at least one candidate.")
    time = positive("dt", dt) * np.arange(paths.shape[1])
    fig = make_subplots(
        1, 2, column_widths=[0.68, 0.32], horizontal_spacing=0.1,
        subplot_titles=["Where each sequence leads, by the model", "What it is worth"],
    )  # fmt: skip
    groups = (("candidates", ~best, _CANDIDATE, 1.0), ("elites", best, _ELITE, 1.5))
    for name, which, paint, width in groups:
        drawn = paths[which][:MAX_DRAWN]
        fig.add_scatter(
            x=_joined(np.broadcast_to(time, drawn.shape)), y=_joined(drawn).round(3), name=name,
            mode="lines", line={"color": paint, "width": width}, hoverinfo="skip", row=1, col=1,
        )  # fmt: skip
    for name, path, style in (
        ("the plan, as believed", believed, {"color": PALETTE[1], "width": 3, "dash": "dash"}),
        ("what happened", happened, {"color": INK, "width": 3}),
    ):
        if path is not None:
            path = vector(name, path)
            if len(path) != len(time):
                raise UserError(f"`{name}` must hold {len(time)} values, got {len(path)}.")
            fig.add_scatter(
                x=time, y=path.round(4), name=name, mode="lines", line=style, row=1, col=1
            )
    if goal is not None:
        fig.add_hline(goal, line={"color": PALETTE[2], "width": 1.5, "dash": "dot"}, row=1, col=1)
    edges = np.linspace(values.min(), values.max() + 1e-9, 25)
    for _, which, paint, _ in groups:
        counts, _ = np.histogram(values[which], edges)
        fig.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, width=np.diff(edges), showlegend=False,
            marker={"color": paint, "line_width": 0}, hovertemplate="%{x:.3g}: %{y}", row=1, col=2,
        )  # fmt: skip
    fig.update_xaxes(title_text="time from now, s", row=1, col=1)
    fig.update_yaxes(title_text=quantity, row=1, col=1)
    fig.update_xaxes(title_text="sum of predicted rewards", row=1, col=2)
    fig.update_yaxes(title_text="sequences", row=1, col=2)
    fig.update_layout(barmode="stack", bargap=0)
    return themed(fig, title, height=480, legend=LEGEND_BELOW, margin_t=92, margin_b=104)


def _joined(paths: np.ndarray) -> np.ndarray:
    """Many curves as one, with gaps between them."""
    gaps = np.full((len(paths), 1), np.nan)
    return np.concatenate([paths, gaps], axis=1).ravel()


def control_figure(
    states: Mapping[str, np.ndarray],
    actions: Mapping[str, np.ndarray],
    *,
    dt: float,
    title: str = "",
    goal: float | None = None,
    quantities: Sequence[str] = ("angle, rad", "action"),
) -> go.Figure:
    """One coordinate over time above the actions, for each controller.

    Shapes: states `(time + 1,)`, actions `(time,)`, for the same names.
    Units:  `dt` in seconds per step.
    Raises:
        UserError: the names differ, there is none, or actions and states do not fit together.
    """
    if not states or set(states) != set(actions):
        raise UserError(
            f"`states` and `actions` must be of the same controllers, at least one, got "
            f"{', '.join(states) or 'none'} and {', '.join(actions) or 'none'}."
        )
    positive("dt", dt)
    fig = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.08)
    for place, (name, path) in enumerate(states.items()):
        path, taken = vector(name, path), vector(name, actions[name])
        if len(path) != len(taken) + 1:
            raise UserError(
                f"`states` of {name} must hold one more than its {len(taken)} actions, got "
                f"{len(path)}."
            )
        common: dict[str, Any] = {"name": name, "legendgroup": name, "mode": "lines"}
        fig.add_scatter(
            x=dt * np.arange(len(path)), y=path.round(4), line=line(name, place), **common,
            row=1, col=1,
        )  # fmt: skip
        style = line(name, place) | {"shape": "hv"}
        fig.add_scatter(
            x=dt * np.arange(len(taken)), y=taken.round(4), line=style, showlegend=False, **common,
            row=2, col=1,
        )  # fmt: skip
    if goal is not None:
        fig.add_hline(goal, line={"color": QUIET_INK, "width": 1.5, "dash": "dot"}, row=1, col=1)
    fig.update_yaxes(title_text=quantities[0], row=1, col=1)
    fig.update_yaxes(title_text=quantities[1], range=[-1.1, 1.1], row=2, col=1)
    fig.update_xaxes(title_text="time, s", row=2, col=1)
    return themed(fig, title, height=500, legend=LEGEND_BELOW, margin_b=104)


def by_horizon_figure(
    horizons: Sequence[int],
    returns: Mapping[str, np.ndarray],
    *,
    title: str = "",
    quantity: str = "return",
) -> go.Figure:
    """Returns over the steps planned ahead: the mean of each controller and every start.

    Shapes: `(horizons, starts)` each.
    Raises:
        UserError: there is no controller, or one has another number of horizons.
    """
    if not returns:
        raise UserError("`returns` must hold at least one controller, got none.")
    steps = vector("horizons", np.asarray(horizons, float))
    fig = go.Figure()
    for place, (name, values) in enumerate(returns.items()):
        values = matrix(name, values)
        if len(values) != len(steps):
            raise UserError(f"`{name}` must hold {len(steps)} horizons, got {len(values)}.")
        fig.add_scatter(
            x=np.repeat(steps, values.shape[1]), y=values.ravel().round(2), mode="markers",
            legendgroup=name, showlegend=False, hoverinfo="skip",
            marker={"color": fill(name, place, 0.35), "size": 6},
        )  # fmt: skip
        fig.add_scatter(
            x=steps, y=values.mean(axis=1).round(2), mode="lines+markers", name=name,
            legendgroup=name, line=line(name, place, 2.5), marker={"size": 9},
        )  # fmt: skip
    fig.update_xaxes(
        title_text="steps planned ahead", type="log", tickvals=steps,
        ticktext=[f"{step:g}" for step in steps],
    )  # fmt: skip
    fig.update_yaxes(title_text=quantity)
    return themed(fig, title, height=440, showlegend=True, legend=LEGEND_BELOW, margin_b=100)
