"""Policies trained by the project's own SAC, and the datasets that they make.

Names load when they are first used, so that listing them imports nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.behaviours.making import make_dataset
    from toolkit.behaviours.policies import Behaviour, load_behaviour, read_passport, stages

_HOMES = {
    "making": ("make_dataset",),
    "policies": ("Behaviour", "load_behaviour", "read_passport", "stages"),
}

__all__ = ["Behaviour", "load_behaviour", "make_dataset", "read_passport", "stages"]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"toolkit.behaviours.{home}"), name)
    raise AttributeError(f"module 'toolkit.behaviours' has no attribute {name!r}")
