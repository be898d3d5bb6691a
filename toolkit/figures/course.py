"""The map of the course: notebooks as boxes, and what builds on what."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import plotly.graph_objects as go

from toolkit.course import COURSE, THEMES, Chapter, column, leads_to
from toolkit.errors import UserError
from toolkit.figures.theme import INK, PALETTE, QUIET_INK, themed

_HALF_WIDTH, _HALF_HEIGHT = 0.39, 0.3  # of a box, in columns and lanes
_LETTERS = 12  # in a line of a box, so that it fits a narrow window too


def course_figure(course: Sequence[Chapter] = COURSE) -> go.Figure:
    """Every notebook as a box in the lane of its theme, with arrows to what builds on it.

    Hovering over a box tells the question that the notebook answers, its minutes, and what it
    needs.

    Raises:
        UserError: two notebooks would lie on each other, or a theme is unknown.
    """
    places = {chapter.number: _place(chapter, course) for chapter in course}
    if len(set(places.values())) < len(places):
        raise UserError("`course` must not put two notebooks of one theme into one column.")
    fig = go.Figure()
    right = max(x for x, _ in places.values()) + 0.46
    for lane, theme in enumerate(reversed(THEMES)):
        fig.add_shape(
            type="rect", x0=-0.54, x1=right, y0=lane - 0.45, y1=lane + 0.45, line_width=0,
            fillcolor=_tint(theme), layer="below",
        )  # fmt: skip
        fig.add_annotation(
            x=-0.485, y=lane, text=f"<b>{theme}</b>", textangle=-90, font_size=13,
            font_color=_colour(theme),
        )  # fmt: skip
    for chapter in course:
        for other in leads_to(chapter, course):
            _arrow(fig, places[chapter.number], places[other.number])
    for chapter in course:
        _box(fig, chapter, places[chapter.number])
    fig.add_scatter(
        x=[x for x, _ in places.values()], y=[y for _, y in places.values()], mode="markers",
        marker={"size": 58, "opacity": 0}, showlegend=False,
        hovertext=[_told(chapter) for chapter in course], hoverinfo="text",
    )  # fmt: skip
    fig.update_xaxes(visible=False, range=[-0.54, right], fixedrange=True)
    fig.update_yaxes(visible=False, range=[-0.5, len(THEMES) - 0.5], fixedrange=True)
    return themed(
        fig,
        "The course: what builds on what",
        height=470,
        hoverlabel_align="left",
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
    )


def _place(chapter: Chapter, course: Sequence[Chapter]) -> tuple[float, float]:
    """Column and lane; what needs nothing stands between the lanes."""
    if chapter.theme not in THEMES:
        raise UserError(f"`theme` must be one of {', '.join(THEMES)}, got {chapter.theme!r}.")
    at = column(chapter, course)
    lane = len(THEMES) - 1 - THEMES.index(chapter.theme)
    return float(at), float(lane) if at else (len(THEMES) - 1) / 2


def _colour(theme: str) -> str:
    return {"prediction": PALETTE[0], "acting": PALETTE[1], "symmetry": PALETTE[2]}.get(
        theme, PALETTE[6]
    )


def _tint(theme: str) -> str:
    red, green, blue = (int(_colour(theme)[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.07)"


def _arrow(fig: go.Figure, start: tuple[float, float], end: tuple[float, float]) -> None:
    """To the next column from a box's side; further, from its edge, past the boxes between."""
    leave = start[0] + _HALF_WIDTH, start[1]
    if end[0] - start[0] > 1 and end[1] != start[1]:
        leave = start[0], start[1] + (_HALF_HEIGHT if end[1] > start[1] else -_HALF_HEIGHT)
    fig.add_annotation(
        x=end[0] - _HALF_WIDTH, y=end[1], ax=leave[0], ay=leave[1],
        xref="x", yref="y", axref="x", ayref="y", showarrow=True, arrowhead=2, arrowsize=1.1,
        arrowwidth=1.6, arrowcolor=QUIET_INK, text="",
    )  # fmt: skip


def _box(fig: go.Figure, chapter: Chapter, place: tuple[float, float]) -> None:
    x, y = place
    fig.add_shape(
        type="rect", x0=x - _HALF_WIDTH, x1=x + _HALF_WIDTH, y0=y - _HALF_HEIGHT,
        y1=y + _HALF_HEIGHT, fillcolor="white", line={"color": _colour(chapter.theme), "width": 2},
    )  # fmt: skip
    lines = textwrap.wrap(f"{chapter.number} {chapter.title}", _LETTERS)
    lines[0] = lines[0].replace(chapter.number, f"<b>{chapter.number}</b>", 1)
    fig.add_annotation(x=x, y=y, text="<br>".join(lines), font={"size": 14, "color": INK})


def _told(chapter: Chapter) -> str:
    needs = ", ".join(chapter.after)
    needs = f"after {needs}" if needs else "begin here"
    lines = textwrap.wrap(chapter.question, 46)
    return "<br>".join([f"<b>{chapter.number} {chapter.title}</b>", *lines,
                        f"{chapter.minutes} minutes, {needs}"])  # fmt: skip
