"""Koopman spectra, T-symmetry and symmetries of dynamics, in JAX and Equinox.

Rooms load when they are first used, so that `import toolkit` is quick, seeds nothing and
picks no device.
"""

import importlib
from importlib import metadata as _metadata
from typing import Any

_ROOMS = (
    "agents", "behaviours", "bench", "data", "dynamics", "envs", "evaluation", "exercises",
    "explore", "figures", "planning", "spectral", "studies", "symmetry", "training", "tsymmetry",
    "widgets",
)  # fmt: skip

try:
    __version__ = _metadata.version("koopman-toolkit")
except _metadata.PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"toolkit.{name}")
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*_ROOMS, "__version__"]
