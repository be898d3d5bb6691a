"""Datasets of several qualities side by side, and the policies behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.data.dataset import Dataset
from toolkit.errors import UserError
from toolkit.figures.checks import finite, matrix, vector
from toolkit.figures.theme import INK, LEGEND_BELOW, PALETTE, QUIET_INK, themed

#: Colour, dash and marker of each quality: the same in every figure.
LOOKS: dict[str, tuple[str, str, str]] = {
    "random": (PALETTE[7], "dot", "x-thin-open"),
    "medium": (PALETTE[0], "solid", "circle"),
    "expert": (PALETTE[2], "dash", "square"),
    "medium-replay": (PALETTE[1], "dashdot", "triangle-up"),
    "medium-expert": (PALETTE[3], "longdash", "diamond"),
    "full-replay": (PALETTE[4], "longdashdot", "cross"),
}
MAX_MARKS = 32  # per set and panel; of more episodes, evenly spaced ones are drawn
_FLOOR = -30.0  # what is less likely still is counted at this edge


def looks(name: str, position: int = 0) -> tuple[str, str, str]:
    """Colour, dash and marker of a quality; an unknown name gets the palette's at `position`."""
    return LOOKS.get(name, (PALETTE[position % len(PALETTE)], "solid", "circle"))


def qualities_figure(sets: Mapping[str, Dataset]) -> go.Figure:
    """Return and length of every episode, and how often each action value occurs, set by set.

    Raises:
        UserError: no set is given.
    """
    if not sets:
        raise UserError("`sets` must hold at least one dataset, got none.")
    fig = make_subplots(
        2, 2, specs=[[{}, {}], [{"colspan": 2}, None]], horizontal_spacing=0.06,
        vertical_spacing=0.2, row_heights=[0.55, 0.45], shared_yaxes=True,
        subplot_titles=["Return of each episode", "Length of each episode", "Action values"],
    )  # fmt: skip
    for position, (name, dataset) in enumerate(sets.items()):
        returns, lengths = episodes_of(dataset)
        for col, values in ((1, returns), (2, lengths)):
            _strip(fig, name, position, values, col)
        _actions(fig, name, position, np.asarray(dataset.actions))
    ticks = {"tickvals": list(range(len(sets))), "ticktext": list(sets)}
    fig.update_yaxes(**ticks, range=[len(sets) - 0.5, -0.5], showgrid=False, row=1)
    fig.update_xaxes(title_text="sum of rewards", row=1, col=1)
    fig.update_xaxes(title_text="transitions (logarithmic)", type="log", dtick=1, row=1, col=2)
    fig.update_xaxes(title_text="value, all action coordinates", row=2, col=1)
    fig.update_yaxes(title_text="share of values", rangemode="tozero", row=2, col=1)
    return themed(
        fig, "The same robot, recorded with different policies", height=640, margin_t=92,
        margin_b=96, legend=LEGEND_BELOW,
    )  # fmt: skip


