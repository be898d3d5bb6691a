"""One FigureWidget that is redrawn in place, and fits the width of its cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import plotly.graph_objects as go
import traitlets

from toolkit.widgets.requirements import anywidget, ipywidgets


class FitWidth(anywidget.AnyWidget):
    """Tells plotly about width changes that it does not notice: the first display, a side bar."""

    _esm = """
    function render({ el }) {
      const resize = () => window.dispatchEvent(new Event("resize"));
      const watcher = new ResizeObserver(() => requestAnimationFrame(resize));
      el.style.height = "0";
      watcher.observe(el);
      return () => watcher.disconnect();
    }
    export default { render };
    """


class OneWayFigure(go.FigureWidget):
    """A FigureWidget that does not take trace defaults back from the browser.

    Nothing here reads them, and plotly (6.0 to 7.1) fails on those of an array that has changed
    its length: "the truth value of an array is ambiguous".
    """

    @traitlets.observe("_js2py_traceDeltas")
    def _handler_js2py_traceDeltas(self, change: Any) -> None:  # noqa: N802 - plotly's name
        del change
        self._trace_edit_in_process = False


class LiveFigure(ipywidgets.VBox):
    """A plotly figure that `show` replaces by another, sending only what differs.

    Built from its first figure, because a stored notebook shows a FigureWidget as it was born. The
    reader's zoom survives unless the new figure sets other ranges than the last.
    """

    def __init__(self, figure: go.Figure):
        self.widget = OneWayFigure(figure)
        self.widget._config = {"responsive": True, "displaylogo": False}
        self._shown = _content(figure)
        super().__init__([self.widget, FitWidth()], layout={"width": "100%"})

    def show(self, figure: go.Figure) -> None:
        """Draw `figure` in place of the last, in one message to the browser."""
        (old_traces, old_layout), (traces, layout) = self._shown, _content(figure)
        same_kinds = [t["type"] for t in old_traces] == [t["type"] for t in traces]
        if not same_kinds:
            self.widget.data = []
            self.widget.add_traces(figure.data)
        with self.widget.batch_update():
            if same_kinds:
                for target, old, new in zip(self.widget.data, old_traces, traces, strict=True):
                    _apply(target, old, new)
            _apply(self.widget.layout, old_layout, layout)
        self._shown = traces, layout


def _content(figure: go.Figure) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Copies of what the traces and the layout hold, arrays as arrays."""
    traces: Any = figure.data
    return [trace.to_plotly_json() for trace in traces], figure.layout.to_plotly_json()


def _apply(target: Any, old: dict[str, Any], new: dict[str, Any]) -> None:
    for path, value in differences(old, new):
        target[path] = value


def differences(old: dict[str, Any], new: dict[str, Any], stem: str = "") -> Iterator[tuple]:
    """Dotted paths whose values differ, with the new value, or None where it is gone.

    Lists and arrays are compared as wholes; the template and identities are left alone.
    """
    for key in [*new, *(key for key in old if key not in new)]:
        if key in ("template", "uid"):
            continue
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from differences(before, after, f"{stem}{key}.")
        elif not _same(before, after):
            yield f"{stem}{key}", after


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.shape(one) == np.shape(other) and bool(np.all(np.asarray(one) == other))
    return one == other


class ErrorLine(ipywidgets.HTML):
    """One sentence about what failed; takes no room while all is well."""

    error = traitlets.Unicode("")

    @traitlets.observe("error")
    def _write(self, change: Any) -> None:
        import html

        text = html.escape(change["new"])
        self.value = f'<p role="alert" style="color: #d55e00; margin: 4px">{text}</p>' * bool(text)
