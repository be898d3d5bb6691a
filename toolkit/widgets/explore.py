"""Controls wired to a pure figure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.widgets.controls import start_of
from toolkit.widgets.support import INSTALL, has_widgets


def explore(view: Callable[..., go.Figure], **controls: Any) -> Any:
    """Draw `view(**values)` and draw it again whenever a control moves.

    `controls` are `Slider`, `Choice`, `Toggle` or any ipywidget with a value, one per argument of
    `view`. The first picture is drawn here and now, so that an error surfaces in the cell. A later
    one is written below the controls in one sentence, kept in the explorer's `error`, and raised.

    `view` should be pure: give it data by closure or `functools.partial`, not by a global name
    that a later cell may rebind. Returns an `Explorer`, or the first figure alone where the
    widget packages are missing.

    Raises:
        UserError: `view` does not return a plotly figure.
    """
    first = view(**{name: start_of(control) for name, control in controls.items()})
    if not isinstance(first, go.Figure):
        raise UserError(f"`view` must return a plotly figure, got {type(first).__name__}.")
    if not has_widgets():
        print(f"This figure has controls where the widget packages are installed: {INSTALL}.")
        return first
    from toolkit.widgets.explorer import Explorer

    return Explorer(view, controls, first)
