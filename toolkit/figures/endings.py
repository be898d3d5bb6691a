"""How episodes end, and what a file's own rows say about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.data.dataset import Dataset
from toolkit.errors import UserError
from toolkit.figures.theme import LEGEND_BELOW, PALETTE, QUIET_INK, STABLE_FILL, themed

#: Hopper's healthy region, open at the top: torso angle in rad, torso height in m.
HOPPER_BOX = (-0.2, 0.2, 0.7)
_FELL, _CUT = (PALETTE[1], "x-thin-open"), (PALETTE[0], "square-open")
LAGS = (-3, -2, -1, 0, 1, 2, 3)


def last_steps(dataset: Dataset, num_steps: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The last states of every episode, its successor included: those that fell, those cut off.

    Raises:
        UserError: fewer than one step is asked for.
    """
    if num_steps < 1:
        raise UserError(f"`num_steps` must be at least 1, got {num_steps}.")
    obs, after = np.asarray(dataset.observations), np.asarray(dataset.next_observations)
    terminal = np.asarray(dataset.terminal)
    fell, cut = [], []
    for start, stop in dataset.episode_bounds():
        path = np.concatenate([obs[max(start, stop - num_steps) : stop], after[stop - 1 : stop]])
        (fell if terminal[stop - 1] else cut).append(path)
    return fell, cut


def endings_figure(
    fell: Sequence[np.ndarray],
    cut: Sequence[np.ndarray],
    dims: tuple[int, int] = (1, 0),
    box: tuple[float, float, float] = HOPPER_BOX,
) -> go.Figure:
    """Paths of the torso to the end of their episodes, and the region in which it is up.

    Paths are observations `(steps, obs)`; `dims` are its angle and its height; `box` the smallest
    and largest angle and the smallest height at which the robot has not fallen.
    """
    fig = go.Figure()
    for kind, paths, (tone, symbol) in (("terminal", fell, _FELL), ("timeout", cut, _CUT)):
        for number, path in enumerate(paths):
            fig.add_scatter(
                x=path[:, dims[0]], y=path[:, dims[1]], mode="lines", showlegend=False,
                line={"color": tone, "width": 1}, opacity=0.6, name=f"{kind} {number + 1}",
                hoverinfo="skip",
            )  # fmt: skip
        _ends(fig, kind, paths, dims, tone, symbol)
    _box(fig, box)
    fig.update_xaxes(title_text="torso angle, rad")
    fig.update_yaxes(title_text="torso height, m")
    return themed(
        fig, "Terminal: it left the blue region. Timeout: it was stopped inside.", height=460,
        margin_b=104, legend=LEGEND_BELOW,
    )  # fmt: skip


def _ends(
    fig: go.Figure, kind: str, paths: Sequence[np.ndarray], dims: tuple[int, int], tone: str,
    symbol: str, **place: Any,
) -> None:  # fmt: skip
    x, y = ([path[-1, d] for path in paths] for d in dims)
    fig.add_scatter(
        x=x, y=y, mode="markers", name=f"marked as {kind}", legendgroup=kind,
        marker={"color": tone, "symbol": symbol, "size": 9, "line": {"width": 2}},
        hovertemplate=f"{kind}<br>%{{x:.3f}}, %{{y:.3f}}<extra></extra>", **place,
    )  # fmt: skip


def _box(fig: go.Figure, box: tuple[float, float, float], **place: Any) -> None:
    left, right, bottom = box
    fig.add_shape(
        type="rect", x0=left, x1=right, y0=bottom, y1=2.0, layer="below", fillcolor=STABLE_FILL,
        line={"color": QUIET_INK, "dash": "dot", "width": 1}, **place,
    )  # fmt: skip
    fig.update_yaxes(range=[bottom - 0.12, 1.75], **place)
    fig.update_xaxes(range=[1.4 * left, 1.4 * right], **place)


