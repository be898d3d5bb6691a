"""Gradients through time against Theorem 3.1, and against differences where there is no theorem."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Window
from toolkit.dynamics import Heads
from toolkit.dynamics.dense import DenseDynamics
from toolkit.errors import UserError
from toolkit.evaluation.gradients import gradient_envelope, gradient_norms
from toolkit.spectral import KoopmanDynamics, Spectrum
from toolkit.spectral.nonnormal import power_norms, sheared_rotation

OBS, ACTION, TIME, BATCH = 3, 2, 12, 4


@pytest.fixture(scope="module")
def window():
    keys = jr.split(jr.key(0), 3)
    return Window(
        jr.normal(keys[0], (TIME + 1, BATCH, OBS)),
        jr.normal(keys[1], (TIME, BATCH, ACTION)),
        jr.normal(keys[2], (TIME, BATCH)),
    )


def koopman(**options):
    keys = jr.split(jr.key(1), 3)
    spectrum = Spectrum(5, key=keys[0], **options)
    heads = Heads(OBS, 10, hidden=6, key=keys[1])
    return KoopmanDynamics(heads, spectrum, OBS, ACTION, key=keys[2])


@pytest.mark.parametrize("decay", [-0.6, 0.0, 0.4])
def test_one_real_part_gives_the_exact_factor_of_the_theorem(decay, window):
    """|∂ℒ_k/∂x_t| = e^{kΔtμ}·|∂ℒ_k/∂x̂_{t+k}|, and one factor less for the control."""
    model = koopman(real_part="free", decay=decay, step_init=0.3)
    measured = gradient_norms(model, window, np.array([1, 5, TIME]), key=jr.key(2))
    expected = np.exp(0.3 * decay * measured.steps)
    np.testing.assert_allclose(measured.state, np.tile(expected, (BATCH, 1)), rtol=1e-5)
    expected = np.exp(0.3 * decay * np.arange(TIME))
    np.testing.assert_allclose(measured.control, np.tile(expected, (BATCH, 1)), rtol=1e-5)
    low, high = gradient_envelope(model.spectrum, measured.steps)
    np.testing.assert_allclose(low, high, rtol=1e-5)
    np.testing.assert_allclose(low, np.exp(0.3 * decay * measured.steps), rtol=1e-5)


def test_several_real_parts_stay_inside_the_envelope(window):
    model = koopman(real_part="free", step_init=0.3)
    model = eqx.tree_at(lambda m: m.spectrum.raw_real, model, jnp.linspace(-1.0, 0.2, 5))
    measured = gradient_norms(model, window, key=jr.key(2))
    low, high = gradient_envelope(model.spectrum, measured.steps)
    assert np.all(measured.state >= low * (1 - 1e-5)) and np.all(measured.state <= high * 1.00001)
    assert measured.state[:, -1].max() < 0.99 * high[-1]  # the bound is one for all directions


def dense(matrix):
    keys = jr.split(jr.key(1))
    heads = Heads(OBS, len(matrix), hidden=6, key=keys[0])
    return DenseDynamics(heads, jnp.asarray(matrix, jnp.float32), OBS, ACTION, key=keys[1])


def test_a_sheared_matrix_lets_gradients_grow_beyond_its_eigenvalues(window):
    """Spectral radius 0.9, and yet a gradient grows; never beyond ‖Kᵏ‖."""
    matrix = sheared_rotation(10, -0.1, 1.0)
    measured = gradient_norms(dense(matrix), window, np.arange(1, TIME + 1), key=jr.key(2))
    norms = power_norms(matrix, TIME)
    assert measured.state.max() > 3
    assert np.all(measured.state <= norms[None] * 1.0001)
    k = TIME - 1  # the gradient itself, by hand
    direction = jr.normal(jr.split(jr.key(2), BATCH)[0], (10,))
    direction = np.asarray(direction / jnp.linalg.norm(direction), float)
    by_hand = np.linalg.norm(np.linalg.matrix_power(matrix, k + 1).T @ direction)
    np.testing.assert_allclose(measured.state[0, k], by_hand, rtol=1e-4)


def test_a_nonlinear_model_is_measured_as_differences_say(window):
    from toolkit.dynamics.gru import GRUDynamics

    keys = jr.split(jr.key(3))
    model = GRUDynamics(Heads(OBS, 6, hidden=6, key=keys[0]), OBS, ACTION, 6, key=keys[1])
    measured = gradient_norms(model, window, np.array([7]), key=jr.key(2))
    direction = jr.normal(jr.split(jr.key(2), BATCH)[1], (6,))
    direction = direction / jnp.linalg.norm(direction)
    controls = model.controls(window.action[:, 1])
    start = model.encode(window.obs[0, 1])
    value = eqx.filter_jit(lambda z: jnp.dot(direction, model.drive(z, controls)[6]))
    differences = [(value(start + h) - value(start - h)) / 2e-2 for h in 1e-2 * jnp.eye(6)]
    np.testing.assert_allclose(
        measured.state[1, 0], jnp.linalg.norm(jnp.stack(differences)), rtol=2e-3
    )


def test_steps_beyond_the_window_are_refused(window):
    with pytest.raises(UserError, match=r"`steps` must lie in 1..12, got \[3, 13\]"):
        gradient_norms(koopman(), window, np.array([3, 13]), key=jax.random.key(0))


@pytest.mark.parametrize("name", ["gru", "mlp", "transformer", "state-space"])
def test_all_lags_at_once_give_what_single_gradients_give(name):
    """Pulled back one by one without `jit`, at a size where a compiler once went wrong."""
    from toolkit.registry import find_model

    keys = jr.split(jr.key(0), 3)
    heads_of = lambda latent, hidden, key: Heads(OBS, latent, hidden=hidden, key=key)
    model = find_model(name).load()(hidden=8).build(heads_of, OBS, ACTION, key=keys[0])
    obs = jr.normal(keys[1], (101, 16, OBS))
    window = Window(obs, jr.normal(keys[2], (100, 16, ACTION)), jnp.zeros((100, 16)))
    lags = np.array([1, 3, 10, 30, 100])
    measured = gradient_norms(model, window, lags, key=jr.key(2)).state

    sample = 3
    latent, controls = model.encode(obs[0, sample]), model.controls(window.action[:, sample])
    states, pull = jax.vjp(lambda z: model.drive(z, controls), latent)
    direction = jr.normal(jr.split(jr.key(2), 16)[sample], states.shape[1:])
    direction = direction / jnp.linalg.norm(direction)
    for measured_one, lag in zip(measured[sample], lags, strict=True):
        (gradient,) = pull(jnp.zeros_like(states).at[lag - 1].set(direction))
        np.testing.assert_allclose(measured_one, jnp.linalg.norm(gradient), rtol=1e-3, atol=1e-7)
