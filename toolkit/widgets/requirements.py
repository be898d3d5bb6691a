"""Imports of the optional packages, with their absence told in one sentence."""

from toolkit.errors import UserError
from toolkit.widgets.support import INSTALL

try:
    import anywidget as anywidget
    import ipywidgets as ipywidgets
except ImportError as missing:
    raise UserError(
        f"Widgets need `{missing.name}`, which is not installed: {INSTALL}. "
        "Every figure in `toolkit.figures` works without it."
    ) from None
