"""Widgets: controls and draggable parts on top of `toolkit.figures`."""

import importlib
from typing import TYPE_CHECKING, Any

from toolkit.widgets.controls import Choice, Sketch, Slider, Toggle
from toolkit.widgets.explore import explore
from toolkit.widgets.live_plot import LivePlot
from toolkit.widgets.picture import save_picture, static
from toolkit.widgets.predict import predict_first

if TYPE_CHECKING:
    from toolkit.widgets.augmentation import explore_filter
    from toolkit.widgets.eigenplane import EigenPlane
    from toolkit.widgets.frames import FramePlayer
    from toolkit.widgets.gradients import explore_gradients
    from toolkit.widgets.lineup import LineupPlayer
    from toolkit.widgets.museum import explore_museum
    from toolkit.widgets.offline import explore_aggregates, explore_profiles, explore_sizes
    from toolkit.widgets.pixels import TargetSetting, explore_encoders
    from toolkit.widgets.planning import explore_plan
    from toolkit.widgets.symmetry import explore_shifts
    from toolkit.widgets.violation import TrainedCase, explore_violation
    from toolkit.widgets.watch import (
        compare_frames,
        film_policies,
        film_prediction,
        film_states,
        watch_policies,
        watch_prediction,
    )

#: Imported when they are used: some cannot exist without the widget packages, the others need JAX.
_HOMES = {
    "augmentation": ("explore_filter",),
    "eigenplane": ("EigenPlane",),
    "frames": ("FramePlayer",),
    "gradients": ("explore_gradients",),
    "lineup": ("LineupPlayer",),
    "museum": ("explore_museum",),
    "offline": ("explore_aggregates", "explore_profiles", "explore_sizes"),
    "pixels": ("TargetSetting", "explore_encoders"),
    "planning": ("explore_plan",),
    "symmetry": ("explore_shifts",),
    "violation": ("TrainedCase", "explore_violation"),
    "watch": (
        "compare_frames",
        "film_policies",
        "film_prediction",
        "film_states",
        "watch_policies",
        "watch_prediction",
    ),
}

__all__ = [
    "Choice",
    "EigenPlane",
    "FramePlayer",
    "LineupPlayer",
    "LivePlot",
    "Sketch",
    "Slider",
    "TargetSetting",
    "Toggle",
    "TrainedCase",
    "compare_frames",
    "explore",
    "explore_aggregates",
    "explore_encoders",
    "explore_filter",
    "explore_gradients",
    "explore_museum",
    "explore_plan",
    "explore_profiles",
    "explore_shifts",
    "explore_sizes",
    "explore_violation",
    "film_policies",
    "film_prediction",
    "film_states",
    "predict_first",
    "save_picture",
    "static",
    "watch_policies",
    "watch_prediction",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"toolkit.widgets.{home}"), name)
    raise AttributeError(f"module 'toolkit.widgets' has no attribute {name!r}")
