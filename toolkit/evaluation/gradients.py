"""How gradients grow or shrink on their way back through time, measured and as the theory says."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from toolkit.data import Window
from toolkit.dynamics import AbstractDynamics
from toolkit.errors import UserError
from toolkit.spectral.spectrum import Spectrum
from toolkit.types import Key


class GradientNorms(eqx.Module):
    """Sizes of gradients, as multiples of the loss's gradient at the step it belongs to.

    `state[i, j]` is |∂ℒ_k/∂z_0| / |∂ℒ_k/∂z_k| at k = `steps[j]`, for sample i; a Markov model has
    the same from any step to one k later. `control[i, l]` is |∂ℒ_T/∂c_{T−1−l}| / |∂ℒ_T/∂z_T|, of
    the control that acted l steps before the state that the loss looks at.

    Shapes: `steps` `(lags,)`.
    """

    steps: Int[np.ndarray, " lags"]
    state: Float[np.ndarray, "batch lags"]
    control: Float[np.ndarray, "batch time"]


def gradient_norms(
    model: AbstractDynamics,
    window: Window,
    steps: Int[np.ndarray, " lags"] | None = None,
    *,
    key: Key,
) -> GradientNorms:
    """Measure gradients through the latent dynamics on a batch of normalised windows.

    ℒ_k is the product of z_k with a random direction, one per sample: its gradient at z_k is
    that direction, so what is measured belongs to the dynamics alone. Without `steps` about 24
    are spread over the window, evenly in the logarithm.

    Source: arXiv:2306.11941 §3.2.1.
    Raises:
        UserError: a step lies outside the window.
    """
    horizon = len(window.action)
    if steps is None:
        steps = np.unique(np.geomspace(1, horizon, 24).round().astype(int))
    steps = np.asarray(steps)
    if steps.size == 0 or steps.min() < 1 or steps.max() > horizon:
        raise UserError(f"`steps` must lie in 1..{horizon}, got {steps.tolist()}.")
    state, control = _measured(model, window.obs[0], window.action, jnp.asarray(steps), key)
    return GradientNorms(steps, np.asarray(state), np.asarray(control))


@eqx.filter_jit
def _measured(
    model: AbstractDynamics, obs: Array, actions: Array, steps: Array, key: Key
) -> tuple[Array, Array]:
    def one_sample(obs: Array, actions: Array, key: Array) -> tuple[Array, Array]:
        states, pull = jax.vjp(model.drive, model.encode(obs), model.controls(actions))
        direction = jr.normal(key, states.shape[1:])
        direction = direction / jnp.linalg.norm(direction)

        def pulled(step: Array) -> tuple[Array, Array]:
            return pull(jnp.zeros_like(states).at[step - 1].set(direction))

        to_state = jax.vmap(lambda step: jnp.linalg.norm(pulled(step)[0]))(steps)
        to_control = jnp.linalg.norm(pulled(jnp.asarray(len(actions)))[1], axis=-1)
        return to_state, to_control[::-1]

    keys = jr.split(key, len(obs))
    return jax.vmap(one_sample, in_axes=(0, 1, 0))(obs, actions, keys)


def gradient_envelope(
    spectrum: Spectrum, lags: Shaped[np.ndarray, " lags"]
) -> tuple[Float[np.ndarray, " lags"], Float[np.ndarray, " lags"]]:
    """Between which factors every gradient must lie after `lags` steps: min and max of e^{kΔtμ_j}.

    For a diagonal K each mode's gradient is multiplied by exactly its own factor, and that of all
    modes together by something between the smallest and the largest.

    Source: arXiv:2306.11941 Theorem 3.1.
    """
    rate = np.asarray(jnp.log(jnp.abs(spectrum.multipliers)), float)
    lags = np.asarray(lags, float)
    return np.exp(lags * rate.min()), np.exp(lags * rate.max())
