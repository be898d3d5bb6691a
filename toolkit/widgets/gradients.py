"""The explorer of gradients through time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import plotly.graph_objects as go

from toolkit.data import Window
from toolkit.dynamics import AbstractDynamics
from toolkit.dynamics.dense import DenseDynamics
from toolkit.errors import UserError
from toolkit.evaluation.gradients import gradient_envelope, gradient_norms
from toolkit.figures.gradients import gradient_figure
from toolkit.spectral.koopman import KoopmanDynamics
from toolkit.spectral.nonnormal import sheared_rotation
from toolkit.spectral.spectrum import Spectrum
from toolkit.widgets.controls import Choice, Slider
from toolkit.widgets.explore import explore

_LAGS = 24


class GradientView:
    """Figure of the gradients through one of several models, with the spectrum set by hand.

    Called with a model's name, the real part μ (1/model time), the step Δt (model time per
    environment step) and a horizon. The sliders replace the spectrum of a Koopman model and the
    matrix of a `DenseDynamics`, which gets the same eigenvalues and a shear; other models have no
    such numbers, and show what they are.

    Raises:
        UserError: there is no model, or the window is shorter than the horizon.
    """

    def __init__(
        self, models: Mapping[str, AbstractDynamics], window: Window, *, shear: float = 0.5
    ):
        if not models:
            raise UserError("`models` must hold at least one model, got none.")
        self.models, self.window, self.shear = dict(models), window, shear
        self._spectrum = Spectrum(8, real_part="free", step_size="fixed", key=jr.key(0))

    def __call__(self, model: str, real_part: float, step: float, horizon: int) -> go.Figure:
        longest = len(self.window.action)
        if not 1 <= horizon <= longest:
            raise UserError(f"`horizon` must lie in 1..{longest}, got {horizon}.")
        spectrum = _moved(self._spectrum, real_part, step)
        moved = self._with_spectrum(self.models[model], real_part, step)
        lags = np.unique(np.geomspace(1, horizon, _LAGS).round().astype(int))
        # always as many lags, so that the sliders compile nothing new
        padded = np.concatenate([lags, np.full(_LAGS - len(lags), lags[-1])])
        norms = gradient_norms(moved, self.window, padded, key=jr.key(0))
        curves = {model: (lags, norms.state[:, : len(lags)])}
        envelope = (lags, *gradient_envelope(spectrum, lags))
        end = float(np.median(norms.state[:, len(lags) - 1]))
        return gradient_figure(
            curves, envelope, title=f"{model}: after {horizon} steps back, {end:.2g} of a gradient"
        )

    def _with_spectrum(
        self, model: AbstractDynamics, real_part: float, step: float
    ) -> AbstractDynamics:
        if isinstance(model, KoopmanDynamics):
            moved = _moved(model.spectrum, real_part, step)
            return eqx.tree_at(lambda m: m.spectrum, model, moved)
        if isinstance(model, DenseDynamics):
            matrix = sheared_rotation(len(model.matrix), real_part, self.shear, step=step)
            return eqx.tree_at(lambda m: m.matrix, model, jnp.asarray(matrix, model.matrix.dtype))
        return model


def _moved(spectrum: Spectrum, real_part: float, step: float) -> Spectrum:
    """The same frequencies with one real part and one step for all modes."""
    free = Spectrum(
        spectrum.modes, real_part="free", step_size="fixed", decay=real_part, step_init=step,
        key=jr.key(0),
    )  # fmt: skip
    return eqx.tree_at(lambda s: s.imag, free, spectrum.imag)


def explore_gradients(models: Mapping[str, AbstractDynamics], window: Window) -> Any:
    """Controls for model, real part, step and horizon above the measured gradients.

    `window` is a batch of normalised windows; its length bounds the horizon. Without the widget
    packages, the first figure.
    """
    view = GradientView(models, window)
    longest = len(window.action)
    for name in view.models:  # compiled here and now, so that choosing a model does not wait for it
        view(name, -0.2, 0.05, min(100, longest))
    return explore(
        view,
        model=Choice(list(view.models)),
        real_part=Slider(-0.2, -1.0, 0.5, 0.05, label="real part μ"),
        step=Slider(0.05, 1e-3, 1.0, log=True, label="step Δt"),
        horizon=Slider(min(100, longest), 2, longest, 1),
    )
