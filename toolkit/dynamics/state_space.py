"""The state-space baseline: layers of diagonal complex recurrences with gates between them."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.dynamics.learner import AbstractDynamicsLearner
from toolkit.nn import MLP, Linear
from toolkit.spectral.koopman import to_complex
from toolkit.spectral.propagation import Form, propagate
from toolkit.spectral.spectrum import phi1
from toolkit.types import Key


class StateSpaceLayer(eqx.Module):
    """x' = λ̄x + B̄u, y = 2 Re(Cx) + D⊙u, then u + GLU(gelu(y)), over a whole sequence at once.

    The diagonal starts as S4D-Lin, λ_n = −½ + iπn, with step sizes spread over [10⁻³, 10⁻¹]; one
    state serves all channels, as in S5. The layer's state starts at a linear map of the latent.
    """

    log_decay: Float[Array, " modes"]
    frequency: Float[Array, " modes"]
    log_step: Float[Array, " modes"]
    start: Linear  # latent → 2·modes
    inward: Linear  # width → 2·modes
    outward: Linear  # 2·modes → width
    direct: Float[Array, " width"]
    gate: Linear  # width → 2·width
    form: Form = eqx.field(static=True)

    def __init__(self, latent: int, width: int, modes: int, *, form: Form, key: Key):
        keys = jr.split(key, 5)
        self.log_decay = jnp.full(modes, np.log(0.5), jnp.float32)
        self.frequency = jnp.pi * jnp.arange(modes, dtype=jnp.float32)
        self.log_step = jr.uniform(
            keys[0], (modes,), minval=float(np.log(1e-3)), maxval=float(np.log(1e-1))
        )
        self.start = Linear(latent, 2 * modes, key=keys[1])
        self.inward = Linear(width, 2 * modes, key=keys[2])
        self.outward = Linear(2 * modes, width, key=keys[3])
        self.direct, self.form = jnp.ones(width), form
        self.gate = Linear(width, 2 * width, key=keys[4])

    def __call__(
        self, latent: Float[Array, " latent"], u: Float[Array, "time width"]
    ) -> Float[Array, "time width"]:
        step = jnp.exp(self.log_step)
        exponent = lax.complex(-step * jnp.exp(self.log_decay), step * self.frequency)
        multipliers = jnp.exp(exponent)
        gain = lax.complex(step, jnp.zeros_like(step)) * phi1(exponent)  # zero-order hold
        states = propagate(
            multipliers, to_complex(self.start(latent)),
            gain[None] * to_complex(jax.vmap(self.inward)(u)), self.form,
        )  # fmt: skip
        flat = jnp.concatenate([states.real, states.imag], axis=-1)
        y = jax.vmap(self.outward)(flat) + self.direct[None] * u
        value, gate = jnp.split(jax.vmap(self.gate)(jax.nn.gelu(y)), 2, axis=-1)
        return u + value * jax.nn.sigmoid(gate)


class StateSpaceDynamics(AbstractDynamics):
    """A stack of `StateSpaceLayer` over the encoded actions, each started at the encoded state.

    Shapes: latent `(width,)`.
    Source: the DSSM baseline of arXiv:2306.11941v4; S4D of arXiv:2206.11893, S5 of
    arXiv:2208.04933.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    action_encoder: MLP
    layers: tuple[StateSpaceLayer, ...]
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        obs_dim: int,
        action_dim: int,
        width: int,
        *,
        modes: int,
        layers: int,
        action_hidden: int = 64,
        reencode_every: int = 0,
        form: Form = "auto",
        key: Key,
    ):
        keys = jr.split(key, layers + 1)
        self.heads, self.memory = heads, jnp.full(obs_dim, -3.0)
        self.action_encoder = two_layers(action_dim, action_hidden, width, key=keys[0])
        self.layers = tuple(
            StateSpaceLayer(width, width, modes, form=form, key=k) for k in keys[1:]
        )
        self.reencode_every = reencode_every

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time width"]:
        """The encoded actions."""
        return jax.vmap(self.action_encoder)(actions)

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time width"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control; each layer is one pass over time."""
        x = controls
        for layer in self.layers:
            x = layer(latent, x)
        return x


class StateSpace(AbstractDynamicsLearner):
    """The diagonal state-space baseline (DSSM) of arXiv:2306.11941v4: whole windows at once."""

    width: int = 124
    """Channels between the layers, and the size of the latent state."""
    modes: int = 128
    """Complex modes of each layer."""
    layers: int = 2
    """State-space layers."""
    reencode_every: int = 0
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    consistency_weight: float = 0.0
    """Weight of L_cons in Eq. 7; outputs are no states to be encoded to, so there is none."""
    learning_rate: float = 1e-3
    """Peak rate of Adam; it warms up, then falls to 1 % along a cosine."""
    form: Form = "auto"
    """How the recurrences are computed; all forms agree to rounding."""

    def build(
        self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key
    ) -> StateSpaceDynamics:
        heads_key, model_key = jr.split(key)
        return StateSpaceDynamics(
            heads_of(self.width, self.hidden, heads_key), obs_dim, action_dim, self.width,
            modes=self.modes, layers=self.layers, action_hidden=self.action_hidden,
            reencode_every=self.reencode_every, form=self.form, key=model_key,
        )  # fmt: skip
