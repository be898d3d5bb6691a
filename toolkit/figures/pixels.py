"""Learning from pixels: small pictures in rows, curves of an encoder, and what it holds."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import vector
from toolkit.figures.images import check_frames, data_uri, enlarged_png
from toolkit.figures.theme import (
    INK,
    LEGEND_BELOW,
    METHODS,
    PALETTE,
    QUIET_INK,
    line,
    themed,
)

#: Of each curve's name, points over something: `(x, y)`, `(points,)` each.
NamedCurves = Mapping[str, tuple[np.ndarray, np.ndarray]]

_GAP = 2  # white pixels between pictures
_SHARP = 80  # pixels that a picture is enlarged to at least, so that nobody smooths it
_PAPER = 255
_LOSSES, _SPREADS = [-4.3, 0.6], [-2.6, 0.6]  # powers of ten
_HIDDEN = {"visible": False, "fixedrange": True, "constrain": "domain"}


def mosaic(frames: np.ndarray, columns: int) -> np.ndarray:
    """Pictures in rows of `columns`, white between them: `(rows, columns, 3)` pixels, uint8.

    Raises:
        UserError: the frames have another shape or type.
    """
    check_frames("frames", frames)
    count, height, width, _ = frames.shape
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), _PAPER, np.uint8
    )
    for place, frame in enumerate(frames):
        top, left = (place // columns) * (height + _GAP), (place % columns) * (width + _GAP)
        sheet[top : top + height, left : left + width] = frame
    return sheet


def pictures_figure(
    frames: np.ndarray,
    captions: Sequence[str],
    *,
    columns: int = 6,
    title: str = "",
    row_titles: Sequence[str] = (),
) -> go.Figure:
    """Small pictures, pixel by pixel, each above its caption.

    Shapes: `frames (n, height, width, 3)`, uint8; one caption each; `row_titles` stand before rows.
    Raises:
        UserError: the frames have another shape or type, or there are not as many captions.
    """
    check_frames("frames", frames)
    if len(captions) != len(frames):
        raise UserError(f"`captions` must hold {len(frames)} texts, got {len(captions)}.")
    rows = -(-len(frames) // columns)
    fig = make_subplots(rows, 1, vertical_spacing=0.16 / rows)
    height, width = frames.shape[1:3]
    for row in range(rows):
        part = slice(row * columns, (row + 1) * columns)
        _add_strip(fig, frames[part], captions[part], columns, row + 1, 1)
        if row < len(row_titles):
            fig.add_annotation(
                text=row_titles[row], x=-0.012, xref="paper", xanchor="right", textangle=-90,
                y=-height / 2, yref=f"y{row + 1 if row else ''}", yanchor="middle",
                font={"size": 13},
            )  # fmt: skip
    tall = 840 * height / (columns * (width + _GAP)) + 34
    left = 40 if row_titles else 8
    return themed(
        fig, title, height=round(64 + rows * tall), showlegend=False, margin_l=left, margin_r=8,
        margin_t=58, margin_b=30,
    )  # fmt: skip


def _add_strip(
    fig: go.Figure, frames: np.ndarray, captions: Sequence[str], columns: int, row: int, col: int,
    *, size: int = 12, paint: str = QUIET_INK,
) -> None:  # fmt: skip
    """Pictures side by side in one panel, captions below."""
    height, width = frames.shape[1:3]
    sheet = mosaic(frames, columns)
    across = sheet.shape[1]
    fig.add_scatter(  # a panel without a trace has no axes for its picture
        x=[0.0], y=[0.0], mode="markers", marker={"opacity": 0}, hoverinfo="skip",
        showlegend=False, row=row, col=col,
    )  # fmt: skip
    fig.add_layout_image(
        source=data_uri(enlarged_png(sheet, -(-_SHARP // height)), "png"), x=0, y=0, sizex=across,
        sizey=height, sizing="stretch", layer="above", row=row, col=col,
    )  # fmt: skip
    panel = fig.get_subplot(row, col)
    across_axis, up_axis = panel.yaxis.anchor, panel.xaxis.anchor
    fig.update_xaxes(**_HIDDEN, range=[0, across], row=row, col=col)
    fig.update_yaxes(
        **_HIDDEN, range=[-height, 0], scaleanchor=across_axis, scaleratio=1, row=row, col=col
    )
    below: Any = {"y": -height, "xref": across_axis, "yref": up_axis, "showarrow": False,
                  "xanchor": "center", "yanchor": "top", "yshift": -3,
                  "font": {"size": size, "color": paint}}  # fmt: skip
    fig.layout.annotations += tuple(  # all at once, as plotly examines all for every one that comes
        go.layout.Annotation(text=caption, x=place * (width + _GAP) + width / 2, **below)
        for place, caption in enumerate(captions)
    )


def probes_figure(
    found: Mapping[str, Mapping[str, float]],
    *,
    title: str = "",
    quantity: str = "R² of a linear probe",
) -> go.Figure:
    """How well each quantity can be read from each encoder's features: a group for each quantity.

    A probe that is worse than the mean is drawn at 0.

    Raises:
        UserError: there is no encoder, or two hold different quantities.
    """
    if not found:
        raise UserError("`found` must hold at least one encoder, got none.")
    names = list(next(iter(found.values())))
    fig, paints = go.Figure(), _apart(list(found))
    for encoder, values in found.items():
        if set(values) != set(names):
            raise UserError(f"`{encoder}` must hold {', '.join(names)}, got {', '.join(values)}.")
        heights = vector(encoder, np.array([values[name] for name in names], float))
        fig.add_bar(
            x=names, y=np.clip(heights, 0, 1).round(3), name=encoder, customdata=heights.round(3),
            marker={"color": paints[encoder], "line_width": 0},
            hovertemplate="%{x}: %{customdata}",
        )  # fmt: skip
    fig.update_yaxes(title_text=quantity, range=[0, 1.02])
    fig.update_layout(bargap=0.25, bargroupgap=0.08)
    return themed(fig, title, height=420, showlegend=True, legend=LEGEND_BELOW, margin_b=92)


def _apart(names: Sequence[str]) -> dict[str, str]:
    """A colour of its own for each name: a method's own, and what is left over for the others."""
    known = {name: METHODS[name][0] for name in names if name in METHODS}
    left = [paint for paint in PALETTE if paint not in known.values()]
    others = [name for name in names if name not in known]
    return known | {name: left[place % len(left)] for place, name in enumerate(others)}


