"""Several robots side by side, each acting by its own policy: what a film holds, and a still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.figures.frames import cropped
from toolkit.figures.images import check_frames, data_uri, jpegs, shrunk
from toolkit.figures.theme import INK, QUIET_INK, UNSTABLE, themed

STILL_BYTES = 60_000
_WIDE, _TALL = 800, 130  # pixels of a usual cell, and of a row at most
_GAP = 0.03  # between neighbours, as a share of their distance


@dataclass(frozen=True)
class Lineup:
    """Films of several robots that began in the same state.

    `ends` is the picture at which each robot's episode was over, or None where the film ends
    first; from there on the last picture stands. `note` says how they were drawn.

    Shapes: `frames (robots, time, height, width, 3)`, uint8; `travelled (robots, time)`.
    Units:  `dt` in seconds from picture to picture, `travelled` in metres.
    Raises:
        UserError: pictures, names, ends or distances do not fit together.
    """

    names: Sequence[str]
    frames: np.ndarray
    travelled: np.ndarray
    ends: Sequence[int | None]
    dt: float
    note: str = ""

    def __post_init__(self):
        if np.ndim(self.frames) != 5 or not len(self.frames):
            raise UserError(
                "`frames` must be (robots, time, height, width, 3), got the shape "
                f"{np.shape(self.frames)}."
            )
        for name, robot in zip(self.names, self.frames, strict=False):
            check_frames(f"frames of {name}", robot)
        robots, time = self.frames.shape[:2]
        if len(self.names) != robots or len(set(self.names)) != robots:
            raise UserError(f"`names` must be {robots} different names, got {list(self.names)}.")
        if len(self.ends) != robots:
            raise UserError(f"`ends` must hold {robots} entries, got {len(self.ends)}.")
        if np.shape(self.travelled) != (robots, time):
            raise UserError(
                f"`travelled` must have the shape {(robots, time)}, got {np.shape(self.travelled)}."
            )
        if not self.dt > 0:
            raise UserError(f"`dt` must be positive, got {self.dt}.")

    def __len__(self) -> int:
        return self.frames.shape[1]

    def remark(self, robot: int, step: int) -> str:
        """How far a robot has come, and whether it is over."""
        text = f"{self.travelled[robot, step]:.2f} m"
        end = self.ends[robot]
        return text if end is None or step < end else f"over at {end * self.dt:.2f} s, {text}"


def lineup_figure(lineup: Lineup, *, count: int = 6, max_bytes: int = STILL_BYTES) -> go.Figure:
    """A film as a still: a row for each robot, `count` moments of it, equally spaced.

    Pictures from behind the end of an episode are left out.

    Raises:
        UserError: `count` is below 2, the pictures are too large, or Pillow is not installed.
    """
    if count < 2:
        raise UserError(f"`count` must be at least 2, got {count}.")
    shown = np.linspace(0, len(lineup) - 1, min(count, len(lineup))).round().astype(int)
    frames = cropped(lineup.frames[:, shown].reshape(-1, *lineup.frames.shape[2:]))
    robots, height, width = len(lineup.names), *frames.shape[1:3]
    alive = [
        (robot, place)
        for robot, end in enumerate(lineup.ends)
        for place, step in enumerate(shown)
        if end is None or step <= end
    ]
    chosen = np.stack([frames[r * len(shown) + place] for r, place in alive])
    pictures = jpegs(shrunk(chosen, _TALL), max_bytes)
    fig = go.Figure(go.Scatter(x=[0], y=[0], mode="markers", marker_opacity=0, hoverinfo="skip"))
    for (robot, place), picture in zip(alive, pictures, strict=True):
        fig.add_layout_image(
            source=data_uri(picture), x=place, y=robots - 1 - robot, sizex=1 - _GAP,
            sizey=1 - _GAP, xanchor="center", yanchor="middle", xref="x", yref="y",
            sizing="contain", layer="above",
        )  # fmt: skip
    for robot, name in enumerate(lineup.names):
        places = [place for r, place in alive if r == robot]
        _name(fig, lineup, robot, name, places[-1] + 1, len(shown))
    for place, step in enumerate(shown):
        fig.add_annotation(
            text=f"{step * lineup.dt:.2f} s", x=place, y=robots - 0.5, yanchor="bottom",
            font={"size": 12, "color": INK},
        )  # fmt: skip
    if lineup.note:
        fig.add_annotation(
            text=lineup.note, x=0, y=0, xref="paper", yref="paper", xanchor="left", yanchor="top",
            yshift=-8, font={"size": 12, "color": QUIET_INK},
        )  # fmt: skip
    axis = {"visible": False, "fixedrange": True}
    fig.update_xaxes(**axis, range=[-0.5, len(shown) - 0.5])
    fig.update_yaxes(**axis, range=[-0.5, robots - 0.5])
    tall = min(_WIDE / len(shown) * height / width, _TALL)
    below = 40 if lineup.note else 16
    return themed(
        fig, "The same start, several policies", height=int(robots * tall) + 84 + below,
        showlegend=False, margin_t=84, margin_l=98, margin_b=below,
    )  # fmt: skip


def _name(fig: go.Figure, lineup: Lineup, robot: int, name: str, place: int, count: int) -> None:
    """What stands left of a robot's pictures, and behind them where its episode was over."""
    y, end = len(lineup.names) - 1 - robot, lineup.ends[robot]
    fig.add_annotation(
        text=f"<b>{name}</b>", x=0, xshift=-10, y=y, xref="paper", xanchor="right",
        font={"color": INK, "size": 14},
    )  # fmt: skip
    if end is not None and place < count:
        metres = f"{lineup.travelled[robot, end]:.1f} m".replace("-", "−")
        fig.add_annotation(
            text=f"over after<br>{end * lineup.dt:.2f} s<br>{metres}",
            x=place, y=y, font={"size": 12, "color": UNSTABLE},
        )  # fmt: skip
