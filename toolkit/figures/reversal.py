"""Time run backwards: films of pendulums, their energy, and what reversal tests find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import matrix, positive, vector
from toolkit.figures.theme import GRID, LEGEND_BELOW, PALETTE, QUIET_INK, themed

_REACH = 1.25  # of a panel, in lengths of the rod
_TAIL = 8  # earlier places of the bob that are drawn
_SYMBOLS = ("circle", "square", "diamond", "triangle-up")
_DASHES = ("solid", "dash", "dot", "longdash")
_FLOOR = 1e-8  # what is drawn of a number that single precision cannot tell from 0


def pendulum_film_figure(
    films: Mapping[str, np.ndarray], dt: float, *, title: str = "Press Play"
) -> go.Figure:
    """Pendulums side by side, with a Play button and a bar, which need no kernel.

    `films` are angles over time, `(time,)` each and of one length, 0 hanging; `dt` the seconds
    between two pictures.

    Raises:
        UserError: there is no film, or two have different lengths.
    """
    angles = _curves("films", films)
    positive("dt", dt)
    length = len(next(iter(angles.values())))
    fig = make_subplots(1, len(angles), subplot_titles=list(angles), horizontal_spacing=0.02)
    for col, angle in enumerate(angles.values(), start=1):
        for trace in _pendulum(angle, 0, PALETTE[col - 1]):
            fig.add_trace(trace, row=1, col=col)
    fig.frames = [
        go.Frame(
            name=str(step),
            data=[
                trace
                for place, angle in enumerate(angles.values())
                for trace in _pendulum(angle, step, PALETTE[place])
            ],
        )
        for step in range(length)
    ]
    fig.update_xaxes(visible=False, range=[-_REACH, _REACH], fixedrange=True)
    fig.update_yaxes(visible=False, range=[-_REACH, _REACH], fixedrange=True)
    for col in range(1, len(angles) + 1):
        axis = "" if col == 1 else str(col)
        fig.update_yaxes(scaleanchor=f"x{axis}", constrain="domain", row=1, col=col)
        fig.update_xaxes(constrain="domain", row=1, col=col)
    fig.update_layout(updatemenus=[_play_button(dt)], sliders=[_bar(length, dt)])
    return themed(fig, title, height=420, showlegend=False, margin_t=84, margin_b=96)


def _pendulum(angle: np.ndarray, step: int, paint: str) -> list[go.Scatter]:
    """Where the bob was, and rod and bob now."""
    before = angle[max(0, step - _TAIL) : step + 1]
    now = angle[step]
    return [
        go.Scatter(
            x=np.round(np.sin(before), 3), y=np.round(-np.cos(before), 3), mode="lines",
            line={"color": GRID, "width": 7}, hoverinfo="skip",
        ),
        go.Scatter(
            x=[0, round(float(np.sin(now)), 3)], y=[0, round(-float(np.cos(now)), 3)],
            mode="lines+markers", line={"color": QUIET_INK, "width": 3}, hoverinfo="skip",
            marker={"color": [QUIET_INK, paint], "size": [6, 22], "opacity": 1},
        ),
    ]  # fmt: skip


def _play_button(dt: float) -> dict[str, Any]:
    play = {
        "frame": {"duration": round(1000 * dt), "redraw": False}, "transition": {"duration": 0},
        "fromcurrent": True, "mode": "immediate",
    }  # fmt: skip
    stop = play | {"frame": {"duration": 0, "redraw": False}}
    return {
        "type": "buttons", "direction": "left", "x": 0, "xanchor": "left", "y": -0.08,
        "yanchor": "top", "pad": {"t": 8}, "showactive": False,
        "buttons": [
            {"label": "Play", "method": "animate", "args": [None, play]},
            {"label": "Stop", "method": "animate", "args": [[None], stop]},
        ],
    }  # fmt: skip


def _bar(length: int, dt: float) -> dict[str, Any]:
    still = {
        "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0},
        "mode": "immediate",
    }  # fmt: skip
    return {
        "x": 0.2, "len": 0.8, "y": -0.06, "yanchor": "top", "pad": {"t": 8},
        "minorticklen": 0, "ticklen": 0, "font": {"color": "rgba(0,0,0,0)", "size": 1},
        "currentvalue": {
            "prefix": "picture at ", "suffix": " s",
            "font": {"size": 13, "color": QUIET_INK}, "xanchor": "right",
        },
        "steps": [
            {"label": f"{step * dt:.2f}", "method": "animate", "args": [[str(step)], still]}
            for step in range(length)
        ],
    }  # fmt: skip


def energy_figure(
    energies: Mapping[str, np.ndarray], dt: float, *, title: str = "The energy in each film"
) -> go.Figure:
    """Energy over the time of the film, `(time,)` each, in joules.

    Raises:
        UserError: there is no film, or two have different lengths.
    """
    fig = go.Figure()
    for place, (name, values) in enumerate(_curves("energies", energies).items()):
        fig.add_scatter(
            x=positive("dt", dt) * np.arange(len(values)), y=values, name=name, mode="lines",
            line={"color": PALETTE[place % len(PALETTE)], "width": 3,
                  "dash": _DASHES[place % len(_DASHES)]},
        )  # fmt: skip
    fig.update_xaxes(title_text="time in the film, s")
    fig.update_yaxes(title_text="energy, J", rangemode="tozero")
    return themed(fig, title, height=360, showlegend=True)


def return_figure(
    there: Float[np.ndarray, "states 2"],
    back: Float[np.ndarray, "states 2"],
    *,
    title: str = "There and back",
) -> go.Figure:
    """Angle and rate on the way there and on the way back, and where both end.

    The axes hold every swing of a pendulum, so that they stay where they are.

    Raises:
        UserError: the two are not arrays of one shape, or not finite.
    """
    there = matrix("there", there)
    back = matrix("back", back, like=there)
    fig = go.Figure()
    fig.add_scatter(
        x=there[:, 0], y=there[:, 1], mode="lines", name="there",
        line={"color": PALETTE[0], "width": 5},
    )  # fmt: skip
    fig.add_scatter(
        x=back[:, 0], y=back[:, 1], mode="lines", name="and back",
        line={"color": PALETTE[1], "width": 2, "dash": "dash"},
    )  # fmt: skip
    ends = {"start": (there[0], PALETTE[0], "circle"), "end": (back[-1], PALETTE[1], "diamond")}
    for name, (place, paint, symbol) in ends.items():
        fig.add_scatter(
            x=[place[0]], y=[place[1]], mode="markers", name=name,
            marker={"color": paint, "size": 14, "symbol": symbol,
                    "line": {"color": "white", "width": 1.5}},
        )  # fmt: skip
    fig.update_xaxes(title_text="angle θ, rad", range=[-3.4, 3.4])
    fig.update_yaxes(title_text="rate ω, rad/s", range=[-9, 9])
    miss = float(np.linalg.norm(back[-1] - there[0]))
    missed = f": misses its start by {miss:.2g}" if miss > 1e-3 else ": back at its start"
    return themed(fig, title + missed, height=420, showlegend=True)


def reversal_figure(
    damping: np.ndarray, violations: Mapping[str, np.ndarray], *, title: str = "Running a step back"
) -> go.Figure:
    """How far each reversal test ends from where it began, by the friction of the pendulum.

    Numbers below 10⁻⁸ are drawn there. Every damping takes the same room, 0 included.

    Shapes: `damping` and each violation `(systems,)`.
    Raises:
        UserError: a test has another number of results.
    """
    labels = [f"{value:g}" for value in vector("damping", damping)]
    fig = go.Figure()
    for place, (name, values) in enumerate(violations.items()):
        values = vector(name, values)
        if len(values) != len(labels):
            raise UserError(f"`{name}` must hold {len(labels)} values, got {len(values)}.")
        fig.add_scatter(
            x=labels, y=np.maximum(values, _FLOOR), name=name, mode="lines+markers",
            line={"color": PALETTE[place], "width": 2.5, "dash": _DASHES[place % len(_DASHES)]},
            marker={"size": 10, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
        )  # fmt: skip
    fig.update_xaxes(title_text="damping, N·m·s/rad", type="category")
    fig.update_yaxes(
        type="log", title_text="distance from the start", exponentformat="power", dtick=1
    )
    return themed(
        fig, title, height=400, showlegend=True, legend=LEGEND_BELOW, margin_b=104
    )  # fmt: skip


def _curves(name: str, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    curves = {key: vector(key, values).astype(float) for key, values in given.items()}
    if not curves or len({len(values) for values in curves.values()}) != 1:
        lengths = [len(values) for values in curves.values()]
        raise UserError(f"`{name}` must hold curves of one length, got the lengths {lengths}.")
    return curves
