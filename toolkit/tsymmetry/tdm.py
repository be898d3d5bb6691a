"""The T-symmetry enforced dynamics model: latent forward and reverse dynamics that must agree."""

from __future__ import annotations

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.nn import MLP
from toolkit.types import Key

#: Hidden widths of the encoder; the decoders have them in reverse (Table 3).
ENCODER = (512, 256, 128)
#: Hidden widths of the latent dynamics f and g ("4-layer", App. A).
DYNAMICS = (512, 512, 512)


class Latent(eqx.Module):
    """z_s and z_a of one state and action."""

    state: Float[Array, " obs"]
    action: Float[Array, " action"]

    def moved(self, rate: Float[Array, " obs"]) -> Latent:
        """(z_s + ż_s, z_a): one environment step along a latent rate."""
        return Latent(self.state + rate, self.action)


class TDM(eqx.Module):
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
        activation: Callable[[Array], Array] = jax.nn.relu,
        key: Key,
    ):
        both, back = obs_dim + action_dim, encoder_widths[::-1]
        keys = jr.split(key, 5)

        def network(number: int, sizes: tuple[int, ...]) -> MLP:
            return MLP(sizes, activation=activation, key=keys[number])

        self.encoder = network(0, (both, *encoder_widths, both))
        self.state_decoder = network(1, (obs_dim + 1, *back, obs_dim))
        self.action_decoder = network(2, (action_dim, *back, action_dim))
        self.forward = network(3, (both, *dynamics_widths, obs_dim))
        self.reverse = network(4, (both, *dynamics_widths, obs_dim))
        self.obs_dim = obs_dim

    def encode(self, obs: Float[Array, " obs"], action: Float[Array, " action"]) -> Latent:
        """(z_s, z_a) = φ(s, a)."""
        both = self.encoder(jnp.concatenate([obs, action]))
        return Latent(both[: self.obs_dim], both[self.obs_dim :])

    def encode_with_rate(
        self, obs: Float[Array, " obs"], action: Float[Array, " action"], rate: Float[Array, " obs"]
    ) -> tuple[Latent, Float[Array, " obs"]]:
        """φ(s, a), and by the chain rule ż_s = (∂φ_s/∂s)·ṡ, from one forward-mode pass.

        The whole Jacobian is never built: its product with one known vector costs about as much
        as a second encoding.
        """
        latent, latent_rate = jax.jvp(lambda s: self.encode(s, action), (obs,), (rate,))
        return latent, latent_rate.state

    def decode_state(
        self, latent: Float[Array, " obs"], *, is_rate: bool = False
    ) -> Float[Array, " obs"]:
        """ψ_s(z_s, 0), a state; or ψ_s(ż_s, 1), its rate. The indicator δ says which."""
        return self.state_decoder(jnp.append(latent, jnp.float32(is_rate)))

    def decode_action(self, latent: Float[Array, " action"]) -> Float[Array, " action"]:
        """ψ_a(z_a)."""
        return self.action_decoder(latent)

    def forward_rate(self, latent: Latent) -> Float[Array, " obs"]:
        """f(z_s, z_a), the latent rate as time runs forwards."""
        return self.forward(jnp.concatenate([latent.state, latent.action]))

    def reverse_rate(self, latent: Latent) -> Float[Array, " obs"]:
        """g(z_s′, z_a), the latent rate as time runs backwards."""
        return self.reverse(jnp.concatenate([latent.state, latent.action]))
