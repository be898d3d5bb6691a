"""Symmetries: two ways round a square, commutators, shifted robots, and the simulator's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import matrix, vector
from toolkit.figures.images import check_frames, data_uri, jpegs
from toolkit.figures.theme import (
    GRID,
    INK,
    LEGEND_BELOW,
    PALETTE,
    QUIET_INK,
    UNSTABLE,
    line,
    themed,
)

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
_APART = 1.04  # between two curves at one place, as a factor
PICTURES_BYTES = 90_000
_COLUMNS = 3


def two_ways_figure(
    path: np.ndarray,
    shifted: np.ndarray,
    restarted: np.ndarray,
    *,
    title: str,
    axes: Sequence[str] = ("angle, rad", "rate, rad/s"),
) -> go.Figure:
    """A path, the same path with every state shifted, and the path from the shifted start.

    The last two lie on each other if and only if the shift commutes with every step.

    Shapes: `(time, 2)` each.
    Raises:
        UserError: a shape differs, or a number is not finite.
    """
    path = matrix("path", path)
    curves = {
        "as it was": (path, QUIET_INK, "solid", 2),
        "every state shifted": (matrix("shifted", shifted, path), PALETTE[0], "solid", 5),
        "only the start shifted": (matrix("restarted", restarted, path), PALETTE[1], "dash", 2.5),
    }
    if path.shape[1] != 2:
        raise UserError(f"`path` must be (time, 2), got {path.shape}.")
    fig = go.Figure()
    for name, (points, paint, dash, width) in curves.items():
        fig.add_scatter(
            x=points[:, 0].round(4), y=points[:, 1].round(4), mode="lines", name=name,
            line={"color": paint, "dash": dash, "width": width},
            opacity=0.5 if width > 4 else 1.0,
        )  # fmt: skip
    ends = np.stack([shifted[-1], restarted[-1]])
    fig.add_scatter(
        x=ends[:, 0], y=ends[:, 1], mode="lines+markers", showlegend=False,
        line={"color": INK, "width": 1.5, "dash": "dot"},
        marker={"size": 10, "color": [PALETTE[0], PALETTE[1]]}, hoverinfo="skip",
    )  # fmt: skip
    start = np.stack([path[0], shifted[0]])
    fig.add_scatter(
        x=start[:, 0], y=start[:, 1], mode="lines+markers", showlegend=False,
        line={"color": GRID, "width": 1.5}, hoverinfo="skip",
        marker={"size": 9, "symbol": "circle-open", "color": [QUIET_INK, INK], "line_width": 2},
    )  # fmt: skip
    fig.update_xaxes(title_text=axes[0])
    fig.update_yaxes(title_text=axes[1])
    return themed(fig, title, height=460, legend=LEGEND_BELOW, margin_b=104)


def commutators_figure(
    operator: np.ndarray, generators: Mapping[str, np.ndarray], *, title: str
) -> go.Figure:
    """Each generator σ above its commutator Kσ − σK, on one scale of colours per generator.

    Shapes: `operator` and each generator `(latent, latent)`.
    Raises:
        UserError: there is no generator, or a shape differs.
    """
    operator = matrix("operator", operator)
    if not generators:
        raise UserError("`generators` must hold at least one, got none.")
    count = len(generators)
    fig = make_subplots(
        2, count, subplot_titles=list(generators), horizontal_spacing=0.03, vertical_spacing=0.08,
    )  # fmt: skip
    for col, (name, values) in enumerate(generators.items(), start=1):
        sigma = matrix(name, values, operator)
        commutator = operator @ sigma - sigma @ operator
        limit = float(np.abs(sigma).max()) or 1.0
        for row, shown in enumerate((sigma, commutator), start=1):
            fig.add_heatmap(
                z=shown[::-1].round(4), zmin=-limit, zmax=limit, colorscale="RdBu",
                showscale=False, row=row, col=col, hovertemplate="%{z:.3g}<extra></extra>",
            )  # fmt: skip
        share = np.linalg.norm(commutator) / max(np.linalg.norm(sigma), 1e-30)
        fig.update_xaxes(title_text=f"‖Kσ − σK‖ = {share:.1e}·‖σ‖", row=2, col=col)
    fig.update_xaxes(showticklabels=False, ticks="", showline=False, title_font_size=12)
    fig.update_yaxes(showticklabels=False, ticks="", showline=False, scaleratio=1)
    for row, text in ((1, "σ"), (2, "Kσ − σK")):
        fig.update_yaxes(title_text=text, row=row, col=1)
    return themed(fig, title, height=190 + round(1300 / count), margin_t=92, margin_b=48)


def shifted_robots_figure(
    frames: np.ndarray, captions: Sequence[str], flagged: Sequence[bool], *, title: str
) -> go.Figure:
    """Pictures of robots in rows of three, each with a caption; the flagged ones stand out.

    Shapes: `frames (robots, height, width, 3)`, uint8.
    Raises:
        UserError: the frames are no pictures, or there are not as many captions and flags.
    """
    check_frames("frames", frames)
    count, height, width = frames.shape[:3]
    if len(captions) != count or len(flagged) != count:
        raise UserError(
            f"`captions` and `flagged` must hold {count} entries, got {len(captions)} and "
            f"{len(flagged)}."
        )
    rows = -(-count // _COLUMNS)
    fig = go.Figure(go.Scatter(x=[0], y=[0], mode="markers", marker_opacity=0, hoverinfo="skip"))
    for place, picture in enumerate(jpegs(frames, PICTURES_BYTES)):
        x, y = place % _COLUMNS, rows - 1 - place // _COLUMNS
        left, right, low, high = x - 0.47, x + 0.47, y - 0.36, y + 0.48
        fig.add_layout_image(
            source=data_uri(picture), x=left, y=high, sizex=right - left, sizey=high - low,
            xref="x", yref="y", sizing="stretch", layer="below",
        )  # fmt: skip
        edge = {"color": UNSTABLE, "width": 4} if flagged[place] else {"color": GRID, "width": 1}
        fig.add_shape(type="rect", x0=left, x1=right, y0=low, y1=high, line=edge)
        fig.add_annotation(
            x=left, y=low, yshift=-3, text=captions[place], xanchor="left", yanchor="top",
            font={"size": 13, "color": UNSTABLE if flagged[place] else QUIET_INK},
        )  # fmt: skip
    axis = {"visible": False, "fixedrange": True}
    fig.update_xaxes(**axis, range=[-0.5, _COLUMNS - 0.5])
    fig.update_yaxes(**axis, range=[-0.5, rows - 0.5])
    tall = round(800 / _COLUMNS * 0.94 * height / width / 0.84)
    return themed(
        fig, title, height=66 + rows * tall, showlegend=False, margin_t=62, margin_l=8,
        margin_r=8, margin_b=4,
    )  # fmt: skip


Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""Of each augmentation, how far states were moved and what that did, `(sizes,)` each."""


