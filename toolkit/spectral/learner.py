"""The default run of `toolkit train koopman`: what is trained, how, and with which spectrum."""

from __future__ import annotations

from typing import Any

import jax.random as jr

from toolkit.dynamics.learner import AbstractDynamicsLearner
from toolkit.spectral.koopman import KoopmanDynamics
from toolkit.spectral.propagation import Form
from toolkit.spectral.spectrum import DEFAULT_DECAY, ImagPart, RealPart, Spectrum, StepSize
from toolkit.types import Key


class Koopman(AbstractDynamicsLearner):
    """The Koopman dynamics model of arXiv:2306.11941 and how it is trained.

    Deviations from the paper, which `toolkit study ablation` changes one at a time: few modes and
    a deep decoder, lifetimes spread from one step to hundreds, pieces of `reencode_every` steps,
    frequencies in the lower part of the `band`, controls at `unit_gain`, a decoder corrected by
    its error at the start (`toolkit.dynamics.AbstractDynamics`), and updates that decode some of
    the steps only.
    `--modes 512 --decoder-layers 1 --real-part constant --reencode-every 0 --band 1
    --unit-gain False` is closest to the paper's model.
    """

    modes: int = 96
    """Complex latent coordinates m; the real latent has twice as many (App. H: 512)."""
    decoder_layers: int = 4
    """Hidden layers of the decoder and of the reward head."""
    real_part: RealPart = "spread"
    """Decay of the modes: constant −0.2, bounded to [−0.3, −0.1] (App. G), free, or spread."""
    imag_part: ImagPart = "increasing"
    """First frequencies: jπ, random, or the inverse law of S4D (App. G)."""
    step_size: StepSize = "model"
    """Step Δt: one trained number for the model, one per mode, or fixed (§3.1)."""
    reencode_every: int = 25
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    decoded_steps: int = 12
    """How many steps of each window are decoded in one update."""
    band: float = 0.15
    """Largest frequency at the start, as a share of half a turn per step: Δt = band / modes."""
    decay: float = DEFAULT_DECAY
    """Real part at the start, in 1/model time (App. G)."""
    train_imag: bool = True
    """Train the frequencies after their initialisation."""
    unit_gain: bool = True
    """Scale the zero-order-hold gain to unit mean size, so that controls are heard at small Δt."""
    form: Form = "auto"
    """How the recurrence is computed; all forms agree to rounding."""

    def build(self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key) -> KoopmanDynamics:
        spectrum_key, heads_key, action_key = jr.split(key, 3)
        spectrum = Spectrum(
            self.modes, real_part=self.real_part, imag_part=self.imag_part,
            step_size=self.step_size, decay=self.decay, step_init=self.band / self.modes,
            train_imag=self.train_imag, key=spectrum_key,
        )  # fmt: skip
        return KoopmanDynamics(
            heads_of(2 * self.modes, self.hidden, heads_key), spectrum, obs_dim, action_dim,
            action_hidden=self.action_hidden, reencode_every=self.reencode_every,
            unit_gain=self.unit_gain, form=self.form, key=action_key,
        )  # fmt: skip
