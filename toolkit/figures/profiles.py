"""Scores of several agents over several tasks, as profiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.evaluation.intervals import performance_profile, profile_interval
from toolkit.figures.theme import QUIET_INK, fill, line, themed

POINTS = 101


def profile_figure(scores: Mapping[str, np.ndarray], marked: float | None = None) -> go.Figure:
    """Performance profiles: the share of runs whose score is above each threshold.

    A curve that lies above another everywhere is better at every level of ambition; where two
    cross, which is better depends on what is asked. Bands are 95 % intervals for each threshold
    (stratified bootstrap), and are left out where a task has a single run. At the threshold that
    is `marked`, the title says every agent's share.

    Shapes: `(runs, tasks)` for each agent, normalised scores.
    Source: arXiv:2108.13264 §4.2.
    Raises:
        UserError: there is no agent, or scores are not finite.
    """
    if not scores:
        raise UserError("`scores` must hold at least one agent.")
    for name, values in scores.items():
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise UserError(f"`{name}` must hold finite scores (runs, tasks), got {values!r}.")
    top = max(100.0, max(float(values.max()) for values in scores.values()))
    low = min(0.0, min(float(values.min()) for values in scores.values()))
    thresholds = np.linspace(low, top, POINTS)
    fig = go.Figure()
    for number, (name, values) in enumerate(scores.items()):
        if len(values) > 1:
            below, above = profile_interval(values, thresholds)
            fig.add_scatter(
                x=np.concatenate([thresholds, thresholds[::-1]]),
                y=np.concatenate([above, below[::-1]]), fill="toself", line={"width": 0},
                fillcolor=fill(name, number), hoverinfo="skip", showlegend=False,
                legendgroup=name,
            )  # fmt: skip
        fig.add_scatter(
            x=thresholds, y=performance_profile(values, thresholds), name=name, mode="lines",
            line=line(name, number) | {"shape": "hv"}, legendgroup=name,
        )  # fmt: skip
    fig.update_xaxes(title_text="normalised score τ", range=[low, top])
    fig.update_yaxes(title_text="share of runs above τ", range=[-0.02, 1.02])
    title = "Performance profiles"
    if marked is not None:
        fig.add_vline(x=marked, line={"color": QUIET_INK, "dash": "dot", "width": 1.5})
        at = np.array([marked], float)
        shares = [f"{n} {performance_profile(v, at)[0]:.0%}" for n, v in scores.items()]
        title = f"Runs with a score above {marked:g}: {', '.join(shares)}"
    return themed(fig, title, height=420)
