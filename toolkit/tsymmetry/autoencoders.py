"""Encoders of state and action together, with decoders, and what may be learned beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.nn import MLP
from toolkit.types import Key

#: Hidden widths of the encoder; the decoders have them in reverse (arXiv:2306.04220 Table 3).
ENCODER = (512, 256, 128)
#: Hidden widths of the latent dynamics f and g ("4-layer", App. A).
DYNAMICS = (512, 512, 512)
#: Layers behind the encoder that compare two views, and between them (ours, see `SimSiam`).
PROJECTOR = (128, 128)
PREDICTOR = (64, 128)

#: What agents may find trained in what they build on: φ, ψ_s with ψ_a, f, g; one-step models; a
#: bilinear Koopman model, one with a diagonal spectrum.
Part = Literal["encoder", "decoders", "forward", "reverse", "ensemble", "bilinear", "diagonal"]

Activation = Callable[[Array], Array]


class Latent(eqx.Module):
    """z_s and z_a of one state and action."""

    state: Float[Array, " obs"]
    action: Float[Array, " action"]

    def moved(self, rate: Float[Array, " obs"]) -> Latent:
        """(z_s + ż_s, z_a): one environment step along a latent rate."""
        return Latent(self.state + rate, self.action)


class AbstractAutoencoder(eqx.Module):
    """Encoder φ with decoders ψ_s and ψ_a: what every representation here has.

    φ encodes state and action together, so z_s depends on the action too. Inputs are normalised
    states; a rate is a difference per environment step, ṡ = s′ − s.

    Shapes: one sample; `vmap` over a batch. z_s has as many numbers as s, z_a as a.
    """

    encoder: eqx.AbstractVar[MLP]
    state_decoder: eqx.AbstractVar[MLP]
    action_decoder: eqx.AbstractVar[MLP]
    obs_dim: eqx.AbstractVar[int]

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


class AbstractForwardModel(AbstractAutoencoder):
    """An autoencoder with the latent forward dynamics f."""

    forward: eqx.AbstractVar[MLP]

    def forward_rate(self, latent: Latent) -> Float[Array, " obs"]:
        """f(z_s, z_a), the latent rate as time runs forwards."""
        return self.forward(jnp.concatenate([latent.state, latent.action]))


class Autoencoder(AbstractAutoencoder):
    """φ, ψ_s and ψ_a, and nothing else."""

    encoder: MLP
    state_decoder: MLP
    action_decoder: MLP
    obs_dim: int = eqx.field(static=True)

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        encoder_widths: tuple[int, ...] = ENCODER,
        activation: Activation = jax.nn.relu,
        key: Key,
    ):
        self.encoder, self.state_decoder, self.action_decoder = coder_networks(
            obs_dim, action_dim, encoder_widths, activation, keys=jr.split(key, 3)
        )
        self.obs_dim = obs_dim


class ForwardAutoencoder(AbstractForwardModel):
    """An autoencoder with forward dynamics alone: time runs one way.

    Source: "AE-fwd-rep" of arXiv:2306.04220 App. B, with the TDM's sizes.
    """

    encoder: MLP
    state_decoder: MLP
    action_decoder: MLP
    forward: MLP
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
        keys = jr.split(key, 4)
        self.encoder, self.state_decoder, self.action_decoder = coder_networks(
            obs_dim, action_dim, encoder_widths, activation, keys=keys[:3]
        )
        sizes = (obs_dim + action_dim, *dynamics_widths, obs_dim)
        self.forward = MLP(sizes, activation=activation, key=keys[3])
        self.obs_dim = obs_dim


class SimSiam(AbstractAutoencoder):
    """An autoencoder whose encoder also learns that two views of a sample are the same thing.

    A projector behind the encoder and a predictor behind that are used in training alone.

    Source: arXiv:2011.10566; on an autoencoder in arXiv:2306.04220 App. B.
    Deviation: the projector (128, 128) and the predictor (128 → 64 → 128) are ours, sized for
    vectors, and have no batch normalisation; nothing is published of the paper's own.
    """

    encoder: MLP
    state_decoder: MLP
    action_decoder: MLP
    projector: MLP
    predictor: MLP
    obs_dim: int = eqx.field(static=True)

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        encoder_widths: tuple[int, ...] = ENCODER,
        projector_widths: tuple[int, ...] = PROJECTOR,
        predictor_widths: tuple[int, ...] = PREDICTOR,
        activation: Activation = jax.nn.relu,
        key: Key,
    ):
        keys = jr.split(key, 5)
        self.encoder, self.state_decoder, self.action_decoder = coder_networks(
            obs_dim, action_dim, encoder_widths, activation, keys=keys[:3]
        )
        sizes = (obs_dim + action_dim, *projector_widths)
        self.projector = MLP(sizes, activation=activation, key=keys[3])
        sizes = (projector_widths[-1], *predictor_widths)
        self.predictor = MLP(sizes, activation=activation, key=keys[4])
        self.obs_dim = obs_dim

    def project(self, view: Float[Array, " both"]) -> Float[Array, " projected"]:
        """The projection of the encoded view, a state and action one behind the other."""
        return self.projector(self.encoder(view))

    def predict(self, projected: Float[Array, " projected"]) -> Float[Array, " projected"]:
        """What one view's projection says about the other's."""
        return self.predictor(projected)


def coder_networks(
    obs_dim: int,
    action_dim: int,
    widths: tuple[int, ...],
    activation: Activation,
    *,
    keys: Iterable[Key],
) -> tuple[MLP, MLP, MLP]:
    """φ, ψ_s and ψ_a, untrained, of three keys. ψ_s is also given the indicator of a rate."""
    encoder_key, state_key, action_key = keys
    both, back = obs_dim + action_dim, widths[::-1]
    encoder = MLP((both, *widths, both), activation=activation, key=encoder_key)
    state = MLP((obs_dim + 1, *back, obs_dim), activation=activation, key=state_key)
    action = MLP((action_dim, *back, action_dim), activation=activation, key=action_key)
    return encoder, state, action
