"""The losses of the TDM (arXiv:2306.04220) and of its baselines, one function each, for one
transition.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toolkit.tsymmetry.autoencoders import (
    AbstractAutoencoder,
    AbstractForwardModel,
    Latent,
    SimSiam,
)
from toolkit.tsymmetry.tdm import TDM

Obs = Float[Array, " obs"]
Action = Float[Array, " action"]
Scalar = Float[Array, ""]


class TDMTerms(eqx.Module):
    """The terms of Eq. 8, and what Eq. 13 adds, of one transition or as means over a batch."""

    reconstruction: Scalar
    decoded_rate: Scalar
    forward: Scalar
    reverse: Scalar
    symmetry: Scalar
    at_next: Scalar


class ForwardTerms(eqx.Module):
    """The terms of an autoencoder with forward dynamics, of one transition or as means."""

    reconstruction: Scalar
    decoded_rate: Scalar
    forward: Scalar


def tdm_terms(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> TDMTerms:
    """Every term as the paper has it, each network evaluated once where it can be.

    Source: arXiv:2306.04220 Eq. 3–7 and 13.
    """
    rate = next_obs - obs
    latent, latent_rate = model.encode_with_rate(obs, action, rate)
    next_latent, next_rate = model.encode_with_rate(next_obs, action, -rate)
    forward, reverse = model.forward_rate(latent), model.reverse_rate(next_latent)
    return TDMTerms(
        reconstruction=_reconstruction(model, latent, obs, action),
        decoded_rate=_norm2(rate - model.decode_state(forward, is_rate=True)),
        forward=_norm2(latent_rate - forward),
        reverse=_norm2(next_rate - reverse),
        symmetry=_norm2(forward + model.reverse_rate(latent.moved(forward))),
        at_next=_norm2(forward + model.reverse_rate(Latent(next_latent.state, latent.action))),
    )


def published_terms(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> TDMTerms:
    """The terms as the authors' code has them, where they are not the paper's.

    - a rate is decoded by the decoder's Jacobian, J_ψ(z_s)·f(z), without the indicator, and the
      reverse rate is decoded too;
    - the symmetry term compares with the encoded next state: |z_s′ + g(z_s + f, z_a) − z_s|²;
    - the term of Eq. 13 takes g at φ(s′, a), and belongs to the loss always.

    Source: the code published with arXiv:2306.04220.
    """
    rate = next_obs - obs
    latent, latent_rate = model.encode_with_rate(obs, action, rate)
    next_latent, next_rate = model.encode_with_rate(next_obs, action, -rate)
    forward, reverse = model.forward_rate(latent), model.reverse_rate(next_latent)
    _, decoded = jax.jvp(model.decode_state, (latent.state,), (forward,))
    _, decoded_back = jax.jvp(model.decode_state, (next_latent.state,), (reverse,))
    return TDMTerms(
        reconstruction=_reconstruction(model, latent, obs, action),
        decoded_rate=_norm2(rate - decoded) + _norm2(-rate - decoded_back),
        forward=_norm2(latent_rate - forward),
        reverse=_norm2(next_rate - reverse),
        symmetry=_norm2(
            next_latent.state + model.reverse_rate(latent.moved(forward)) - latent.state
        ),
        at_next=_norm2(forward + reverse),
    )


def difference_terms(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> TDMTerms:
    """Every term where f and g are fitted to the encoder's differences, not to its derivative.

    Source: "TDM-no-ODE" of arXiv:2306.04220 App. B.
    """
    latent, next_latent = model.encode(obs, action), model.encode(next_obs, action)
    forward, reverse = model.forward_rate(latent), model.reverse_rate(next_latent)
    change = next_latent.state - latent.state
    return TDMTerms(
        reconstruction=_reconstruction(model, latent, obs, action),
        decoded_rate=_norm2(next_obs - obs - model.decode_state(forward, is_rate=True)),
        forward=_norm2(change - forward),
        reverse=_norm2(-change - reverse),
        symmetry=_norm2(forward + model.reverse_rate(latent.moved(forward))),
        at_next=_norm2(forward + model.reverse_rate(Latent(next_latent.state, latent.action))),
    )


def forward_terms(
    model: AbstractForwardModel, obs: Obs, action: Action, next_obs: Obs
) -> ForwardTerms:
    """The terms of "AE-fwd-rep" (arXiv:2306.04220 App. B), each network evaluated once where it
    can be.
    """
    latent, next_latent = model.encode(obs, action), model.encode(next_obs, action)
    forward = model.forward_rate(latent)
    return ForwardTerms(
        reconstruction=_reconstruction(model, latent, obs, action),
        decoded_rate=_norm2(next_obs - obs - model.decode_state(forward, is_rate=True)),
        forward=_norm2(next_latent.state - latent.state - forward),
    )


def reconstruction_loss(model: AbstractAutoencoder, obs: Obs, action: Action) -> Scalar:
    """|s − ψ_s(z_s, 0)|² + |a − ψ_a(z_a)|² (Eq. 3)."""
    return _reconstruction(model, model.encode(obs, action), obs, action)


def forward_loss(model: AbstractForwardModel, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
    """|(∂φ_s(s, a)/∂s)·ṡ − f(φ(s, a))|² (Eq. 4). Nothing is held constant."""
    latent, latent_rate = model.encode_with_rate(obs, action, next_obs - obs)
    return _norm2(latent_rate - model.forward_rate(latent))


def decoded_rate_loss(
    model: AbstractForwardModel, obs: Obs, action: Action, next_obs: Obs
) -> Scalar:
    """|ṡ − ψ_s(f(φ(s, a)), 1)|² (Eq. 5)."""
    forward = model.forward_rate(model.encode(obs, action))
    return _norm2(next_obs - obs - model.decode_state(forward, is_rate=True))


def reverse_loss(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
    """|(∂φ_s(s′, a)/∂s′)·(−ṡ) − g(φ(s′, a))|² (Eq. 6), under the current action."""
    latent, latent_rate = model.encode_with_rate(next_obs, action, obs - next_obs)
    return _norm2(latent_rate - model.reverse_rate(latent))


def symmetry_violation(model: TDM, latent: Latent) -> Scalar:
    """ℓ_Tsym = |f(z_s, z_a) + g(z_s + f(z_s, z_a), z_a)|² (Eq. 7): there, and back again.

    It needs no data: agents use it to judge latent points that nobody recorded.
    """
    forward = model.forward_rate(latent)
    return _norm2(forward + model.reverse_rate(latent.moved(forward)))


def consistency_at_next(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
    """|f(z_s, z_a) + g(z_s′, z_a)|², which Eq. 13 adds to Eq. 7, at the recorded next state.

    Eq. 7 alone is also small for a g that answers f only where f leads. This term then stays
    large: the two together tell whether the reverse model is degenerate.
    """
    latent, next_latent = model.encode(obs, action), model.encode(next_obs, action)
    back = model.reverse_rate(Latent(next_latent.state, latent.action))
    return _norm2(model.forward_rate(latent) + back)


def forward_difference_loss(
    model: AbstractForwardModel, obs: Obs, action: Action, next_obs: Obs
) -> Scalar:
    """|(z_s′ − z_s) − f(φ(s, a))|² with z_s′ = φ_s(s′, a). Nothing is held constant."""
    latent = model.encode(obs, action)
    change = model.encode(next_obs, action).state - latent.state
    return _norm2(change - model.forward_rate(latent))


def reverse_difference_loss(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
    """|−(z_s′ − z_s) − g(φ(s′, a))|², under the current action."""
    next_latent = model.encode(next_obs, action)
    change = next_latent.state - model.encode(obs, action).state
    return _norm2(-change - model.reverse_rate(next_latent))


def siamese_loss(
    model: SimSiam, first: Float[Array, " both"], second: Float[Array, " both"]
) -> Scalar:
    """½·D(p₁, z₂) + ½·D(p₂, z₁) of two views, D the negative cosine and every z held constant.

    −1 where each view's prediction points along the other's projection.

    Source: arXiv:2011.10566 Eq. 1 and 4.
    """
    projected = model.project(first), model.project(second)
    predicted = model.predict(projected[0]), model.predict(projected[1])
    constant = lax.stop_gradient(projected[0]), lax.stop_gradient(projected[1])
    one, other = _cosine(predicted[0], constant[1]), _cosine(predicted[1], constant[0])
    return -(one + other) / 2.0


def l1_penalty(model: TDM) -> Scalar:
    """|θ_f|₁ + |θ_g|₁, the sum over all numbers of both dynamics (Eq. 8)."""
    leaves = jax.tree.leaves((model.forward, model.reverse))
    return sum((jnp.abs(leaf).sum() for leaf in leaves), jnp.zeros(()))


def _reconstruction(model: AbstractAutoencoder, latent: Latent, obs: Obs, action: Action) -> Scalar:
    state = _norm2(obs - model.decode_state(latent.state))
    return state + _norm2(action - model.decode_action(latent.action))


def _norm2(x: Float[Array, " size"]) -> Scalar:
    return jnp.sum(jnp.square(x))


def _cosine(x: Float[Array, " size"], y: Float[Array, " size"]) -> Scalar:
    """Cosine of the angle between two vectors; a vector of zeros is at right angles to all."""
    lengths2 = jnp.maximum(_norm2(x) * _norm2(y), 1e-24)
    return jnp.dot(x, y) * lax.rsqrt(lengths2)
