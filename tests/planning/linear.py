"""A dynamics model that is exactly a given linear system, and acting in that system."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.dynamics import Heads
from toolkit.dynamics.dense import DenseDynamics
from toolkit.nn import Linear
from toolkit.spectral import KoopmanDynamics, Spectrum


def linear(weight) -> Linear:
    """y = x·W, without bias."""
    weight = jnp.asarray(weight, jnp.float32)
    plain = Linear(*weight.shape, key=jr.key(0))
    return eqx.tree_at(lambda m: (m.weight, m.bias), plain, (weight, jnp.zeros(weight.shape[1])))


def dense_model(A, B) -> DenseDynamics:
    """s' = A·s + B·a, with the identity for encoder and decoder."""
    n, p = np.shape(B)
    heads = identity_heads(Heads(n, n, hidden=0, key=jr.key(0)), np.eye(n), np.eye(n))
    model = DenseDynamics(heads, jnp.asarray(A, jnp.float32), n, p, action_hidden=0, key=jr.key(0))
    return eqx.tree_at(lambda m: m.action_encoder.layers, model, (linear(np.transpose(B)),))


def koopman_model(A, B) -> KoopmanDynamics:
    """The same through the eigenvectors of A: one mode of a conjugate pair, s = Re(v·z)·2.

    For a 2×2 matrix with complex eigenvalues.
    """
    values, vectors = np.linalg.eig(A)
    value, into = values[0], np.linalg.inv(vectors)[0]
    to_latent = np.stack([into.real, into.imag], axis=1)  # s → (Re z, Im z)
    out = 2 * np.stack([vectors[:, 0].real, -vectors[:, 0].imag])  # (Re z, Im z) → s
    heads = identity_heads(Heads(2, 2, hidden=0, key=jr.key(0)), to_latent, out)
    exponent = np.log(value)
    spectrum = Spectrum(1, real_part="free", step_init=1.0, key=jr.key(0))
    spectrum = eqx.tree_at(
        lambda s: (s.raw_real, s.imag), spectrum,
        (jnp.full(1, exponent.real, jnp.float32), jnp.full(1, exponent.imag, jnp.float32)),
    )  # fmt: skip
    model = KoopmanDynamics(
        heads, spectrum, 2, B.shape[1], action_hidden=0, unit_gain=False, key=jr.key(0)
    )
    control = (into @ B) / complex(spectrum.input_gain[0])
    weight = np.stack([control.real, control.imag], axis=1)
    return eqx.tree_at(lambda m: m.action_encoder.layers, model, (linear(weight),))


def identity_heads(heads, to_latent, out) -> Heads:
    """Linear encoder and decoder with these matrices."""
    return eqx.tree_at(
        lambda h: (h.encoder.layers, h.decoder.layers),
        heads,
        ((linear(to_latent),), (linear(out),)),
    )


def act(policy, A, B, start, steps, *, key):
    """States and actions of the true system, in float64, when the policy acts in it."""
    step = eqx.filter_jit(lambda obs, memory, key: policy(obs, memory, key=key))
    memory, state = policy.memory(), np.asarray(start, float)
    states, actions = [state], []
    for at in range(steps):
        action, memory = step(jnp.asarray(state, jnp.float32), memory, jr.fold_in(key, at))
        actions.append(np.asarray(action, float))
        state = A @ state + B @ actions[-1]
        states.append(state)
    return np.stack(states), np.stack(actions)
