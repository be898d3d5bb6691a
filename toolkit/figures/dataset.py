"""A dataset at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.data.dataset import Dataset
from toolkit.errors import UserError
from toolkit.figures.checks import labels_for
from toolkit.figures.theme import PALETTE, QUIET_INK, themed

MAX_ROWS = 200_000  # more do not change a histogram that one can see


def dataset_figure(
    dataset: Dataset,
    dims: Sequence[int] | None = None,
    num_episodes: int = 3,
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Coverage in four panels: observations and rewards of the first episodes, episode lengths,
    and how often each action value occurs.

    `dims` chooses the observation coordinates drawn (the first three by default), and `names`
    calls them. Observations are scaled to the standard deviation of the rows shown, so that unlike
    units share one axis.

    Raises:
        UserError: a coordinate does not exist or has no name, or no episode is asked for.
    """
    chosen = list(range(min(3, dataset.obs_dim))) if dims is None else list(dims)
    if not chosen or not all(0 <= d < dataset.obs_dim for d in chosen):
        raise UserError(f"`dims` must name coordinates in 0..{dataset.obs_dim - 1}, got {chosen}.")
    if num_episodes < 1:
        raise UserError(f"`num_episodes` must be at least 1, got {num_episodes}.")
    titles = list(names) if names else [f"observation {d}" for d in chosen]
    labels_for(titles, len(chosen), "")
    bounds = dataset.episode_bounds()
    fig = make_subplots(
        2, 2, vertical_spacing=0.2, horizontal_spacing=0.1,
        subplot_titles=["Observations", "Rewards", "Episode lengths", "Actions"],
    )  # fmt: skip
    stop = int(bounds[:num_episodes][-1, 1])
    _observations(fig, np.asarray(dataset.observations[:stop])[:, chosen], titles)
    _rewards(fig, np.asarray(dataset.rewards[:stop]))
    for boundary in bounds[1:num_episodes, 0]:
        _boundary(fig, float(boundary) - 0.5)
    _lengths(fig, bounds, np.asarray(dataset.terminal))
    _actions(fig, np.asarray(dataset.actions[:MAX_ROWS]))
    title = (
        f"{dataset.source.name}: {dataset.num_transitions:,} transitions, "
        f"{dataset.num_episodes:,} episodes"
    )
    legend = {"tracegroupgap": 40, "traceorder": "grouped"}
    return themed(fig, title, height=620, margin_t=92, barmode="stack", legend=legend)


def _observations(fig: go.Figure, rows: np.ndarray, titles: list[str]) -> None:
    scaled = (rows - rows.mean(0)) / (rows.std(0) + 1e-6)
    for position, title in enumerate(titles):
        fig.add_scatter(
            y=scaled[:, position], name=title, mode="lines",
            line={"color": PALETTE[position % len(PALETTE)], "width": 1.5}, legendgroup="obs",
            row=1, col=1,
        )  # fmt: skip
    fig.update_xaxes(title_text="row", row=1)
    fig.update_yaxes(title_text="standard deviations", row=1, col=1)


def _boundary(fig: go.Figure, row: float) -> None:
    above: dict[str, Any] = {"row": 1}  # both panels of the first row
    fig.add_vline(row, line={"color": QUIET_INK, "dash": "dot"}, **above)


def _rewards(fig: go.Figure, rewards: np.ndarray) -> None:
    fig.add_scatter(
        y=rewards, mode="lines", line={"color": PALETTE[2], "width": 1.5}, showlegend=False,
        name="reward", row=1, col=2,
    )  # fmt: skip
    fig.update_yaxes(title_text="reward", row=1, col=2)


def _lengths(fig: go.Figure, bounds: np.ndarray, terminal: np.ndarray) -> None:
    """Histogram of lengths, apart by how the episode ended."""
    lengths, fell = bounds[:, 1] - bounds[:, 0], terminal[bounds[:, 1] - 1]
    width = -(-(int(np.ptp(lengths)) + 1) // 30)  # whole transitions, 30 bars at most
    edges = np.arange(lengths.min(), lengths.max() + width + 1, width) - 0.5
    for name, values, tone in [
        ("true ends", lengths[fell], PALETTE[1]),
        ("time limits and cuts", lengths[~fell], PALETTE[0]),
    ]:
        fig.add_bar(
            x=(edges[1:] + edges[:-1]) / 2, y=np.histogram(values, edges)[0], width=width,
            name=name, marker_color=tone, legendgroup="length", row=2, col=1,
        )  # fmt: skip
    fig.update_xaxes(title_text="transitions in the episode", row=2, col=1)
    fig.update_yaxes(title_text="episodes", row=2, col=1)


def _actions(fig: go.Figure, actions: np.ndarray) -> None:
    """A step line per action coordinate: overlaid bars of several colours cannot be read."""
    edges = np.linspace(actions.min() - 1e-3, actions.max() + 1e-3, 31)
    for position, values in enumerate(actions.T):
        share = np.histogram(values, edges)[0] / len(values)
        fig.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2, y=share, name=f"action {position}", mode="lines",
            line={"shape": "hvh", "color": PALETTE[position % len(PALETTE)], "width": 1.5},
            legendgroup="action", row=2, col=2,
        )  # fmt: skip
    fig.update_xaxes(title_text="action", row=2, col=2)
    fig.update_yaxes(title_text="share of rows", rangemode="tozero", row=2, col=2)
