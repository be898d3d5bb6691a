"""Learning curves of agents that learn online."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Num
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import matrix, vector
from toolkit.figures.theme import LEGEND_BELOW, AnyArray, fill, line, themed

#: Control steps from one start of training to its score, and the returns of every seed there.
Curve = tuple[Num[AnyArray, " points"], Num[AnyArray, "seeds points"]]


def learning_curves_figure(
    tasks: Mapping[str, Mapping[str, Curve]], quantity: str = "return of an episode"
) -> go.Figure:
    """A panel for each task: the mean over seeds of each agent, a thin line for every seed.

    Shapes: control steps `(points,)` and returns `(seeds, points)` for each agent.
    Raises:
        UserError: there is no task, one has no agent, or shapes differ.
    """
    if not tasks or not all(tasks.values()):
        raise UserError("`tasks` must hold at least one, and each at least one agent.")
    columns = min(2, len(tasks))
    rows = -(-len(tasks) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=list(tasks), horizontal_spacing=0.1,
        vertical_spacing=0.28 / rows,
    )  # fmt: skip
    agents = list(dict.fromkeys(agent for curves in tasks.values() for agent in curves))
    shown: set[str] = set()
    for number, curves in enumerate(tasks.values()):
        at = {"row": number // columns + 1, "col": number % columns + 1}
        for agent, (steps, returns) in curves.items():
            where, each = vector("steps", steps), matrix("returns", returns)
            if each.shape[1] != len(where):
                raise UserError(
                    f"{agent}: returns must have a column for each of the {len(where)} points, got "
                    f"{each.shape[1]}."
                )
            position = agents.index(agent)
            for values in each if len(each) > 1 else []:
                fig.add_scatter(
                    x=where, y=values, mode="lines", legendgroup=agent, showlegend=False,
                    hoverinfo="skip", line={"color": fill(agent, position, 0.45), "width": 1}, **at,
                )  # fmt: skip
            seeds = f"{len(each)} seed{'s' * (len(each) > 1)}"
            fig.add_scatter(
                x=where, y=np.mean(each, axis=0), name=agent, legendgroup=agent,
                mode="lines+markers", line=line(agent, position, 3.0), marker_size=5,
                showlegend=agent not in shown,
                hovertemplate=f"{agent}, {seeds}<br>%{{x:,}} control steps: %{{y:.0f}}"
                "<extra></extra>", **at,
            )  # fmt: skip
            shown.add(agent)
    fig.update_xaxes(rangemode="tozero").update_yaxes(rangemode="tozero")
    fig.update_xaxes(title_text="control steps", row=rows)
    fig.update_yaxes(title_text=quantity, col=1)
    return themed(
        fig, "While learning: every seed, and their mean", height=120 + 300 * rows, margin_t=84,
        legend=LEGEND_BELOW,
    )  # fmt: skip
