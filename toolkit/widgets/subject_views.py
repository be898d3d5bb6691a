"""Figures that explorers of a user's own models redraw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import plotly.graph_objects as go

from toolkit.data import Window
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.figures import rollout_figure, spectrum_figure
from toolkit.spectral import Spectrum
from toolkit.widgets.subjects import Subject

#: Coordinates that are drawn at once.
TOGETHER = 4


class RolloutView:
    """Figure of predictions against the truth, in one of some windows of the data."""

    def __init__(self, subjects: Mapping[str, Subject], horizon: int):
        first = next(iter(subjects.values()))
        windows = first.windows(horizon)
        self.horizon, self.dt = windows.action.shape[0], first.dt
        self.truth = np.swapaxes(np.asarray(windows.obs), 0, 1)  # (windows, horizon + 1, obs)
        self.num_windows = len(self.truth)
        self.predicted = {
            name: np.asarray(_predict(subject.trained, windows))
            for name, subject in subjects.items()
        }
        dims = range(self.truth.shape[2])
        groups = [tuple(dims[at : at + TOGETHER]) for at in dims[::TOGETHER]]
        self.groups = {
            f"{group[0]} to {group[-1]}" if len(group) > 1 else str(group[0]): group
            for group in groups
        }

    def __call__(self, window: int, steps: int, coordinates: tuple[int, ...]) -> go.Figure:
        curves = {name: values[window, : steps + 1] for name, values in self.predicted.items()}
        return rollout_figure(self.truth[window, : steps + 1], curves, coordinates, self.dt)


class InitialisationView:
    """Figure of a fresh spectrum; `scale` is its share of the frequencies that a step resolves.

    Raises:
        UserError: there is no mode.
    """

    def __init__(self, modes: int, dt: float):
        if modes < 1:
            raise UserError(f"`modes` must be at least 1, got {modes}.")
        self.modes, self.dt = modes, dt

    def __call__(self, scheme: Any, real_part: float, step: float, scale: float) -> go.Figure:
        spectrum = Spectrum(
            self.modes, real_part="free", imag_part=scheme, step_size="fixed", decay=real_part,
            frequency_scale=scale, step_init=step, key=jr.key(0),
        )  # fmt: skip
        multipliers = np.asarray(spectrum.multipliers)
        figure = spectrum_figure(multipliers, dt=self.dt)
        half_turn = np.pi * (1 + 1e-5)  # the paper's fastest mode turns by exactly that
        aliased = int(np.sum(np.abs(np.asarray(spectrum.imag)) * step > half_turn))
        largest = np.abs(multipliers).max()
        title = f"largest |λ̄| {largest:.3f}; {aliased} of {self.modes} modes alias"
        return figure.update_layout(title_text=title)


def _predict(trained: TrainedDynamics, windows: Window) -> Any:
    one = lambda model, obs, actions: model.predict(obs, actions).obs
    return eqx.filter_jit(jax.vmap(one, in_axes=(None, 0, 1)))(
        trained, windows.obs[0], windows.action
    )
