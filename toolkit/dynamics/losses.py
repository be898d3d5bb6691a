"""The losses of Eq. 7, each a function of one batch of windows. Source: arXiv:2306.11941 §3.3."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from toolkit.data import Window
from toolkit.dynamics.interface import AbstractDynamics
from toolkit.dynamics.steps import Steps
from toolkit.nn import mean_square
from toolkit.types import Scalar


class Unrolled(eqx.Module):
    """A batch unrolled in the latent and looked at on some of its steps.

    Shapes: time first, then batch; `steps` counts from 1.
    """

    latents: Float[Array, "steps batch latent"]
    obs: Float[Array, "steps batch obs"]
    steps: Int[Array, " steps"]


class DynamicsTerms(eqx.Module):
    """The three terms of Eq. 7, each a mean over steps, batch and coordinates."""

    prediction: Scalar
    reward: Scalar
    consistency: Scalar


def unroll(model: AbstractDynamics, window: Window, steps: Steps) -> Unrolled:
    """All latent states of each piece in one pass, decoded on the chosen `steps` only.

    A piece is `model.reencode_every` steps long, or the whole window where that is 0; `steps`
    are counted inside a piece. Where there are several pieces the last step must be among them,
    since the next piece starts from its decoded state.

    The recurrence is cheap and the decoder is not, so a few random steps of many windows teach
    more per second than every step of a few.
    """
    horizon = len(window.action)
    length = model.reencode_every or horizon
    actions = window.action.reshape(horizon // length, length, *window.action.shape[1:])
    over_batch = jax.vmap(model.controls_to, in_axes=(1, None), out_axes=1)
    controls = jax.vmap(over_batch, in_axes=(0, None))(actions, steps)
    kept = model.correction(steps.at.astype(jnp.float32))[:, None]
    decode = jax.vmap(jax.vmap(model.decode))
    drive_to = jax.vmap(model.drive_to, in_axes=(0, 1, None), out_axes=1)

    def decoded(start: Array, latents: Array, obs: Array, kept: Array):
        """The observations of `latents`, and what the start's decoding lacks, decoded at once."""
        found = decode(jnp.concatenate([start[None], latents]))
        missing = obs - found[0]
        return found[1:] + kept * missing[None], missing

    def piece(obs: Array, controls: Array):
        start = jax.vmap(model.encode)(obs)
        latents = drive_to(start, controls, steps)
        end, missing = decoded(start, latents[-1:], obs, kept[-1:])
        return end[0], (latents, end, missing)

    if length == horizon:
        start = jax.vmap(model.encode)(window.obs[0])
        latents = drive_to(start, controls[0], steps)
        return Unrolled(latents, decoded(start, latents, window.obs[0], kept)[0], steps.at)
    # Only what the next piece waits for is inside the loop; the rest is decoded at once.
    _, (latents, ends, missing) = lax.scan(piece, window.obs[0], controls)
    inner = jax.vmap(decode)(latents[:, :-1]) + kept[None, :-1] * missing[:, None]
    found = jnp.concatenate([inner, ends], axis=1)
    chosen = jnp.arange(0, horizon, length)[:, None] + steps.at[None]
    flat = lambda x: x.reshape(-1, *x.shape[2:])
    return Unrolled(flat(latents), flat(found), flat(chosen))


def prediction_loss(unrolled: Unrolled, window: Window) -> Scalar:
    """L_pred: mean square of d(x̂_{t+k}) − s_{t+k}, in squared standard deviations."""
    return mean_square(unrolled.obs - window.obs[unrolled.steps])


def reward_loss(model: AbstractDynamics, unrolled: Unrolled, window: Window) -> Scalar:
    """L_rew: mean square of R(x̂_{t+k}) − r_{t+k−1}, in squared standard deviations."""
    predicted = jax.vmap(jax.vmap(model.heads.reward))(unrolled.latents)
    error = predicted - window.reward[unrolled.steps - 1]
    return mean_square(error / lax.stop_gradient(model.heads.reward_std))


def consistency_loss(model: AbstractDynamics, unrolled: Unrolled, window: Window) -> Scalar:
    """L_cons: mean square of x̂_{t+k} − g(s_{t+k}); gradients reach both sides, as in Eq. 7."""
    target = jax.vmap(jax.vmap(model.encode))(window.obs[unrolled.steps])
    return mean_square(unrolled.latents - target)


def dynamics_terms(
    model: AbstractDynamics, window: Window, steps: Steps, *, consistency: bool = True
) -> DynamicsTerms:
    """Every term of Eq. 7 on a batch of windows; `steps` as for `unroll`.

    Without `consistency` that term is zero, and the states that it compares are not encoded.
    """
    unrolled = unroll(model, window, steps)
    return DynamicsTerms(
        prediction_loss(unrolled, window),
        reward_loss(model, unrolled, window),
        consistency_loss(model, unrolled, window) if consistency else jnp.zeros(()),
    )
