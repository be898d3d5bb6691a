"""The losses of TD-MPC on a batch of sequences (arXiv:2203.04955 Eq. 6–10)."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from toolkit.agents.sequence_replay import Sequences
from toolkit.agents.world_model import LatentPolicy, WorldModel, with_noise
from toolkit.nn import MLP
from toolkit.types import Key, Scalar

_MOST = 1e4  # no sum over a sequence counts for more

Latents = Float[Array, "time batch latent"]
Sum = Float[Array, " batch"]


class Chosen(eqx.Module):
    """Steps of a sequence that stand for all: ascending, counted from 0, each with a factor."""

    at: Int[Array, " chosen"]
    factor: Float[Array, " chosen"]

    @classmethod
    def draw(cls, rate: float, length: int, count: int, *, key: Key) -> Chosen:
        """`count` of `length` steps, one draw for all of them.

        Each step is drawn as often as `inclusion` says and counts for the inverse of that, so that
        the mean over draws is the sum over all steps. With ρ = 1 the steps are evenly spaced.
        """
        likely = inclusion(rate, length, count)
        upto = np.cumsum(likely)
        upto[-1] = count  # whatever the sum was rounded to
        passed = jr.uniform(key) >= jnp.asarray(upto - np.arange(count)[:, None], jnp.float32)
        at = jnp.sum(passed, axis=-1)
        return cls(at, jnp.asarray(1.0 / likely, jnp.float32)[at])


def inclusion(rate: float, length: int, count: int) -> np.ndarray:
    """How often each step `(length,)` is to be among `count` of them: in proportion to its weight
    ρᵗ, and at most always.
    """
    weights = np.maximum(rate ** np.arange(length), 1e-6)
    always = np.zeros(length, bool)
    while not always.all():
        left = count - always.sum()
        likely = np.where(always, 1.0, left * weights / weights[~always].sum())
        if likely.max() <= 1.0:
            return likely
        always |= likely >= 1.0
    return np.ones(length)


class Target(eqx.Module):
    """The slow copy of what targets are made of: the encoder and the two values."""

    encoder: MLP
    values: tuple

    @classmethod
    def of(cls, model: WorldModel) -> Target:
        """Those parts of a model."""
        return cls(model.encoder, model.values)


class Terms(eqx.Module):
    """Sums of ρᵗ·loss over each sequence, or estimates of them from the chosen steps, and what they
    were made of.
    """

    consistency: Sum
    reward: Sum
    value: Sum
    error: Sum  # Σ ρᵗ·|TD error| over both values: the next priority
    latents: Float[Array, "states batch latent"]  # before each (chosen) step, and the last one


def time_weights(
    rate: float, valid: Bool[Array, "time batch"], steps: Chosen | None = None
) -> Float[Array, "chosen batch"]:
    """ρᵗ for the steps that belong to the sequence, 0 for the others."""
    times = jnp.arange(len(valid), dtype=jnp.float32)
    weights = jnp.where(valid, (rate**times)[:, None], 0.0)
    return weights if steps is None else steps.factor[:, None] * weights[steps.at]


def state_weights(
    batch: Sequences, rate: float, steps: Chosen | None = None
) -> Float[Array, "states batch"]:
    """`time_weights` of the states before the steps, and of the last one: 0 where the sequence did
    not really go through it.
    """
    valid = jnp.concatenate([batch.valid[:1], batch.valid & ~batch.terminal])
    last = time_weights(rate, valid)[-1:]
    return jnp.concatenate([time_weights(rate, valid[:-1], steps), last])


def consistency_loss(predicted: Latents, target: Latents) -> Float[Array, "time batch"]:
    """Mean over coordinates of (d(z, a) − h_θ⁻(s'))² (Eq. 10)."""
    return jnp.mean(jnp.square(predicted - target), axis=-1)


def reward_loss(
    predicted: Float[Array, "time batch"], reward: Float[Array, "time batch"]
) -> Float[Array, "time batch"]:
    """(R(z, a) − r)² (Eq. 8)."""
    return jnp.square(predicted - reward)


def value_loss(
    both: Float[Array, "time batch 2"], target: Float[Array, "time batch"]
) -> Float[Array, "time batch"]:
    """Σ_j (Q_j(z, a) − y)² (Eq. 9)."""
    return jnp.sum(jnp.square(both - target[..., None]), axis=-1)


def least_value(values: tuple, latents: Latents, actions: Array) -> Float[Array, "time batch"]:
    """min_j Q_j(z, a)."""
    inputs = jnp.concatenate([latents, actions], axis=-1)
    each = [jax.vmap(jax.vmap(value))(inputs) for value in values]
    return jnp.minimum(*each)


def td_target(
    model: WorldModel, target: Target, policy: LatentPolicy, batch: Sequences, discount: float,
    noise: float, *, key: Key,
) -> Float[Array, "time batch"]:  # fmt: skip
    """y = r + γ·(1 − terminal)·min_j Q_θ⁻(h(s'), π(h(s'))), π with noise (Eq. 9)."""
    latents = jax.vmap(jax.vmap(model.encode))(batch.next_obs)
    actions = with_noise(jax.vmap(jax.vmap(policy))(latents), noise, key=key)
    value = least_value(target.values, latents, actions)
    return batch.reward + discount * jnp.where(batch.terminal, 0.0, value)


def terms_of(
    model: WorldModel, batch: Sequences, next_latents: Float[Array, "chosen batch latent"],
    y: Float[Array, "chosen batch"], rate: float, steps: Chosen | None = None,
) -> Terms:  # fmt: skip
    """Unroll from the encoded start under the known actions, and compare with the targets.

    `next_latents` are h_θ⁻(s') and `y` the TD targets, of the chosen steps; no gradient reaches
    what made them. With a spectrum for dynamics this is arXiv:2306.11941 Eq. 10, without its
    weights c.
    """
    start = jax.vmap(model.encode)(batch.obs)
    after = model.dynamics.rollout(start, batch.action)
    latents = jnp.concatenate([start[None], after])
    seen = batch
    if steps is not None:
        seen, after = batch.at(steps.at), after[steps.at]
        latents = latents[jnp.append(steps.at, len(batch.valid))]
    reward = jax.vmap(jax.vmap(model.reward))(latents[:-1], seen.action)
    both = jax.vmap(jax.vmap(model.both_values))(latents[:-1], seen.action)
    weight = time_weights(rate, batch.valid, steps)
    total = lambda losses: jnp.minimum(jnp.sum(weight * losses, axis=0), _MOST)
    return Terms(
        total(consistency_loss(after, next_latents)),
        total(reward_loss(reward, seen.reward)),
        total(value_loss(both, y)),
        total(jnp.sum(jnp.abs(both - y[..., None]), axis=-1)),
        latents,
    )


def policy_loss(
    policy: LatentPolicy, values: tuple, latents: Float[Array, "states batch latent"],
    weight: Float[Array, "states batch"], noise: float, *, key: Key,
) -> Scalar:  # fmt: skip
    """−Σ ρᵗ·min_j Q_j(z_t, π(z_t)), the mean over the batch (Eq. 11); latents and ρᵗ are given."""
    actions = with_noise(jax.vmap(jax.vmap(policy))(latents), noise, key=key)
    value = least_value(values, latents, actions)
    return -jnp.mean(jnp.sum(weight * value, axis=0))