def by_displacement_figure(
    panels: Mapping[str, Curves],
    *,
    title: str,
    quantity: str,
    reference: str = "",
) -> go.Figure:
    """A quantity over how far states were moved, a panel for each robot and a curve for each way.

    `reference` names a line at 1. Points that are not finite are left out.

    Raises:
        UserError: there is no panel, or two parts of a curve have different lengths.
    """
    if not panels:
        raise UserError("`panels` must hold at least one, got none.")
    fig = make_subplots(
        1, len(panels), subplot_titles=list(panels), shared_yaxes=True, horizontal_spacing=0.03
    )
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    traces, places = [], []
    for col, curves in enumerate(panels.values(), start=1):
        for name, (moved, values) in curves.items():
            moved, values = vector(name, np.asarray(moved, float)), np.asarray(values, float)
            if len(moved) != len(values):
                raise UserError(f"`{name}` must hold {len(moved)} values, got {len(values)}.")
            there = np.isfinite(values)
            place = names.index(name)
            trace = go.Scatter(
                x=(moved * _APART ** (place % 3 - 1))[there], y=values[there], name=name,
                mode="lines+markers", line=line(name, place), legendgroup=name,
                showlegend=col == 1, customdata=moved[there],
                marker={"size": 8, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
                hovertemplate="moved %{customdata:.3g}<br>%{y:.3g}",
            )  # fmt: skip
            traces.append(trace)
            places.append(col)
    fig.add_traces(traces, rows=[1] * len(places), cols=places)
    if reference:
        style = {"color": QUIET_INK, "width": 1.5, "dash": "dot"}
        axes = ["", *range(2, len(panels) + 1)]
        fig.layout.shapes = [
            {"type": "line", "x0": 0, "x1": 1, "y0": 1, "y1": 1, "line": style,
             "xref": f"x{axis} domain", "yref": f"y{axis}"} for axis in axes
        ]  # fmt: skip
        fig.add_annotation(
            text=reference, x=0.01, xref="x domain", xanchor="left", y=1.0,
            yanchor="top", font={"size": 12},
        )  # fmt: skip
    fig.update_xaxes(
        type="log", title_text="moved by, in standard deviations", dtick=1, minor_ticks="outside"
    )
    fig.update_yaxes(title_text=quantity, col=1)
    return themed(fig, title, height=470, legend=LEGEND_BELOW, margin_t=84, margin_b=128)