def curves_figure(
    panels: Mapping[str, NamedCurves],
    *,
    title: str = "",
    columns: int = 2,
    logarithmic: Sequence[str] = (),
    unit_range: Sequence[str] = (),
    x: str = "update",
) -> go.Figure:
    """Small panels of named curves; a name has one colour in all of them.

    `logarithmic` names panels with a logarithmic scale, `unit_range` those from 0 to 1. Points that
    are not finite are left out.

    Raises:
        UserError: there is no panel, or a curve has not as many values as places.
    """
    if not panels:
        raise UserError("`panels` must hold at least one, got none.")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    fig = make_subplots(
        rows, columns, subplot_titles=list(panels), horizontal_spacing=0.09,
        vertical_spacing=0.34 / rows,
    )  # fmt: skip
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    paints, shown = _apart(names), set()
    for place, (panel, curves) in enumerate(panels.items()):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        for name, (places, values) in curves.items():
            _add_curve(fig, name, paints[name], places, values, name not in shown, at)
            shown.add(name)
        if panel in logarithmic:
            fig.update_yaxes(type="log", exponentformat="power", dtick=1, **at)
        else:
            fig.update_yaxes(rangemode="tozero", **at)
        if panel in unit_range:
            fig.update_yaxes(range=[-0.04, 1.04], **at)
    fig.update_xaxes(title_text=x, row=rows)
    return themed(
        fig, title, height=round(130 + 235 * rows), showlegend=True, legend=LEGEND_BELOW,
        margin_t=88, margin_b=104,
    )  # fmt: skip


