"""The spectral core: diagonal Koopman dynamics whose symmetries and time reversal come for free."""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Complex, Float

from toolkit.nn import MLP
from toolkit.spectral.koopman import to_complex, to_real
from toolkit.spectral.spectrum import RealPart, Spectrum
from toolkit.symmetry.interface import AbstractKoopmanCore, Latent
from toolkit.types import Action, Key, Obs


class SpectralCore(AbstractKoopmanCore):
    """z′ = λ̄·z + c(a), element by element over complex modes, with c = b·f_φ(a).

    The step is arXiv:2306.11941 Eq. 2. Two things follow from its being diagonal:

    - any diagonal σ commutes with λ̄, so z̃ = z + σz leads to z̃′ = z′ + σ(z′ − c): λ̄z̃ + c =
      z′ + σλ̄z. A symmetry shift (arXiv:2111.01365 §4) is an element-wise product, without an
      eigendecomposition;
    - the reverse dynamics are the exact inverse, z = (z′ − c)/λ̄, so forward and reverse rates
      agree by construction (arXiv:2306.04220 Eq. 7 is zero everywhere). What can still be wrong is
      the way between states and latents, which `round_trip` measures.

    Shapes: latent `(2·modes,)`, real parts, then imaginary parts.
    """

    symmetries: ClassVar[tuple[str, ...]] = ("spectral", "random")

    encoder: MLP
    decoder: MLP
    action_encoder: MLP
    spectrum: Spectrum

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        modes: int = 32,
        hidden: int = 256,
        action_hidden: int = 64,
        real_part: RealPart = "spread",
        band: float = 0.15,
        key: Key,
    ):
        keys = jr.split(key, 4)
        widths, latent = (hidden, hidden), 2 * modes
        smooth = lambda sizes, key: MLP(sizes, activation=jax.nn.silu, key=key)
        self.encoder = smooth((obs_dim, *widths, latent), keys[0])
        self.decoder = smooth((latent, *widths, obs_dim), keys[1])
        self.action_encoder = smooth((action_dim, action_hidden, latent), keys[2])
        self.spectrum = Spectrum(modes, real_part=real_part, step_init=band / modes, key=keys[3])

    def encode(self, obs: Obs) -> Latent:
        return self.encoder(obs)

    def control(self, action: Action) -> Latent:
        """c(a): what an action, held for one step, adds to the latent state."""
        return to_real(self.spectrum.unit_gain * to_complex(self.action_encoder(action)))

    def step(self, latent: Latent, action: Action) -> Latent:
        return self.carried(latent) + self.control(action)

    def carried(self, latent: Latent) -> Latent:
        """λ̄·z."""
        return times(self.spectrum.multipliers, latent)

    def reverse(self, after: Latent, action: Action) -> Latent:
        """(z′ − c(a))/λ̄, the latent state one environment step before; the inverse of `step`."""
        return times(1.0 / self.spectrum.multipliers, after - self.control(action))

    def displacements(
        self, latent: Latent, after: Latent, action: Action, generator: str, *, key: Key
    ) -> tuple[Latent, Latent]:
        """σ·z and σ·(z′ − c), with one random complex σ_j of unit mean square for each mode.

        The control, "random", puts a random matrix in the place of σ.
        """
        free = after - self.control(action)
        if generator == "random":
            size = len(latent)
            moved = jnp.stack([latent, free]) @ (jr.normal(key, (size, size)) * size**-0.5)
            return moved[0], moved[1]
        sigma = to_complex(jr.normal(key, latent.shape) * 2**-0.5)
        return times(sigma, latent), times(sigma, free)

    def round_trip(self, latent: Latent, action: Action) -> Float[Array, ""]:
        """|z − (E(D(λ̄z + c)) − c)/λ̄|²: one step on, through the state space, and one step back.

        The place of ℓ_Tsym (arXiv:2306.04220 Eq. 7), which vanishes here: it is zero where the
        next latent state is that of a state, and grows where the model has left the states.
        """
        after = self.encode(self.decode(self.step(latent, action)))
        return jnp.sum(jnp.square(self.reverse(after, action) - latent))


def times(factors: Complex[Array, " modes"], latent: Latent) -> Latent:
    """The product of each mode by its factor, on the real form of the latent state."""
    return to_real(factors * to_complex(latent))
