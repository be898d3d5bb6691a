"""The Koopman dynamics model: a diagonal complex spectrum between an encoder and a decoder."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.nn import MLP
from toolkit.spectral.propagation import Form, propagate
from toolkit.spectral.spectrum import Spectrum
from toolkit.types import Action, Key


class KoopmanDynamics(AbstractDynamics):
    """x_{k+1} = λ̄·x_k + b·f_φ(a_k), element by element over complex modes (Eq. 2, 6).

    The latent state is real outside (real parts, then imaginary parts) and complex inside. The
    control matrix L is part of the action encoder, which loses nothing. Actions enter through the
    zero-order-hold gain; `unit_gain` divides it by its mean size, so that a small step Δt does not
    also make the model deaf to its controls.

    Shapes: latent `(2·modes,)`.
    Source: arXiv:2306.11941 §3.1–3.2.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    spectrum: Spectrum
    action_encoder: MLP
    reencode_every: int = eqx.field(static=True)
    unit_gain: bool = eqx.field(static=True)
    form: Form = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        spectrum: Spectrum,
        obs_dim: int,
        action_dim: int,
        *,
        action_hidden: int = 64,
        reencode_every: int = 0,
        unit_gain: bool = True,
        form: Form = "auto",
        key: Key,
    ):
        self.heads, self.spectrum = heads, spectrum
        self.memory = jnp.full(obs_dim, -3.0)
        self.action_encoder = two_layers(action_dim, action_hidden, 2 * spectrum.modes, key=key)
        self.reencode_every, self.unit_gain, self.form = reencode_every, unit_gain, form

    def advance(
        self, latent: Float[Array, " latent"], actions: Float[Array, "time action"]
    ) -> Float[Array, "time latent"]:
        """All latent states in one pass over time (Eq. 6)."""
        controls = jax.vmap(self.control)(actions)
        states = propagate(self.spectrum.multipliers, to_complex(latent), controls, self.form)
        return to_real(states)

    def control(self, action: Action) -> Complex[Array, " modes"]:
        """c = b·f_φ(a): what one action, held for one step, adds to each mode (§3.1)."""
        gain = self.spectrum.input_gain
        if self.unit_gain:
            size = jnp.mean(jnp.abs(gain))
            gain = lax.complex(gain.real / size, gain.imag / size)
        return gain * to_complex(self.action_encoder(action))


def to_complex(x: Float[Array, "*leading two_modes"]) -> Complex[Array, "*leading modes"]:
    """First half + i · second half of the last axis."""
    real, imag = jnp.split(x, 2, axis=-1)
    return lax.complex(real, imag)


def to_real(z: Complex[Array, "*leading modes"]) -> Float[Array, "*leading two_modes"]:
    """Real parts, then imaginary parts: the inverse of `to_complex`."""
    return jnp.concatenate([z.real, z.imag], axis=-1)
