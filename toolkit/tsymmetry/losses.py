"""The losses of the TDM, one function per equation, for one transition."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from toolkit.tsymmetry.tdm import TDM, Latent

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


def reconstruction_loss(model: TDM, obs: Obs, action: Action) -> Scalar:
    """|s − ψ_s(z_s, 0)|² + |a − ψ_a(z_a)|² (Eq. 3)."""
    return _reconstruction(model, model.encode(obs, action), obs, action)


def forward_loss(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
    """|(∂φ_s(s, a)/∂s)·ṡ − f(φ(s, a))|² (Eq. 4). Nothing is held constant."""
    latent, latent_rate = model.encode_with_rate(obs, action, next_obs - obs)
    return _norm2(latent_rate - model.forward_rate(latent))


def decoded_rate_loss(model: TDM, obs: Obs, action: Action, next_obs: Obs) -> Scalar:
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


def l1_penalty(model: TDM) -> Scalar:
    """|θ_f|₁ + |θ_g|₁, the sum over all numbers of both dynamics (Eq. 8)."""
    leaves = jax.tree.leaves((model.forward, model.reverse))
    return sum((jnp.abs(leaf).sum() for leaf in leaves), jnp.zeros(()))


def _reconstruction(model: TDM, latent: Latent, obs: Obs, action: Action) -> Scalar:
    state = _norm2(obs - model.decode_state(latent.state))
    return state + _norm2(action - model.decode_action(latent.action))


def _norm2(x: Float[Array, " size"]) -> Scalar:
    return jnp.sum(jnp.square(x))
