"""What a model must offer whose symmetries move recorded transitions."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
from jaxtyping import Array, Float

from toolkit.nn import MLP
from toolkit.types import Action, Key, Obs

Latent = Float[Array, " latent"]


class AbstractKoopmanCore(eqx.Module):
    """An encoder and a decoder around a latent step, and displacements that commute with it.

    Inputs are normalised states. Shapes: one sample; `vmap` over a batch.
    """

    symmetries: ClassVar[tuple[str, ...]]
    """Names of the generators that this model has; "random", the control, is always one."""

    encoder: eqx.AbstractVar[MLP]
    decoder: eqx.AbstractVar[MLP]

    @abstractmethod
    def encode(self, obs: Obs) -> Latent:
        """E(s), the latent state."""

    @abstractmethod
    def step(self, latent: Latent, action: Action) -> Latent:
        """The latent state one environment step later."""

    @abstractmethod
    def displacements(
        self, latent: Latent, after: Latent, action: Action, generator: str, *, key: Key
    ) -> tuple[Latent, Latent]:
        """How a random symmetry of unit size moves a latent state and the one after it.

        To first order and up to the model's own error, (z + εu, a, z′ + εu′) is a transition if
        (z, a, z′) is one. A unit size moves z by about its own length, root mean square, unless
        the generator says otherwise.
        """

    def decode(self, latent: Latent) -> Obs:
        """D(z), the state of a latent one."""
        return self.decoder(latent)

    def predict(self, obs: Obs, action: Action) -> Obs:
        """D(step(E(s), a)), corrected by what the decoder gets wrong at s."""
        latent = self.encode(obs)
        return self.decode(self.step(latent, action)) + obs - self.decode(latent)
