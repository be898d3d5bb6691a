"""The player behind `watch_policies`: several robots, one scrub bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import traitlets

from toolkit.errors import UserError
from toolkit.figures.images import jpegs
from toolkit.figures.lineup import Lineup, lineup_figure
from toolkit.figures.theme import colour
from toolkit.widgets.frames import FILM_BYTES, SPEEDS, calm_speed, script
from toolkit.widgets.requirements import anywidget

_HERE = Path(__file__).parent


class LineupPlayer(anywidget.AnyWidget):
    """Pictures of several robots that began in the same state, and how far each has come.

    The pictures are sent once, so that scrubbing and playing need no kernel. `step` and `playing`
    follow the browser and can be set. `lineup` is what is shown; `figure()` is the same as a
    still.

    Units:  `dt` in seconds per step; `speed` in seconds of the film per second.
    Raises:
        UserError: the pictures are larger than 1.9 MB together, or Pillow is not installed.
    """

    _esm = script("parts.js", "transport.js", "lineup.js")
    _css = "\n".join((_HERE / name).read_text("utf-8") for name in ("frames.css", "lineup.css"))

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    colours = traitlets.List(traitlets.Unicode()).tag(sync=True)
    frames = traitlets.List(traitlets.List(traitlets.Bytes())).tag(sync=True)  # JPEG
    travelled = traitlets.List(traitlets.List()).tag(sync=True)  # metres
    ends = traitlets.List().tag(sync=True)  # steps, or None
    dt = traitlets.Float(1.0).tag(sync=True)
    shape = traitlets.List().tag(sync=True)  # height and width of a picture, pixels
    note = traitlets.Unicode("").tag(sync=True)
    speeds = traitlets.List(list(SPEEDS)).tag(sync=True)
    speed = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)

    def __init__(self, lineup: Lineup):
        robots, time = lineup.frames.shape[:2]
        coded = jpegs(lineup.frames.reshape(-1, *lineup.frames.shape[2:]), FILM_BYTES)
        self.lineup = lineup
        super().__init__(
            names=list(lineup.names), colours=[colour(n, i) for i, n in enumerate(lineup.names)],
            frames=[coded[robot * time : (robot + 1) * time] for robot in range(robots)],
            travelled=lineup.travelled.round(3).tolist(), ends=list(lineup.ends), dt=lineup.dt,
            shape=list(lineup.frames.shape[2:4]), note=lineup.note,
            speed=calm_speed((time - 1) * lineup.dt),
        )  # fmt: skip

    def figure(self, *, count: int = 6) -> go.Figure:
        """The still of this film, for readers without a kernel."""
        return lineup_figure(self.lineup, count=count)

    @traitlets.validate("step")
    def _check_step(self, proposal: Any) -> int:
        last = max(len(self.travelled[0]) - 1, 0) if self.travelled else 0
        if not 0 <= proposal["value"] <= last:
            raise UserError(f"`step` must lie in 0..{last}, got {proposal['value']}.")
        return proposal["value"]
