"""The widget behind `explore`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import plotly.graph_objects as go
import traitlets

from toolkit.widgets.controls import build
from toolkit.widgets.live import ErrorLine, LiveFigure
from toolkit.widgets.requirements import ipywidgets
from toolkit.widgets.support import one_sentence

#: Every explorer that is still there, in the order in which they were made.
ALIVE: WeakValueDictionary[int, Explorer] = WeakValueDictionary()
_numbers = itertools.count()


class Explorer(ipywidgets.VBox):
    """Controls above one live figure; `controls` holds the ipywidgets by name.

    `error` is what the last redraw failed with, in one sentence, or empty.
    """

    error = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self, view: Callable[..., go.Figure], controls: Mapping[str, Any], first: go.Figure
    ):
        self._view = view
        self.controls = {name: build(name, control) for name, control in controls.items()}
        self.figure, self._line = LiveFigure(first), ErrorLine()
        super().__init__([*self.controls.values(), self._line, self.figure])
        for control in self.controls.values():
            control.observe(self._redraw, names="value")
        ALIVE[next(_numbers)] = self

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say now."""
        return {name: control.value for name, control in self.controls.items()}

    def _redraw(self, _change: Any) -> None:
        try:
            self.figure.show(self._view(**self.values))
        except Exception as problem:
            self.error = one_sentence(problem)
            raise
        self.error = ""

    @traitlets.observe("error")
    def _tell(self, change: Any) -> None:
        self._line.error = change["new"]
