"""The rollout of a trained Koopman model as a function of its eigenvalues alone."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from toolkit.data import Normaliser, Window
from toolkit.dynamics import AbstractDynamics
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.figures.checks import ComplexArray
from toolkit.types import Obs


class SetSpectrum(eqx.Module):
    """Stands in for a `Spectrum` whose discrete eigenvalues were set by hand.

    The input gain stays the trained one: only the eigenvalues move.
    """

    multipliers: Complex[Array, " modes"]
    input_gain: Complex[Array, " modes"]
    unit_gain: Complex[Array, " modes"]


class ModelRollout:
    """Called with multipliers (modes,), returns the chosen coordinates (horizon + 1, dims).

    `multipliers` are the trained ones, `truth` is what happened, and `weights` (modes,) say how
    much of the decoded motion each mode carries: its mean size in the trained rollout times the
    decoder's sensitivity to it at the start.

    Raises:
        UserError: the model has no diagonal spectrum, or the window or a coordinate does not fit.
    """

    def __init__(
        self,
        model: AbstractDynamics | TrainedDynamics,
        window: Window,
        *,
        dims: tuple[int, ...] | None = None,
        sample: int = 0,
    ):
        obs_dim, batch = window.obs.shape[2], window.obs.shape[1]
        if not 0 <= sample < batch:
            raise UserError(f"`sample` must lie in 0..{batch - 1}, got {sample}.")
        self.dims = tuple(range(min(6, obs_dim))) if dims is None else dims
        if not self.dims or not all(0 <= d < obs_dim for d in self.dims):
            raise UserError(f"`dims` must name coordinates in 0..{obs_dim - 1}, got {self.dims}.")
        if isinstance(model, AbstractDynamics):
            model = TrainedDynamics(model, Normaliser.identity(obs_dim))
        spectrum = getattr(model.model, "spectrum", None)
        if spectrum is None:
            kind = type(model.model).__name__
            raise UserError(f"`model` must have a diagonal spectrum, and {kind} has none.")
        self._trained, self._actions = model, window.action[:, sample]
        self._obs = window.obs[:, sample]
        self.multipliers = np.asarray(spectrum.multipliers, np.complex128)
        self.truth = np.asarray(self._obs)[:, self.dims]

    def __call__(self, multipliers: ComplexArray) -> Float[np.ndarray, "states dims"]:
        """One rollout, compiled at the first call."""
        moved = jnp.asarray(multipliers, jnp.complex64)
        return np.asarray(_rollout(self._trained, moved, self._obs[0], self._actions))[:, self.dims]

    @property
    def weights(self) -> Float[np.ndarray, " modes"]:
        """How much of the decoded motion each mode carries."""
        return np.asarray(_weights(self._trained, self._obs[0], self._actions))


@eqx.filter_jit
def _rollout(
    trained: TrainedDynamics,
    multipliers: Complex[Array, " modes"],
    obs: Obs,
    actions: Float[Array, "time action"],
) -> Float[Array, "states obs"]:
    spectrum: Callable = lambda t: t.model.spectrum
    learned = spectrum(trained)
    moved = SetSpectrum(multipliers, learned.input_gain, learned.unit_gain)
    return eqx.tree_at(spectrum, trained, moved).predict(obs, actions).obs


@eqx.filter_jit
def _weights(
    trained: TrainedDynamics, obs: Obs, actions: Float[Array, "time action"]
) -> Float[Array, " modes"]:
    model = trained.model
    start = model.encode(trained.normaliser.normalise(obs))
    size = jnp.mean(jnp.abs(model.advance(start, actions)), axis=0)  # (2·modes,)
    sensitivity = jnp.linalg.norm(jax.jacfwd(model.decode)(start), axis=0)
    return jnp.sum((size * sensitivity).reshape(2, -1), axis=0)
