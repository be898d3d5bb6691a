"""The player behind `compare_frames`: two robots, one scrub bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import traitlets

from toolkit.errors import UserError
from toolkit.figures.frames import Film, frames_figure
from toolkit.figures.images import jpegs
from toolkit.widgets.requirements import anywidget

_HERE = Path(__file__).parent

FILM_BYTES = 1_900_000  # all pictures of a player; they are sent once
SPEEDS = (1.0, 0.5, 0.25, 0.125, 0.0625)  # of real time
_LASTING = 4.0  # s; a shorter film starts in slow motion


def script(*names: str) -> str:
    """Scripts of this folder, one behind the other: a widget's module."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


class FramePlayer(anywidget.AnyWidget):
    """Pictures of the true and the predicted robot, with the distance between them over time.

    The pictures are sent once, so that scrubbing, playing and jumping to the first visible
    divergence need no kernel. `step` and `playing` follow the browser and can be set; while the
    film plays, `step` follows some ten times a second.

    `film` is what is shown; `figure()` is the same as a still.

    Units:  `dt` in seconds per step; `speed` in seconds of the film per second.
    Raises:
        UserError: the pictures are larger than 1.9 MB together, or Pillow is not installed.
    """

    _esm = script("parts.js", "transport.js", "frames.js")
    _css = (_HERE / "frames.css").read_text("utf-8")

    true_frames = traitlets.List(traitlets.Bytes()).tag(sync=True)  # JPEG
    predicted_frames = traitlets.List(traitlets.Bytes()).tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    distance = traitlets.List().tag(sync=True)  # metres; None where nothing finite was predicted
    travelled = traitlets.List().tag(sync=True)  # metres, of both; or empty
    clipped = traitlets.List().tag(sync=True)  # steps at which a pose was cut to the limits
    threshold = traitlets.Float().tag(sync=True)
    divergence = traitlets.Int(None, allow_none=True).tag(sync=True)  # a step
    dt = traitlets.Float(1.0).tag(sync=True)
    shape = traitlets.List().tag(sync=True)  # height and width of a picture, pixels
    note = traitlets.Unicode("").tag(sync=True)
    speeds = traitlets.List(list(SPEEDS)).tag(sync=True)
    speed = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)

    def __init__(self, film: Film):
        both = np.concatenate([film.true_frames, film.predicted_frames])
        coded, told = jpegs(both, FILM_BYTES), film.divergence
        self.film = film
        super().__init__(
            true_frames=coded[: len(film)], predicted_frames=coded[len(film) :],
            labels=list(film.labels), distance=_numbers(told.distance),
            travelled=[] if film.travelled is None else [_numbers(row) for row in film.travelled],
            clipped=told.clipped.nonzero()[0].tolist(), threshold=told.threshold,
            divergence=told.step, dt=told.dt, shape=list(film.true_frames.shape[1:3]),
            note=" ".join(filter(None, [told.warning(), film.note])),
            speed=calm_speed(told.seconds(len(film) - 1)),
        )  # fmt: skip

    def figure(self, *, count: int = 6) -> go.Figure:
        """The still of this film, for readers without a kernel."""
        return frames_figure(self.film, count=count)

    @traitlets.validate("step")
    def _check_step(self, proposal: Any) -> int:
        last = max(len(self.distance) - 1, 0)
        if not 0 <= proposal["value"] <= last:
            raise UserError(f"`step` must lie in 0..{last}, got {proposal['value']}.")
        return proposal["value"]

    @traitlets.validate("speed")
    def _check_speed(self, proposal: Any) -> float:
        if proposal["value"] not in self.speeds:
            raise UserError(f"`speed` must be one of {self.speeds}, got {proposal['value']:g}.")
        return proposal["value"]


def calm_speed(seconds: float) -> float:
    """The fastest speed at which a film of `seconds` can be followed, or the slowest."""
    return next((speed for speed in SPEEDS if seconds / speed >= _LASTING), SPEEDS[-1])


def _numbers(values: np.ndarray) -> list[float | None]:
    """A tenth of a millimetre is enough; what is not finite becomes a gap."""
    return [round(value, 4) if np.isfinite(value) else None for value in values.tolist()]
