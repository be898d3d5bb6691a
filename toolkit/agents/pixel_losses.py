"""The losses of agents that learn from pixels, on features y = h_θ(o) that are given."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toolkit.agents.networks import GaussianActor, TwinCritic
from toolkit.agents.sac import draw
from toolkit.types import Key, Scalar

Features = Float[Array, "time batch features"]
Valid = Bool[Array, "time batch"]


def soft_target(
    actor: GaussianActor,
    target: TwinCritic,
    reward: Float[Array, " batch"],
    terminal: Bool[Array, " batch"],
    seen: Float[Array, "batch features"],
    valued: Float[Array, "batch features"],
    temperature: Scalar,
    discount: float,
    *,
    key: Key,
) -> Float[Array, " batch"]:
    """y = r + γ(1 − d)(min_j Q̄_j(ȳ', a') − α log π(a'|y')), a' ~ π(y').

    `seen` y' is what the actor is given of the next observation, `valued` ȳ' what the target
    critics are given: another one where the target has an encoder of its own.

    Source: arXiv:2306.11941 Eq. 11 (L_TD); arXiv:1812.05905 Eq. 2–3.
    """
    action, log_prob = draw(actor, seen, key=key)
    value = target.least(valued, action) - temperature * log_prob
    return reward + discount * jnp.where(terminal, 0.0, value)


def feature_loss(predicted: Features, target: Features, valid: Valid) -> Scalar:
    """Σ_k mean over coordinates of (ŷ_{t+k} − ȳ_{t+k})², over the steps that are valid, and the
    mean over the batch.

    Source: arXiv:2306.11941 Eq. 11 (L_aux). Deviation: the mean over coordinates, where the sum
            is written; the weight then means the same at every number of features.
    """
    squared = jnp.mean(jnp.square(predicted - target), axis=-1)
    return _over_steps(squared, valid)


def normalised_loss(predicted: Features, target: Features, valid: Valid) -> Scalar:
    """Σ_k ‖p_{t+k}/‖p_{t+k}‖ − t_{t+k}/‖t_{t+k}‖‖², over the steps that are valid, and the mean
    over the batch: twice one minus the cosine.

    Source: arXiv:2007.05929 Eq. 2.
    """
    difference = normalised(predicted) - normalised(target)
    return _over_steps(jnp.sum(jnp.square(difference), axis=-1), valid)


def normalised(x: Features) -> Features:
    """x/‖x‖, with a gradient of 0 at 0."""
    squared = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squared, 1e-12))


def _over_steps(losses: Float[Array, "time batch"], valid: Valid) -> Scalar:
    return jnp.mean(jnp.sum(jnp.where(valid, losses, 0.0), axis=0))
