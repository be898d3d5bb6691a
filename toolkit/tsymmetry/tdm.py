"""The T-symmetry enforced dynamics model: latent forward and reverse dynamics that must agree."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.nn import MLP
from toolkit.tsymmetry.autoencoders import (
    DYNAMICS,
    ENCODER,
    AbstractForwardModel,
    Activation,
    Latent as Latent,
    coder_networks,
)
from toolkit.types import Key


class TDM(AbstractForwardModel):
    """Encoder φ, decoders ψ_s and ψ_a, forward ODE f and reverse ODE g, in a latent of equal size.

    φ encodes state and action together, so z_s depends on the action too. f is the latent rate
    ż_s at (s, a); g is the rate when time runs backwards from the next state, under the *current*
    action: F(s, a) = −G(s′, a), the extended T-symmetry.

    Inputs are normalised states; a rate is a difference per environment step, ṡ = s′ − s.

    Shapes: one sample; `vmap` over a batch. z_s has as many numbers as s, z_a as a.
    Source: arXiv:2306.04220 §3; sizes of Table 3.
    """

    encoder: MLP
    state_decoder: MLP
    action_decoder: MLP
    forward: MLP
    reverse: MLP
    obs_dim: int = eqx.field(static=True)

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        encoder_widths: tuple[int, ...] = ENCODER,
        dynamics_widths: tuple[int, ...] = DYNAMICS,
        activation: Activation = jax.nn.relu,
        key: Key,
    ):
        keys = jr.split(key, 5)
        self.encoder, self.state_decoder, self.action_decoder = coder_networks(
            obs_dim, action_dim, encoder_widths, activation, keys=keys[:3]
        )
        sizes = (obs_dim + action_dim, *dynamics_widths, obs_dim)
        self.forward = MLP(sizes, activation=activation, key=keys[3])
        self.reverse = MLP(sizes, activation=activation, key=keys[4])
        self.obs_dim = obs_dim

    def reverse_rate(self, latent: Latent) -> Float[Array, " obs"]:
        """g(z_s′, z_a), the latent rate as time runs backwards."""
        return self.reverse(jnp.concatenate([latent.state, latent.action]))
