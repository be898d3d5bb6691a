"""Widgets: controls and draggable parts on top of `toolkit.figures`."""

from typing import TYPE_CHECKING, Any

from toolkit.widgets.controls import Choice, Slider, Toggle
from toolkit.widgets.explore import explore
from toolkit.widgets.live_plot import LivePlot
from toolkit.widgets.picture import save_picture, static
from toolkit.widgets.predict import predict_first

if TYPE_CHECKING:
    from toolkit.widgets.eigenplane import EigenPlane

__all__ = [
    "Choice",
    "EigenPlane",
    "LivePlot",
    "Slider",
    "Toggle",
    "explore",
    "predict_first",
    "save_picture",
    "static",
]


def __getattr__(name: str) -> Any:
    """The one name that cannot exist without the widget packages is imported when it is used."""
    if name == "EigenPlane":
        from toolkit.widgets.eigenplane import EigenPlane

        return EigenPlane
    raise AttributeError(f"module 'toolkit.widgets' has no attribute {name!r}")