def episodes_of(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Sum of rewards and number of transitions per episode, each `(episodes,)`."""
    bounds = dataset.episode_bounds()
    returns = np.add.reduceat(np.asarray(dataset.rewards, float), bounds[:, 0])
    return returns, bounds[:, 1] - bounds[:, 0]


def _strip(fig: go.Figure, name: str, position: int, values: np.ndarray, col: int) -> None:
    """A mark per episode, spread over the height of its row, and the median as a bar."""
    tone, _, symbol = looks(name, position)
    few = _evenly(values)
    spread = np.random.default_rng(0).uniform(-0.28, 0.28, len(few))
    fig.add_scatter(
        x=few, y=position + spread, mode="markers", name=name, showlegend=False,
        marker={"color": tone, "symbol": symbol, "size": 6, "opacity": 0.7, "line": {"width": 1}},
        row=1, col=col,
    )  # fmt: skip
    middle = float(np.median(values))
    fig.add_scatter(
        x=[middle] * 2, y=[position - 0.4, position + 0.4], mode="lines", showlegend=False,
        line={"color": INK, "width": 3}, name="median", row=1, col=col,
        hovertemplate=f"{name}: median {middle:,.0f}<extra></extra>",
    )  # fmt: skip


def _evenly(values: np.ndarray) -> np.ndarray:
    """At most `MAX_MARKS` of the values, evenly spaced in their order of size, both ends too."""
    count = min(len(values), MAX_MARKS)
    return np.sort(values)[np.linspace(0, len(values) - 1, count).round().astype(int)]


def _actions(fig: go.Figure, name: str, position: int, actions: np.ndarray) -> None:
    edges = np.linspace(-1, 1, 41)
    tone, dash, _ = looks(name, position)
    share = np.histogram(np.clip(actions, -1, 1), edges)[0] / actions.size
    fig.add_scatter(
        x=(edges[1:] + edges[:-1]) / 2, y=share, name=name, mode="lines",
        line={"shape": "hvh", "color": tone, "dash": dash, "width": 2}, row=2, col=1,
    )  # fmt: skip


def stages_figure(
    curve: Sequence[Sequence[float]], stages: Mapping[str, tuple[float, float]], robot: str
) -> go.Figure:
    """A policy's return while it learned, and which moments were kept as behaviours.

    `curve` holds pairs (environment steps, return); `stages` the same pair for each stage.
    """
    points = matrix("curve", np.asarray(curve, float))
    fig = go.Figure()
    fig.add_scatter(
        x=points[:, 0], y=points[:, 1], mode="lines", name="return while learning",
        line={"color": PALETTE[7], "width": 2},
    )  # fmt: skip
    named = [name for name in stages if not name[0].isdigit()]
    for kind, some, tone, symbol, size in (
        ("stored stage", [n for n in stages if n not in named], PALETTE[4], "circle", 11),
        ("named stage", named, PALETTE[0], "star", 17),
    ):
        fig.add_scatter(
            x=[stages[n][0] for n in some], y=[stages[n][1] for n in some], text=some, name=kind,
            mode="markers+text", textposition="top left", textfont={"size": 13},
            marker={"color": tone, "symbol": symbol, "size": size,
                    "line": {"color": "white", "width": 1}},
        )  # fmt: skip
    last, top = float(points[-1, 0]), float(points[:, 1].max())
    fig.update_xaxes(title_text="environment steps", range=[-0.08 * last, 1.05 * last])
    fig.update_yaxes(title_text="return of an episode", range=[-0.08 * top, 1.2 * top])
    title = f"{robot}: one training run, and its stages kept as behaviours"
    return themed(fig, title, height=420, margin_b=104, legend=LEGEND_BELOW)


def log_prob_figure(log_probs: Mapping[str, np.ndarray], uniform: float) -> go.Figure:
    """How likely several policies find the same recorded actions: one histogram per policy.

    `log_probs` are log-densities per row, `uniform` that of a policy that acts uniformly.
    """
    top = max(float(finite(name, v).max()) for name, v in log_probs.items()) + 1.0
    edges = np.linspace(_FLOOR, max(top, uniform + 1), 61)
    fig = go.Figure()
    for position, (name, values) in enumerate(log_probs.items()):
        values = vector(name, values)
        share = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        tone, dash, _ = looks(name, position + 3)
        fig.add_scatter(
            x=(edges[1:] + edges[:-1]) / 2, y=share, mode="lines",
            name=f"{name}: median {np.median(values):.1f}",
            line={"shape": "hvh", "color": tone, "dash": dash, "width": 2},
        )  # fmt: skip
    fig.add_vline(
        uniform, line={"color": QUIET_INK, "dash": "dot"}, annotation_text="uniform",
        annotation_position="top left",
    )  # fmt: skip
    fig.update_xaxes(
        title_text=f"log-density of the action (at the left edge: {_FLOOR:.0f} or less)"
    )
    fig.update_yaxes(title_text="share of rows", rangemode="tozero")
    title = "The same actions, judged by several policies"
    return themed(fig, title, height=420, margin_b=110, legend=LEGEND_BELOW)
