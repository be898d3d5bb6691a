"""Diagonal complex spectra: what an eigenvalue does, and a whole rollout in one pass."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.spectral.koopman import KoopmanDynamics as KoopmanDynamics
    from toolkit.spectral.learner import Koopman as Koopman

from toolkit.spectral.propagation import choose_form as choose_form, propagate as propagate
from toolkit.spectral.spectrum import (
    Spectrum as Spectrum,
    initial_frequencies as initial_frequencies,
    phi1 as phi1,
)

# The model needs the interface of `toolkit.dynamics`; the spectrum itself needs nothing.
_LATER = {"KoopmanDynamics": "koopman", "Koopman": "learner"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"toolkit.spectral.{_LATER[name]}"), name)
    raise AttributeError(f"module 'toolkit.spectral' has no attribute {name!r}")
