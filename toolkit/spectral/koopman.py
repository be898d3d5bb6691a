"""The Koopman dynamics model: a diagonal complex spectrum between an encoder and a decoder."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float, Int

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.dynamics.steps import Steps
from toolkit.nn import MLP
from toolkit.product import row_product
from toolkit.spectral.propagation import Form, propagate
from toolkit.spectral.spectrum import Spectrum
from toolkit.types import Key


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

    def controls(self, actions: Float[Array, "time action"]) -> Complex[Array, "time modes"]:
        """c = b·f_φ(a): what each action, held for one step, adds to each mode (§3.1)."""
        return self._gain()[None] * to_complex(jax.vmap(self.action_encoder)(actions))

    def drive(
        self, latent: Float[Array, " latent"], controls: Complex[Array, "time modes"]
    ) -> Float[Array, "time latent"]:
        """All latent states in one pass over time (Eq. 6)."""
        return to_real(
            propagate(self.spectrum.multipliers, to_complex(latent), controls, self.form)
        )

    def controls_to(
        self, actions: Float[Array, "time action"], steps: Steps
    ) -> Complex[Array, "controls modes"]:
        """What the actions between two chosen steps together add to each mode by the later one.

        Over a stride s that is Σ_i λ̄^{s−1−i}·b·(W·h(a_i) + w), with the hidden layer h and the
        last layer (W, w) of f_φ. Powers and gain go into one matrix, which takes the hidden
        vectors of a stride to their sum, so neither the controls nor the states between are ever
        stored: the memory traffic is that of one state per stride, not per step.
        """
        if not steps.stride:
            return super().controls_to(actions, steps)
        length, stride, count = len(actions), steps.stride, len(steps.at) - steps.ends
        first, widest = steps.at[0], length - steps.ends - (count - 1) * stride
        # Cut while it is actions, which are a tenth of the hidden vectors.
        padded = jnp.pad(actions, ((widest, 0), (0, 0)))
        to_first = lax.dynamic_slice_in_dim(padded, first, widest)
        between = lax.dynamic_slice_in_dim(padded, widest + first, (count - 1) * stride)
        collect = _Collector(self, max(widest, stride))
        sums = [collect(to_first[None], first)]
        if count > 1:
            sums.append(collect(between.reshape(count - 1, stride, actions.shape[1])))
        if steps.ends:
            sums.append(collect(padded[None, length:], length - steps.at[-2]))
        return jnp.concatenate(sums)

    def drive_to(
        self, latent: Float[Array, " latent"], controls: Complex[Array, "controls modes"],
        steps: Steps,
    ) -> Float[Array, "steps latent"]:  # fmt: skip
        """The chosen states, stride after stride: z_{k+s} = λ̄ˢ·z_k + what the controls add."""
        if not steps.stride:
            return super().drive_to(latent, controls, steps)
        count = len(steps.at) - steps.ends
        lengths = [steps.at[0], jnp.asarray(steps.stride), steps.at[-1] - steps.at[count - 1]]
        first, stride, rest = self.spectrum.powers(jnp.stack(lengths))
        start = first * to_complex(latent) + controls[0]
        states = [start[None], propagate(stride, start, controls[1:count], self.form)]
        if steps.ends:
            before = states[1][-1] if count > 1 else start
            states.append((rest * before + controls[-1])[None])
        return to_real(jnp.concatenate(states))

    def _gain(self) -> Complex[Array, " modes"]:
        return self.spectrum.unit_gain if self.unit_gain else self.spectrum.input_gain


class _Collector:
    """Sums the controls of a stride as the spectrum carries them to its end, by one product."""

    def __init__(self, model: KoopmanDynamics, width: int):
        """For strides of at most `width` steps."""
        last = model.action_encoder.layers[-1]
        powers = model.spectrum.powers(jnp.arange(width - 1, -1, -1))
        kernel = model._gain()[None] * powers
        self.features = model.action_encoder.features
        self.weight = to_real(kernel[:, None] * to_complex(last.weight)[None])
        self.bias = kernel * to_complex(last.bias)[None]

    def __call__(
        self, actions: Float[Array, "strides steps action"], real: Int[Array, ""] | None = None
    ) -> Complex[Array, "strides modes"]:
        """The sums, of which only the last `real` steps count, all where that is None."""
        strides, steps, _ = actions.shape
        hidden, bias = jax.vmap(jax.vmap(self.features))(actions), self.bias[-steps:]
        if real is not None:
            counts = jnp.arange(steps) >= steps - real
            hidden = jnp.where(counts[None, :, None], hidden, 0.0)
            bias = jnp.where(counts[:, None], bias, 0.0)
        weight = self.weight[-steps:].reshape(-1, self.weight.shape[-1])
        product = row_product(hidden.reshape(strides, -1), weight)
        return to_complex(product) + bias.sum(0)[None]


def to_complex(x: Float[Array, "*leading two_modes"]) -> Complex[Array, "*leading modes"]:
    """First half + i · second half of the last axis."""
    real, imag = jnp.split(x, 2, axis=-1)
    return lax.complex(real, imag)


def to_real(z: Complex[Array, "*leading modes"]) -> Float[Array, "*leading two_modes"]:
    """Real parts, then imaginary parts: the inverse of `to_complex`."""
    return jnp.concatenate([z.real, z.imag], axis=-1)
