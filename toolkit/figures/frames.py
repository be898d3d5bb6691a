"""True and predicted pictures of a robot: what they hold, and a still of them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.envs.divergence import Divergence
from toolkit.errors import UserError
from toolkit.figures.images import check_frames, data_uri, jpegs
from toolkit.figures.theme import INK, PALETTE, QUIET_INK, UNSTABLE, themed

STILL_BYTES = 110_000  # all pictures of a still; half as much again as text would be 150 kB
_GAP = 0.03  # between neighbours, as a share of their distance
_WIDE, _PLOT, _BETWEEN, _ABOVE_PLOT = 800, 190, 6, 44  # pixels: a usual cell, and heights


@dataclass(frozen=True)
class Film:
    """Two robots state by state: pictures of both, and how far their bodies are apart.

    `travelled` is how far each has come, in metres, which the pictures do not show as the camera
    follows; `note` is a sentence on how they were drawn.

    Shapes: both frames `(time, height, width, 3)`, uint8; `travelled (2, time)`, true one first.
    Raises:
        UserError: frames, distances or labels do not fit together.
    """

    true_frames: np.ndarray
    predicted_frames: np.ndarray
    divergence: Divergence
    labels: Sequence[str] = ("true", "predicted")
    travelled: np.ndarray | None = None
    note: str = ""

    def __post_init__(self):
        check_frames("true_frames", self.true_frames)
        check_frames("predicted_frames", self.predicted_frames)
        if self.true_frames.shape != self.predicted_frames.shape:
            raise UserError(
                f"`predicted_frames` must have the shape of `true_frames` {self.true_frames.shape},"
                f" got {self.predicted_frames.shape}."
            )
        if len(self.divergence.distance) != len(self):
            raise UserError(
                f"`divergence` must hold {len(self)} distances, one per frame, got "
                f"{len(self.divergence.distance)}."
            )
        if len(self.labels) != 2 or self.labels[0] == self.labels[1]:
            raise UserError(f"`labels` must be two different names, got {list(self.labels)}.")
        wanted = (2, len(self))
        if self.travelled is not None and np.shape(self.travelled) != wanted:
            raise UserError(
                f"`travelled` must have the shape {wanted}, got {np.shape(self.travelled)}."
            )

    def __len__(self) -> int:
        return len(self.true_frames)


def frames_figure(film: Film, *, count: int = 6, max_bytes: int = STILL_BYTES) -> go.Figure:
    """A film as a still: true frames above predicted ones, below them the distance over time.

    `count` equally spaced states are shown, one of them moved to the first visible divergence;
    from there on the predicted frames have an orange edge. All pictures together take at most
    `max_bytes`, by default small enough to be stored in a notebook.

    Raises:
        UserError: `count` is below 2, the pictures are too large, or Pillow is not installed.
    """
    if count < 2:
        raise UserError(f"`count` must be at least 2, got {count}.")
    divergence, shown = film.divergence, shown_steps(len(film), count, film.divergence.step)
    frames = cropped(np.concatenate([film.true_frames[shown], film.predicted_frames[shown]]))
    for place, step in enumerate(shown):
        if _left(divergence, step):
            _edge(frames[len(shown) + place])
    pictures = jpegs(frames, max_bytes)
    fig = make_subplots(3, 1)
    for row, name in enumerate(film.labels, start=1):
        _strip(fig, row, name, pictures[(row - 1) * len(shown) : row * len(shown)])
    for place, step in enumerate(shown):
        _caption(fig, divergence, place, step)
    _curve(fig, divergence, shown)
    fig.add_annotation(
        text="apart by", x=0, xshift=-10, y=0, yshift=-10, xref="paper", yref="y2",
        xanchor="right", font={"size": 12, "color": QUIET_INK},
    )  # fmt: skip
    notes = textwrap.wrap(" ".join([divergence.warning(), film.note]).strip(), 86)
    fig.add_annotation(
        text="<br>".join(notes), x=0, y=0, xref="paper", yref="paper", xanchor="left",
        yanchor="top", yshift=-48, align="left", font={"size": 12, "color": QUIET_INK},
    )  # fmt: skip
    tall = int(np.clip(_WIDE / len(shown) * frames.shape[1] / frames.shape[2], 60, 200))
    total = _place_rows(fig, tall)
    below = 64 + 17 * len(notes)
    return themed(
        fig, title_of(film), height=total + 72 + below, showlegend=False, margin_t=72,
        margin_l=98, margin_b=below,
    )  # fmt: skip


def title_of(film: Film) -> str:
    """What the film shows, in one sentence."""
    (true, predicted), divergence = film.labels, film.divergence
    if divergence.step is None:
        return (
            f"The {predicted} robot stays within {divergence.threshold:g} m of the {true} one for "
            f"{divergence.seconds(len(film) - 1):.3g} s"
        )
    after = f"after {divergence.seconds(divergence.step):.3g} s" if divergence.step else "at once"
    return f"The {predicted} robot visibly leaves the {true} one {after}"


def shown_steps(total: int, count: int, chosen: int | None) -> list[int]:
    """`count` equally spaced of `total` states, the nearest moved to the chosen one."""
    steps = np.linspace(0, total - 1, min(count, total)).round().astype(int)
    if chosen is not None:
        inner = steps[1:-1] if len(steps) > 2 and 0 < chosen < total - 1 else steps
        inner[np.abs(inner - chosen).argmin()] = chosen
    return steps.tolist()


def _left(divergence: Divergence, step: int) -> bool:
    return divergence.step is not None and step >= divergence.step


def _edge(frame: np.ndarray) -> None:
    """Give a picture an orange edge, in place."""
    width = max(2, frame.shape[0] // 48)
    colour = tuple(int(UNSTABLE[i : i + 2], 16) for i in (1, 3, 5))
    for part in (frame[:width], frame[-width:], frame[:, :width], frame[:, -width:]):
        part[:] = colour


def cropped(frames: np.ndarray) -> np.ndarray:
    """The middle of the pictures, as wide as any robot in them; robots are what is colourful."""
    height, width = frames.shape[1:3]
    colourful = (np.ptp(frames.astype(np.int16), axis=3) > 60).any(axis=(0, 1))
    reach = np.abs(np.flatnonzero(colourful) - (width - 1) / 2)
    half = round(max(reach.max() + 0.06 * width, 0.375 * height)) if reach.size else width
    left = max(0, width // 2 - half)
    return frames[:, :, left : width - left].copy()


def _place_rows(fig: go.Figure, tall: int) -> int:
    """Give two strips `tall` pixels each and the curve the rest; returns the height of all."""
    total = 2 * tall + _BETWEEN + _ABOVE_PLOT + _PLOT
    first, second = total - tall, total - 2 * tall - _BETWEEN
    fig.update_layout(
        yaxis_domain=[first / total, 1.0],
        yaxis2_domain=[second / total, (second + tall) / total],
        yaxis3_domain=[0.0, _PLOT / total],
    )
    return total


def _strip(fig: go.Figure, row: int, name: str, pictures: list[bytes]) -> None:
    """One row of pictures, in places 0, 1, 2, … of its own axis."""
    axis = {"visible": False, "fixedrange": True}
    fig.update_xaxes(**axis, range=[-0.5, len(pictures) - 0.5], row=row, col=1)
    fig.update_yaxes(**axis, range=[0, 1], row=row, col=1)
    # without a trace on it, plotly does not draw an axis, nor what stands on it
    fig.add_scatter(
        x=[0], y=[0], mode="markers", marker_opacity=0, hoverinfo="skip", row=row, col=1
    )
    for place, picture in enumerate(pictures):
        fig.add_layout_image(
            source=data_uri(picture), x=place, y=0.5, sizex=1 - _GAP, sizey=1, xanchor="center",
            yanchor="middle", sizing="contain", layer="above", row=row, col=1,
        )  # fmt: skip
    fig.add_annotation(
        text=f"<b>{name}</b>", x=0, xshift=-10, y=0.5, xref="paper", xanchor="right",
        font={"color": INK, "size": 14}, yref=f"y{row if row > 1 else ''}",
    )  # fmt: skip


def _caption(fig: go.Figure, divergence: Divergence, place: int, step: int) -> None:
    """The time above a pair of pictures, and how far apart the two are below it."""
    first = step == divergence.step
    bold = "<b>{}</b>" if first else "{}"
    apart = divergence.distance[step]
    below = "no number" if np.isnan(apart) else f"{apart:.2f} m"
    for row, y, text, colour in (
        (1, 1.0, f"{divergence.seconds(step):.3g} s", INK),
        (2, 0.0, below, UNSTABLE if _left(divergence, step) else QUIET_INK),
    ):
        fig.add_annotation(
            text=bold.format(text), x=place, y=y, yshift=10 if row == 1 else -10, row=row, col=1,
            font={"size": 12, "color": colour},
        )  # fmt: skip


def _curve(fig: go.Figure, divergence: Divergence, shown: list[int]) -> None:
    """Distance over time, the threshold, the states shown above, and the marker."""
    at: dict[str, Any] = {"row": 3, "col": 1}
    time = divergence.dt * np.arange(len(divergence.distance))
    steps = np.arange(len(time))
    fig.add_scatter(
        x=time, y=divergence.distance, mode="lines", line={"color": PALETTE[0], "width": 2},
        fill="tozeroy", fillcolor="rgba(0, 114, 178, 0.12)", name="distance", customdata=steps,
        hovertemplate="step %{customdata}, %{x:.3g} s: %{y:.3g} m<extra></extra>", **at,
    )  # fmt: skip
    fig.add_scatter(
        x=time[shown], y=divergence.distance[shown], mode="markers", hoverinfo="skip",
        marker={"color": PALETTE[0], "size": 8, "line": {"color": "white", "width": 1.5}}, **at,
    )  # fmt: skip
    _shade(fig, divergence, **at)
    fig.add_hline(
        y=divergence.threshold, line={"color": QUIET_INK, "width": 1.5, "dash": "dash"}, **at
    )
    fig.add_annotation(
        text=f"visible above {divergence.threshold:g} m", x=time[-1], y=divergence.threshold,
        xanchor="right", yanchor="bottom", bgcolor="rgba(255, 255, 255, 0.8)", borderpad=1,
        font={"size": 12, "color": QUIET_INK}, **at,
    )  # fmt: skip
    known = divergence.distance[~divergence.missing]
    top = 1.12 * max(known.max() if known.size else 0.0, 1.5 * divergence.threshold)
    fig.update_yaxes(title_text="largest distance, m", range=[0, top], **at)
    fig.update_xaxes(
        title_text="time since the start, s", **at,
        range=[-0.01 * time[-1], 1.01 * time[-1]] if time[-1] else None,
    )  # fmt: skip
    if divergence.step is not None:
        _marker(fig, divergence, time[-1], top)


def _shade(fig: go.Figure, divergence: Divergence, **at: Any) -> None:
    """Grey where what was predicted could not be drawn as it is."""
    odd = np.concatenate([[False], divergence.odd, [False]])
    edges = np.flatnonzero(np.diff(odd.astype(int))).reshape(-1, 2)
    for first, after in edges:
        fig.add_vrect(
            x0=divergence.dt * (first - 0.5), x1=divergence.dt * (after - 0.5), line_width=0,
            fillcolor=QUIET_INK, opacity=0.16, layer="below", **at,
        )  # fmt: skip


def _marker(fig: go.Figure, divergence: Divergence, end: float, top: float) -> None:
    """A dotted upright with its sentence, on the side where there is room."""
    at: dict[str, Any] = {"row": 3, "col": 1}
    x = divergence.seconds(divergence.step or 0)
    fig.add_vline(x=x, line={"color": UNSTABLE, "width": 2, "dash": "dot"}, **at)
    right = x < end / 2
    fig.add_annotation(
        text=f"<b>{divergence.marker()}</b>", x=x, y=top, xanchor="left" if right else "right",
        yanchor="top", xshift=6 if right else -6, font={"color": UNSTABLE}, bgcolor="white",
        opacity=0.9, **at,
    )  # fmt: skip
