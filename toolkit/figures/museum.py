"""The failure museum: the instrument board of two runs, numbers that flatter, and two dials."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.theme import INK, LEGEND_BELOW, PALETTE, QUIET_INK, themed
from toolkit.studies.museum import COORDINATES, ModelReadings
from toolkit.studies.museum_exhibits import Readings

_HEALTHY, _OTHER = "#8a94a0", PALETTE[1]
_PANELS = (
    "eigenvalues of a step", "held-out error ahead, σ", "error of one step, σ",
    "normalised data, mean ± σ", "value against return", "monitors of the reverse model",
    "loss of the encoder", "its spread along axes", "its rank and spread",
)  # fmt: skip
_SMALLEST = 1e-6  # what a logarithmic panel shows of zero


def board_figure(
    readings: Readings, healthy: Readings, *, title: str = "", name: str = "exhibit"
) -> go.Figure:
    """Nine instruments of a run in orange, before those of the healthy run in grey."""
    fig = go.Figure(_empty_board())
    for run, label, paint in ((healthy, "healthy", _HEALTHY), (readings, name, _OTHER)):
        _add_model(fig, run.model, label, paint)
        _add_value(fig, run, label, paint)
        _add_learnt(fig, run, label, paint)
    low, high = _ends([healthy.value.real, readings.value.expected, healthy.value.expected])
    fig.add_scatter(
        x=[low, high], y=[low, high], mode="lines", line={"color": INK, "width": 1, "dash": "dot"},
        showlegend=False, hoverinfo="skip", row=2, col=2,
    )  # fmt: skip
    room = 0.06 * (high - low)
    ends = {"range": [low - room, high + room]}
    return themed(
        fig, title, height=760, xaxis5=ends, yaxis5=ends, showlegend=True, legend=LEGEND_BELOW,
        barmode="group", margin_t=92, margin_b=84,
    )  # fmt: skip


def _ends(values: list[np.ndarray]) -> tuple[float, float]:
    together = np.concatenate(values)
    return float(together.min().round(1)), float(together.max().round(1))


@functools.cache
def _empty_board() -> go.Figure:
    """What is the same on every board, made once: it takes longer than the curves."""
    fig = make_subplots(
        3, 3, subplot_titles=_PANELS, horizontal_spacing=0.09, vertical_spacing=0.12
    )
    _circle(fig, 1, 1)
    _scales(fig)
    return fig.update_annotations({"font": {"size": 13, "color": INK}})


def _scales(fig: go.Figure) -> None:
    for row, col in ((1, 2), (1, 3), (2, 3), (3, 1), (3, 2)):
        fig.update_yaxes(type="log", exponentformat="power", dtick=1, row=row, col=col)
    fig.update_yaxes(range=[-2.3, 1.5], row=1, col=2)
    fig.update_yaxes(range=[-2.3, 0.7], row=1, col=3)
    fig.update_yaxes(dtick=2, range=[-6.3, 1.3], row=2, col=3)
    fig.update_yaxes(range=[-4.3, 0.6], row=3, col=1)
    fig.update_yaxes(range=[-3.3, 0.6], row=3, col=2)
    fig.update_xaxes(title_text="seconds", row=1, col=2)
    fig.update_xaxes(title_text="row of the episode", row=1, col=3)
    fig.update_yaxes(range=[-2.6, 3.4], row=2, col=1)
    fig.update_xaxes(
        tickvals=list(range(6)), ticktext=[*COORDINATES, *COORDINATES], tickfont_size=11,
        tickangle=0, range=[-0.6, 5.6], title_text="training data · test data", row=2, col=1,
    )  # fmt: skip
    fig.update_xaxes(title_text="update", row=3, col=1)
    fig.update_xaxes(title_text="axis", dtick=5, row=3, col=2)


def _circle(fig: go.Figure, row: int, col: int) -> None:
    """The unit circle, near the eigenvalues that matter here."""
    turn = np.linspace(0, 2 * np.pi, 91)
    fig.add_scatter(
        x=np.cos(turn).round(3), y=np.sin(turn).round(3), mode="lines", hoverinfo="skip",
        line={"color": QUIET_INK, "width": 1}, showlegend=False, row=row, col=col,
    )  # fmt: skip
    axis = fig.get_subplot(row, col).yaxis.anchor
    fig.update_xaxes(range=[-1.25, 1.25], constrain="domain", row=row, col=col)
    fig.update_yaxes(range=[-1.25, 1.25], scaleanchor=axis, row=row, col=col)


def _add_plane(
    fig: go.Figure, model: ModelReadings, label: str, paint: str, legend: bool = True
) -> None:
    values = np.asarray(model.multipliers)
    fig.add_scatter(
        x=values.real.round(4), y=values.imag.round(4), mode="markers", name=label,
        legendgroup=label, showlegend=legend, customdata=np.abs(values).round(3),
        hovertemplate="size %{customdata}",
        marker={"color": paint, "size": 11 if paint == _HEALTHY else 7,
                "symbol": "circle" if paint == _HEALTHY else "diamond"},
        row=1, col=1,
    )  # fmt: skip


def _add_line(
    fig: go.Figure, x: np.ndarray, y: np.ndarray, label: str, paint: str, row: int, col: int,
    **more: Any,
) -> None:  # fmt: skip
    wide = 4 if paint == _HEALTHY else 2  # what lies on the healthy run shows both
    fig.add_scatter(
        x=np.round(x, 2), y=[float(f"{value:.3g}") for value in np.maximum(y, _SMALLEST)],
        mode="lines", name=label, legendgroup=label, showlegend=False,
        line={"color": paint, "width": wide}, row=row, col=col, **more,
    )  # fmt: skip


def _add_model(fig: go.Figure, model: ModelReadings, label: str, paint: str) -> None:
    _add_plane(fig, model, label, paint)
    _add_line(fig, model.seconds[1:], model.error[1:], label, paint, 1, 2)
    _add_line(fig, model.position, model.residual, label, paint, 1, 3)
    means, widths = (
        np.concatenate([model.trained_on[at], model.tested_on[at]]).round(3) for at in (0, 1)
    )
    fig.add_scatter(
        x=np.arange(6), y=means, mode="markers", name=label, legendgroup=label, showlegend=False,
        error_y={"type": "data", "array": widths, "width": 4, "color": paint,
                 "thickness": 4 if paint == _HEALTHY else 2},
        marker={"color": paint, "size": 11 if paint == _HEALTHY else 7}, row=2, col=1,
    )  # fmt: skip


def _add_value(fig: go.Figure, run: Readings, label: str, paint: str) -> None:
    fig.add_scatter(
        x=run.value.real.round(1), y=run.value.expected.round(1), mode="markers", name=label,
        legendgroup=label, showlegend=False, row=2, col=2,
        marker={"color": paint, "size": 7 if paint == _HEALTHY else 4},
    )  # fmt: skip


def _add_learnt(fig: go.Figure, run: Readings, label: str, paint: str) -> None:
    shown = {"name": label, "legendgroup": label, "showlegend": False,
             "marker": {"color": paint, "line_width": 0}}  # fmt: skip
    monitors = np.maximum([run.reverse.symmetry, run.reverse.at_next], _SMALLEST)
    fig.add_bar(
        x=["where f leads", "at the next state"], y=[float(f"{m:.3g}") for m in monitors],
        **shown, row=2, col=3,
    )  # fmt: skip
    _add_line(fig, run.encoder.updates, run.encoder.loss, label, paint, 3, 1)
    singular = run.encoder.singular
    _add_line(fig, np.arange(1, len(singular) + 1), singular, label, paint, 3, 2)
    fig.add_bar(
        x=["rank", "10 × spread"],
        y=[round(run.encoder.rank, 2), round(10 * run.encoder.spread, 2)], **shown, row=3, col=3,
    )  # fmt: skip


def headlines_figure(ratios: Mapping[str, float], names: Mapping[str, str]) -> go.Figure:
    """By each sabotage the number that a report shows, over the healthy one: below 1 it flatters.

    Raises:
        UserError: there is none, or one has no name.
    """
    if not ratios or set(ratios) - set(names):
        raise UserError("`ratios` must hold at least one cause, each of which `names` names.")
    labels = [names[cause] for cause in ratios]
    places = [float(f"{max(ratio, 1e-3):.3g}") for ratio in ratios.values()]
    paints = [PALETTE[2] if place < 1 else PALETTE[1] for place in places]
    fig = go.Figure()
    for label, place, paint in zip(labels, places, paints, strict=True):
        fig.add_scatter(
            x=[1, place], y=[label, label], mode="lines", line={"color": paint, "width": 6},
            hoverinfo="skip",
        )  # fmt: skip
    fig.add_scatter(
        x=places, y=labels, mode="markers+text", marker={"color": paints, "size": 15},
        text=[_times(ratio) for ratio in ratios.values()], cliponaxis=False,
        textposition=[f"middle {'left' if place < 1 else 'right'}" for place in places],
        hoverinfo="skip",
    )  # fmt: skip
    fig.add_vline(x=1, line_width=1, line_color=INK)
    fig.update_xaxes(
        type="log", dtick=1, exponentformat="power", range=[-4.2, 3.2],
        title_text="what the report says, over the healthy run's",
    )  # fmt: skip
    fig.update_yaxes(autorange="reversed")
    return themed(fig, "Which of them look better?", height=390, showlegend=False)


def _times(ratio: float) -> str:
    return "below 0.001" if ratio < 1e-3 else f"{ratio:.2g}"


def dose_figure(model: ModelReadings, healthy: ModelReadings, *, title: str = "") -> go.Figure:
    """Eigenvalues of one step, and the held-out error ahead, of a model and of the healthy one."""
    fig = make_subplots(
        1, 2, subplot_titles=_PANELS[:2], column_widths=[0.4, 0.6], horizontal_spacing=0.1
    )
    _circle(fig, 1, 1)
    for run, label, paint in ((healthy, "healthy", _HEALTHY), (model, "yours", _OTHER)):
        _add_plane(fig, run, label, paint)
        _add_line(fig, run.seconds[1:], run.error[1:], label, paint, 1, 2)
    fig.update_yaxes(type="log", exponentformat="power", dtick=1, range=[-2.3, 1.5], row=1, col=2)
    fig.update_xaxes(title_text="seconds", range=[0, 5.7], row=1, col=2)
    return themed(
        fig, title, height=420, showlegend=True, legend=LEGEND_BELOW, margin_t=84, margin_b=84
    )
