"""The explorer of an augmentation's filter."""

from __future__ import annotations

import functools
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import plotly.graph_objects as go

from toolkit.agents.symmetry_filter import SymmetryFilter
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.evaluation.augmented import augmented, decoded, in_latent, true_errors, violations
from toolkit.figures.augmentation import filter_figure
from toolkit.tsymmetry import TDM
from toolkit.types import Key
from toolkit.widgets.controls import Slider
from toolkit.widgets.explore import explore


class FilterView:
    """Figure of latent noise on some transitions, and of what the symmetry filter makes of it.

    Called with a quantile τ and the standard deviation of the noise as a share of the latent's.
    The same random numbers serve every share, so a sample moves along a line. `data` are the
    (normalised) transitions over which the quantile and the latent's plane are taken, `batch`
    those that are moved. True errors are measured in MuJoCo if a `robot` is named.

    Raises:
        UserError: there is a `robot` and no `normaliser`.
    """

    def __init__(
        self,
        model: TDM,
        data: Transitions,
        batch: Transitions,
        *,
        key: Key,
        robot: str | None = None,
        normaliser: Normaliser | None = None,
    ):
        if robot is not None and normaliser is None:
            raise UserError("A `robot` needs the `normaliser` of the states.")
        self.model, self.robot, self.normaliser, self.key = model, robot, normaliser, key
        recorded = in_latent(model, data)
        self.spread = jnp.std(recorded.obs, axis=0)
        self.data_violation = np.asarray(violations(model, recorded))
        self._centre = np.asarray(recorded.obs).mean(0)
        _, _, axes = np.linalg.svd(np.asarray(recorded.obs) - self._centre, full_matrices=False)
        self._axes = axes[:2].T
        self._latent = in_latent(model, batch)
        self.samples = functools.lru_cache(maxsize=64)(self._samples)

    def _samples(self, noise_share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Of the moved batch: coordinates in the plane, ℓ_Tsym, and true errors if possible."""
        everything = jnp.asarray(jnp.inf)  # the threshold moves later, without new samples
        noise = SymmetryFilter(self.model, noise_share * self.spread, everything)
        moved, _ = augmented(noise, self._latent, self.key)
        errors = None
        if self.robot is not None and self.normaliser is not None:
            errors = true_errors(self.robot, self.normaliser, decoded(self.model, moved))
        plane = (np.asarray(moved.obs) - self._centre) @ self._axes
        return plane, np.asarray(violations(self.model, moved)), errors

    def __call__(self, quantile: float, noise_share: float) -> go.Figure:
        plane, violation, errors = self.samples(noise_share)
        threshold = float(np.quantile(self.data_violation, quantile))
        return filter_figure(
            plane, violation, violation <= threshold, self.data_violation, threshold, errors,
            without_errors="Not measured without a simulator.",
        )  # fmt: skip


def explore_filter(
    model: TDM,
    data: Transitions,
    batch: Transitions,
    *,
    robot: str | None = None,
    normaliser: Normaliser | None = None,
    key: Key | None = None,
    quantile: float = 0.7,
    noise_share: float = 0.1,
) -> Any:
    """Sliders for quantile and noise above what the filter keeps (see `FilterView`).

    Without the widget packages, the first figure.
    """
    key = jr.key(0) if key is None else key
    view = FilterView(model, data, batch, key=key, robot=robot, normaliser=normaliser)
    return explore(
        view,
        quantile=Slider(quantile, 0.0, 1.0, 0.05, label="quantile τ"),
        noise_share=Slider(noise_share, 0.003, 1.0, log=True, label="noise, share of std"),
    )