def _add_curve(
    fig: go.Figure, name: str, paint: str, x: np.ndarray, y: np.ndarray, legend: bool,
    at: dict[str, int],
) -> None:  # fmt: skip
    x, y = vector(name, np.asarray(x, float)), np.asarray(y, float)
    if x.shape != y.shape:
        raise UserError(f"`{name}` must hold {len(x)} values, got {len(y)}.")
    there = np.isfinite(y)
    fig.add_scatter(
        x=x[there], y=[float(f"{value:.3g}") for value in y[there]], name=name, legendgroup=name,
        showlegend=legend, mode="lines" if there.sum() > 1 else "markers",
        line=line(name) | {"color": paint}, **at,
    )  # fmt: skip


def encoder_figure(
    curves: NamedCurves,
    singular: np.ndarray,
    probes: Mapping[str, float],
    frames: np.ndarray,
    captions: Sequence[str],
    *,
    title: str = "",
) -> go.Figure:
    """One encoder: three curves of its training, its spectrum, its probes, and a strip of pictures.

    Shapes: three `curves`; `singular (features,)`; `frames (n, height, width, 3)`, uint8.
    Raises:
        UserError: there are not three curves, or the pictures are none.
    """
    if len(curves) != 3:
        raise UserError(f"`curves` must hold three, got {len(curves)}.")
    check_frames("frames", frames)
    values = vector("singular", singular)
    fig = go.Figure(_empty_encoder(tuple(curves)))
    for place, (name, (x, y)) in enumerate(curves.items(), start=1):
        _add_curve(fig, name, PALETTE[0], x, y, False, {"row": 1, "col": place})
    fig.add_bar(
        x=np.arange(1, len(values) + 1), y=np.maximum(values, 1e-6), showlegend=False,
        marker={"color": PALETTE[6], "line_width": 0}, hovertemplate="axis %{x}: %{y:.2g}",
        row=2, col=1,
    )  # fmt: skip
    heights = np.clip(np.array(list(probes.values()), float), 0, 1)
    fig.add_bar(
        x=list(probes), y=heights.round(3), showlegend=False, text=[f"{h:.2f}" for h in heights],
        textposition="outside", cliponaxis=False,
        marker={"color": PALETTE[2], "line_width": 0}, row=2, col=2,
    )  # fmt: skip
    _add_strip(fig, frames, captions, len(frames), 3, 1, size=13, paint=INK)
    return themed(fig, title, height=700, showlegend=False, margin_t=96, margin_b=44)


@functools.cache
def _empty_encoder(curves: tuple[str, ...]) -> go.Figure:
    """What is the same for every encoder, made once: it takes longer than the curves."""
    specs: Any = [[{}, {}, {}], [{}, {"colspan": 2}, None], [{"colspan": 3}, None, None]]
    fig = make_subplots(
        3, 3, specs=specs, row_heights=[0.33, 0.36, 0.31], horizontal_spacing=0.08,
        vertical_spacing=0.13,
        subplot_titles=[*curves, "spread along principal axes", "what a linear probe reads, R²",
                        "a picture, and the nearest ones in feature space"],
    )  # fmt: skip
    for place, ends in ((1, _LOSSES), (2, _SPREADS)):  # the same for all, so that they compare
        fig.update_yaxes(type="log", exponentformat="power", dtick=2, range=ends, row=1, col=place)
    fig.update_yaxes(rangemode="tozero", row=1, col=3)
    fig.update_yaxes(type="log", exponentformat="power", dtick=2, range=[-4, 0.7], row=2, col=1)
    fig.update_yaxes(range=[0, 1.15], row=2, col=2)
    return fig.update_annotations({"font": {"size": 13, "color": INK}})
