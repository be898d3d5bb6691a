"""The pad on which a learner draws the curve that he expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import traitlets

from toolkit.errors import UserError
from toolkit.widgets.controls import Sketch
from toolkit.widgets.requirements import anywidget

_HERE = Path(__file__).parent
_INSTRUCTIONS = (
    "Draw with mouse or finger, or with the arrow keys: left and right along, up and down in "
    "height. Draw again to correct."
)


class SketchPad(anywidget.AnyWidget):
    """A curve drawn by hand over the places of a `Sketch`.

    `value` is the curve, `(points,)` in the sketch's own units, as soon as it was drawn at two
    places or more: straight lines join them, and the ends are continued. Until then it is None.
    `show_truth` draws another curve over it.
    """

    _esm = "\n".join((_HERE / name).read_text("utf-8") for name in ("parts.js", "sketch.js"))
    _css = (_HERE / "sketch.css").read_text("utf-8")

    heights = traitlets.List().tag(sync=True)  # shares of the pad's height, None where not drawn
    truth = traitlets.List().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    x_ticks = traitlets.List().tag(sync=True)
    y_ticks = traitlets.List().tag(sync=True)
    x_label = traitlets.Unicode("").tag(sync=True)
    y_label = traitlets.Unicode("").tag(sync=True)
    instructions = traitlets.Unicode(_INSTRUCTIONS).tag(sync=True)

    def __init__(self, sketch: Sketch):
        self.sketch, count = sketch, len(sketch.x)
        at = sorted({round(share * (count - 1)) for share in np.linspace(0, 1, 5)})
        shares = np.linspace(0, 1, 5)
        super().__init__(
            heights=[None] * count,
            x_ticks=[[column, f"{sketch.x[column]:.4g}"] for column in at],
            y_ticks=[[float(s), f"{v:.3g}"]
                     for s, v in zip(shares, sketch.values(shares), strict=True)],
            x_label=sketch.x_label, y_label=sketch.y_label,
        )  # fmt: skip

    @property
    def value(self) -> np.ndarray | None:
        """The curve, `(points,)`; None before it was drawn at two places."""
        drawn = [i for i, height in enumerate(self.heights) if height is not None]
        if len(drawn) < 2:
            return None
        heights = np.interp(range(len(self.heights)), drawn, [self.heights[i] for i in drawn])
        return self.sketch.values(heights)

    @value.setter
    def value(self, curve: Any) -> None:
        self.heights = self.sketch.heights(curve).tolist()

    @traitlets.validate("heights")
    def _check_heights(self, proposal: Any) -> list[float | None]:
        count = len(self.sketch.x)
        numbers = [h for h in proposal["value"] if h is not None]
        if len(proposal["value"]) != count or not all(0 <= h <= 1 for h in numbers):
            raise UserError(f"`heights` must be {count} numbers from 0 to 1, or None.")
        return proposal["value"]

    def show_truth(self, curve: Any) -> float:
        """Draw the true curve, and return how far the drawn one lies from it on average.

        As a share of the pad's height: 0 is the same curve, 1 as far off as can be. What leaves
        the pad counts as its edge.

        Raises:
            UserError: nothing was drawn yet, or the curve is not of the sketch's places.
        """
        self.truth = self.sketch.heights(curve).tolist()
        drawn = self.value
        if drawn is None:
            raise UserError("There is no drawn curve to compare with the true one yet.")
        return float(np.mean(np.abs(self.sketch.heights(drawn) - np.array(self.truth))))
