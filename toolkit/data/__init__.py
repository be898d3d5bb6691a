"""Datasets with episode structure: read, check, fetch, simulate, sub-sample, normalise.

Names load when they are first used, so that the command line can list datasets without JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.data.arrays import RawArrays
    from toolkit.data.dataset import Dataset, Source
    from toolkit.data.doctor import check
    from toolkit.data.downloads import fetch
    from toolkit.data.loading import load
    from toolkit.data.normaliser import Normaliser
    from toolkit.data.reading import read_arrays
    from toolkit.data.samplers import Transitions, TransitionSampler, Window, WindowSampler
    from toolkit.data.simulation import simulate
    from toolkit.data.subsampling import low_speed, split_episodes, subsample, subsample_episodes
    from toolkit.data.writing import write_d4rl

_HOMES = {
    "arrays": ("RawArrays",),
    "dataset": ("Dataset", "Source"),
    "doctor": ("check",),
    "downloads": ("fetch",),
    "loading": ("load",),
    "normaliser": ("Normaliser",),
    "reading": ("read_arrays",),
    "samplers": ("TransitionSampler", "Transitions", "Window", "WindowSampler"),
    "simulation": ("simulate",),
    "subsampling": ("low_speed", "split_episodes", "subsample", "subsample_episodes"),
    "writing": ("write_d4rl",),
}

__all__ = [
    "Dataset",
    "Normaliser",
    "RawArrays",
    "Source",
    "TransitionSampler",
    "Transitions",
    "Window",
    "WindowSampler",
    "check",
    "fetch",
    "load",
    "low_speed",
    "read_arrays",
    "simulate",
    "split_episodes",
    "subsample",
    "subsample_episodes",
    "write_d4rl",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"toolkit.data.{home}"), name)
    raise AttributeError(f"module 'toolkit.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
