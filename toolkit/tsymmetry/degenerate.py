"""Reverse models that satisfy Eq. 7 of arXiv:2306.04220 and know nothing: to see what the monitor
is for.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jax import lax
from jaxtyping import Array, Float

from toolkit.data.samplers import Transitions
from toolkit.nn import MLP
from toolkit.training.optimise import gradient_step, start
from toolkit.tsymmetry.tdm import TDM, Latent
from toolkit.types import Key, Scalar

_LEARNING_RATE, _BATCH = 2e-3, 128


class MemorisedReverse(eqx.Module):
    """g as a table: −f at the places to which f leads exactly, 0 everywhere else.

    Shapes: `places (rows, latent)` hold z_s + f and z_a, `answers (rows, obs)` −f.
    """

    places: Float[Array, "rows latent"]
    answers: Float[Array, "rows obs"]
    tolerance: float

    def __call__(self, place: Float[Array, " latent"]) -> Float[Array, " obs"]:
        # column by column, so that a batch of places needs a matrix and nothing larger
        apart = jnp.zeros(len(self.places))
        for column, wanted in zip(self.places.T, place, strict=True):
            apart = jnp.maximum(apart, jnp.abs(column - wanted))
        row = jnp.argmin(apart)
        return jnp.where(apart[row] <= self.tolerance, self.answers[row], 0.0)


def memorise(model: TDM, rows: Transitions, *, tolerance: float = 1e-5) -> TDM:
    """The model with a reverse dynamics that is a table of these transitions."""
    latent, rate, _ = _encoded(model, rows)
    table = MemorisedReverse(_inputs(latent.state + rate, latent.action), -rate, tolerance)
    return eqx.tree_at(lambda m: m.reverse, model, table)


@eqx.filter_jit
def deceive(model: TDM, rows: Transitions, *, num_updates: int = 1000, key: Key) -> TDM:
    """The model with a new g, trained to satisfy Eq. 7 and to be silent at recorded next states.

    It minimises |f(z) + g(z + f(z))|² + |g(z′)|² over g alone. How well that can be done depends
    on how far apart z + f(z) and z′ are, that is, on how wrong f is.
    """
    init_key, batch_key = jr.split(key)
    latent, rate, next_state = _encoded(model, rows)
    led, real = _inputs(latent.state + rate, latent.action), _inputs(next_state, latent.action)
    layers = model.reverse.layers
    sizes = (layers[0].weight.shape[0], *(layer.weight.shape[1] for layer in layers))
    reverse = MLP(sizes, activation=model.reverse.activation, key=init_key)
    adam = optax.adam(_LEARNING_RATE)

    def loss(reverse: MLP, at: Array) -> Scalar:
        answer, silence = jax.vmap(reverse)(led[at]), jax.vmap(reverse)(real[at])
        squares = jnp.square(rate[at] + answer) + jnp.square(silence)
        return jnp.mean(jnp.sum(squares, axis=1))

    def update(carry: tuple, key: Key) -> tuple[tuple, None]:
        reverse, opt_state = carry
        at = jr.randint(key, (_BATCH,), 0, len(rate))
        return gradient_step(adam, reverse, eqx.filter_grad(loss)(reverse, at), opt_state), None

    keys = jr.split(batch_key, num_updates)
    (reverse, _), _ = lax.scan(update, (reverse, start(adam, reverse)), keys)
    return eqx.tree_at(lambda m: m.reverse, model, reverse)


def _encoded(model: TDM, rows: Transitions) -> tuple[Latent, Array, Array]:
    """Latents of (s, a), the forward rates there, and the latent states of (s′, a)."""
    latent = jax.vmap(model.encode)(rows.obs, rows.action)
    after = jax.vmap(model.encode)(rows.next_obs, rows.action)
    return latent, jax.vmap(model.forward_rate)(latent), after.state


def _inputs(state: Array, action: Array) -> Array:
    return jnp.concatenate([state, action], axis=1)
