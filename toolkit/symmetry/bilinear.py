"""The bilinear Koopman model of KFC: an operator for every action, between encoder and decoder."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.nn import MLP
from toolkit.product import row_product
from toolkit.symmetry.generators import GENERATORS
from toolkit.symmetry.interface import AbstractKoopmanCore, Latent
from toolkit.types import Action, Key, Obs


class BilinearOperator(eqx.Module):
    """K(a) = K₀ + Σᵢ aᵢ·Kᵢ, a Koopman operator for each action.

    Control-affine systems are bilinear in the coordinates of a Koopman operator.

    Shapes: `matrices` holds K₀, then one for each action coordinate.
    Source: arXiv:2111.01365 §3.
    """

    matrices: Float[Array, "terms latent latent"]

    def __init__(self, latent_dim: int, action_dim: int, *, key: Key):
        bound = latent_dim**-0.5
        shape = (action_dim + 1, latent_dim, latent_dim)
        self.matrices = jr.uniform(key, shape, minval=-bound, maxval=bound)

    def matrix(self, action: Action) -> Float[Array, "latent latent"]:
        """K(a)."""
        return self.matrices[0] + jnp.tensordot(action, self.matrices[1:], axes=1)

    def __call__(self, latent: Latent, action: Action) -> Latent:
        """K(a)·z, without building K(a): all terms are one product, then weighed by the action."""
        terms, size, _ = self.matrices.shape
        each = row_product(latent, self.matrices.reshape(terms * size, size).T)
        weights = jnp.concatenate([jnp.ones(1), action])
        return jnp.sum(weights[:, None] * each.reshape(terms, size), axis=0)


class KoopmanForward(AbstractKoopmanCore):
    """s′ = D(K(a)·E(s)), the Koopman forward model from whose symmetries KFC augments.

    The encoder ends in a tanh, so latent states lie in [−1, 1].

    Source: arXiv:2111.01365; sizes of the code published with it.
    """

    symmetries: ClassVar[tuple[str, ...]] = tuple(GENERATORS)

    encoder: MLP
    decoder: MLP
    operator: BilinearOperator

    def __init__(
        self, obs_dim: int, action_dim: int, *, latent_dim: int = 32, hidden: int = 512, key: Key
    ):
        keys = jr.split(key, 3)
        widths = (hidden, hidden)
        self.encoder = MLP((obs_dim, *widths, latent_dim), activation=jnp.tanh, key=keys[0])
        self.decoder = MLP((latent_dim, *widths, obs_dim), activation=jnp.tanh, key=keys[1])
        self.operator = BilinearOperator(latent_dim, action_dim, key=keys[2])

    def encode(self, obs: Obs) -> Latent:
        return jnp.tanh(self.encoder(obs))

    def step(self, latent: Latent, action: Action) -> Latent:
        return self.operator(latent, action)

    def displacements(
        self, latent: Latent, after: Latent, action: Action, generator: str, *, key: Key
    ) -> tuple[Latent, Latent]:
        """σ·z and σ·z′ with one generator σ that commutes with K(a) (unless it is the control)."""
        sigma = GENERATORS[generator](self.operator.matrix(action), key=key).matrix
        moved = jnp.stack([latent, after]) @ sigma.T
        return moved[0], moved[1]


def smooth_l1(difference: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """½x² within ±1, |x| − ½ beyond: Huber's loss with its corner at 1, element by element."""
    size = jnp.abs(difference)
    return jnp.where(size < 1.0, 0.5 * jnp.square(size), size - 0.5)


def forward_loss(
    model: KoopmanForward, obs: Obs, action: Action, next_obs: Obs
) -> Float[Array, ""]:
    """ℓ(D(K(a)·E(s)), s′) with ℓ the mean smooth L1 loss (arXiv:2111.01365 §3, as published)."""
    predicted = model.decode(model.step(model.encode(obs), action))
    return jnp.mean(smooth_l1(predicted - next_obs))


def reconstruction_loss(model: AbstractKoopmanCore, obs: Obs) -> Float[Array, ""]:
    """ℓ(D(E(s)), s) with ℓ the mean smooth L1 loss (arXiv:2111.01365 §3, as published)."""
    return jnp.mean(smooth_l1(model.decode(model.encode(obs)) - obs))