def action_lags(dataset: Dataset, lags: Sequence[int] = LAGS) -> np.ndarray:
    """How much of the next state each lag's action explains beyond the state: `(lags,)`.

    R² of a linear fit of the change of state on the state and on the action `lag` rows later,
    less R² of a fit on the state alone, averaged over coordinates. In a sound file lag 0 wins.

    Raises:
        UserError: the episodes are too short for the lags.
    """
    obs, after = (
        np.asarray(dataset.observations, float),
        np.asarray(dataset.next_observations, float),
    )
    action, episode = np.asarray(dataset.actions, float), np.asarray(dataset.episode)
    usable, reach = np.asarray(dataset.valid_next), max(abs(lag) for lag in lags)
    rows = np.arange(reach, len(obs) - reach)
    inside = (episode[rows - reach] == episode[rows + reach]) & usable[rows]
    if inside.sum() < 10:
        raise UserError(f"`dataset` must have episodes of more than {2 * reach} rows.")
    rows = rows[inside]
    change = after[rows] - obs[rows]
    state = np.column_stack([obs[rows], np.ones(len(rows))])
    alone = _explained(state, change)
    gains = [_explained(np.column_stack([state, action[rows + k]]), change) - alone for k in lags]
    return np.array(gains)


def _explained(inputs: np.ndarray, outputs: np.ndarray) -> float:
    fitted = inputs @ np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    spread = np.maximum(outputs.var(0), 1e-12)
    return float(np.mean(1 - ((outputs - fitted) ** 2).mean(0) / spread))


def evidence_figure(
    dataset: Dataset,
    title: str = "",
    dims: tuple[int, int] = (1, 0),
    box: tuple[float, float, float] = HOPPER_BOX,
) -> go.Figure:
    """Four looks at a file that may be sabotaged: rewards, lengths, ends, and actions by lag."""
    fig = make_subplots(
        2, 2, horizontal_spacing=0.1, vertical_spacing=0.2,
        subplot_titles=["Rewards", "Where episodes end", "Lengths of episodes",
                        "What the action explains, by lag"],
    )  # fmt: skip
    rewards = np.asarray(dataset.rewards)
    low, high = float(rewards.min()), float(rewards.max())
    edges = np.linspace(low, high, 41) if high > low else np.array([low - 0.05, low + 0.05])
    fig.add_bar(
        x=(edges[1:] + edges[:-1]) / 2, y=np.histogram(rewards, edges)[0], name="rewards",
        width=float(edges[1] - edges[0]), marker_color=PALETTE[2], showlegend=False, row=1, col=1,
    )  # fmt: skip
    fell, cut = last_steps(dataset, 1)
    _ends(fig, "terminal", fell, dims, *_FELL, row=1, col=2)
    _ends(fig, "timeout", cut, dims, *_CUT, row=1, col=2)
    _box(fig, box, row=1, col=2)
    _lengths(fig, dataset)
    explained = action_lags(dataset)
    fig.add_bar(
        x=list(LAGS), y=explained, marker_color=PALETTE[6], showlegend=False,
        name="explained", row=2, col=2,
    )  # fmt: skip
    fig.update_xaxes(title_text="reward of a row", range=[-0.5, 6.5], row=1, col=1)
    fig.update_yaxes(title_text="rows", row=1, col=1)
    fig.update_xaxes(title_text="torso angle, rad", row=1, col=2)
    fig.update_yaxes(title_text="height, m", row=1, col=2)
    fig.update_xaxes(title_text="rows after the state", dtick=1, row=2, col=2)
    top = max(0.3, 1.1 * float(explained.max()))  # so that nothing explained looks like nothing
    fig.update_yaxes(title_text="share explained", range=[0, top], row=2, col=2)
    return themed(
        fig, title, height=620, margin_t=92, margin_b=96, barmode="stack", legend=LEGEND_BELOW
    )


def _lengths(fig: go.Figure, dataset: Dataset) -> None:
    bounds = dataset.episode_bounds()
    lengths, fell = bounds[:, 1] - bounds[:, 0], np.asarray(dataset.terminal)[bounds[:, 1] - 1]
    width = -(-int(lengths.max()) // 25)
    edges = np.arange(0, lengths.max() + width + 1, width) + 0.5
    for kind, values, (tone, _) in (
        ("terminal", lengths[fell], _FELL), ("timeout", lengths[~fell], _CUT)
    ):  # fmt: skip
        fig.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=np.histogram(values, edges)[0], width=width,
            marker_color=tone, name=kind, legendgroup=kind, showlegend=False, row=2, col=1,
        )  # fmt: skip
    fig.update_xaxes(title_text="transitions", row=2, col=1)
    fig.update_yaxes(title_text="episodes", row=2, col=1)
