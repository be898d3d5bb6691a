"""The bilinear model and the spectral core: their steps, symmetries, losses and inverses."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.float64 import random_dataset
from toolkit.data import Transitions
from toolkit.symmetry import BilinearOperator, KoopmanForward, SpectralCore
from toolkit.symmetry.bilinear import forward_loss, reconstruction_loss, smooth_l1
from toolkit.symmetry.core import times
from toolkit.symmetry.learners import (
    KoopmanForwardLearner,
    Noisy,
    SpectralCoreLearner,
    core_terms,
    how_well,
)
from toolkit.training import init_states, select_seed, train

OBS, ACTION, LATENT = 3, 2, 6


@pytest.fixture(scope="module")
def bilinear():
    return KoopmanForward(OBS, ACTION, latent_dim=LATENT, hidden=8, key=jr.key(0))


@pytest.fixture(scope="module")
def core():
    return SpectralCore(OBS, ACTION, modes=LATENT // 2, hidden=8, key=jr.key(0))


def vector(seed, size):
    return jr.normal(jr.key(seed), (size,))


def complex_of(real):
    half = len(real) // 2
    return np.asarray(real[:half], np.float64) + 1j * np.asarray(real[half:], np.float64)


def mlp64(mlp, x, activation):
    for number, layer in enumerate(mlp.layers):
        x = x @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)
        if number < len(mlp.layers) - 1:
            x = activation(x)
    return x


def silu(x):
    return x / (1 + np.exp(-x))


def test_the_operator_is_affine_in_the_action():
    operator = BilinearOperator(LATENT, ACTION, key=jr.key(1))
    action, latent = vector(2, ACTION), vector(3, LATENT)
    k = np.asarray(operator.matrices, np.float64)
    expected = k[0] + action[0].item() * k[1] + action[1].item() * k[2]
    np.testing.assert_allclose(operator.matrix(action), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        operator(latent, action), expected @ np.asarray(latent, np.float64), rtol=1e-5, atol=1e-6
    )


def test_the_bilinear_model_is_the_published_one(bilinear):
    """tanh behind every layer of the encoder, and behind the decoder's hidden ones."""
    obs, action = vector(4, OBS), vector(5, ACTION)
    latent = np.tanh(mlp64(bilinear.encoder, np.asarray(obs, np.float64), np.tanh))
    np.testing.assert_allclose(bilinear.encode(obs), latent, rtol=1e-5, atol=1e-6)
    stepped = np.asarray(bilinear.operator.matrix(action), np.float64) @ latent
    decoded = mlp64(bilinear.decoder, stepped, np.tanh)
    found = bilinear.decode(bilinear.step(bilinear.encode(obs), action))
    np.testing.assert_allclose(found, decoded, rtol=1e-4, atol=1e-5)


def test_smooth_l1_is_half_the_square_within_one_and_linear_beyond():
    x = np.asarray([-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0], np.float32)
    expected = [2.5, 0.5, 0.125, 0.0, 0.03125, 0.5, 1.5]
    np.testing.assert_allclose(smooth_l1(jnp.asarray(x)), expected)


def test_the_losses_of_the_bilinear_model(bilinear):
    obs, action, after = 3 * vector(4, OBS), vector(5, ACTION), 3 * vector(6, OBS)
    decoded = bilinear.decode(bilinear.step(bilinear.encode(obs), action))
    gap = np.abs(np.asarray(decoded - after, np.float64))
    assert (gap > 1).any()
    expected = np.mean(np.where(gap < 1, gap**2 / 2, gap - 0.5))
    assert float(forward_loss(bilinear, obs, action, after)) == pytest.approx(expected, rel=1e-5)
    gap = np.abs(np.asarray(bilinear.decode(bilinear.encode(obs)) - obs, np.float64))
    expected = np.mean(np.where(gap < 1, gap**2 / 2, gap - 0.5))
    assert float(reconstruction_loss(bilinear, obs)) == pytest.approx(expected, rel=1e-5)


def test_noisy_states_are_their_own_target(bilinear):
    """Both ends of each transition are reconstructed, as often as they are noisy."""
    learner = KoopmanForwardLearner(input_noise=0.5, hidden=8, latent_dim=LATENT)
    rows = Transitions(
        jr.normal(jr.key(0), (50, OBS)), jr.normal(jr.key(1), (50, ACTION)), jnp.zeros(50),
        jr.normal(jr.key(2), (50, OBS)), jnp.zeros(50, bool),
    )  # fmt: skip
    views = learner.views(rows, key=jr.key(3))
    noise = np.asarray(views.states) - np.concatenate([rows.obs, rows.next_obs])
    assert noise.std() == pytest.approx(0.5, rel=0.1)
    assert np.abs(np.corrcoef(noise[:50, 0], noise[50:, 0])[0, 1]) < 0.5
    total, terms = learner.loss(bilinear, views, jnp.ones(()))
    each = np.mean([float(reconstruction_loss(bilinear, s)) for s in views.states])
    assert float(terms["loss/reconstruction"]) == pytest.approx(each, rel=1e-4)
    assert float(total) == pytest.approx(
        float(terms["loss/forward"]) + 10 * float(terms["loss/reconstruction"]), rel=1e-5
    )
    assert isinstance(views, Noisy) and views.batch is rows


@pytest.mark.parametrize("generator", ["eigenspace", "commutator", "polynomial", "sylvester"])
def test_a_shifted_pair_of_the_bilinear_model_is_a_pair(bilinear, generator):
    """K(a)·(z + u) = z′ + u′ where z′ = K(a)·z, for commuting generators."""
    latent, action = vector(7, LATENT), vector(8, ACTION)
    after = bilinear.step(latent, action)
    here, there = bilinear.displacements(latent, after, action, generator, key=jr.key(9))
    assert np.abs(here).max() > 1e-6
    scale = float(jnp.linalg.norm(here))
    np.testing.assert_allclose(bilinear.step(here, action), there, atol=1e-4 * scale)


def test_a_pair_shifted_by_the_control_is_none(bilinear):
    latent, action = vector(7, LATENT), vector(8, ACTION)
    after = bilinear.step(latent, action)
    here, there = bilinear.displacements(latent, after, action, "random", key=jr.key(9))
    gap = np.linalg.norm(bilinear.step(here, action) - there)
    assert gap > 0.1 * np.linalg.norm(here)


def test_the_core_steps_its_modes_one_by_one(core):
    latent, action = vector(7, LATENT), vector(8, ACTION)
    multipliers = np.asarray(core.spectrum.multipliers, np.complex128)
    control = complex_of(core.control(action))
    expected = multipliers * complex_of(latent) + control
    np.testing.assert_allclose(complex_of(core.step(latent, action)), expected, rtol=1e-5)
    gain = np.asarray(core.spectrum.input_gain, np.complex128)
    hidden = complex_of(mlp64(core.action_encoder, np.asarray(action, np.float64), silu))
    np.testing.assert_allclose(control, gain / np.abs(gain).mean() * hidden, rtol=1e-4)


def test_the_core_reverses_exactly(core):
    latent, action = vector(7, LATENT), vector(8, ACTION)
    back = core.reverse(core.step(latent, action), action)
    np.testing.assert_allclose(back, latent, rtol=1e-4, atol=1e-5)


def test_a_shifted_pair_of_the_core_is_a_pair(core):
    """λ̄(z + σz) + c = z′ + σ(z′ − c), whatever the action."""
    latent, action = vector(7, LATENT), vector(8, ACTION)
    after = core.step(latent, action)
    here, there = core.displacements(latent, after, action, "spectral", key=jr.key(9))
    np.testing.assert_allclose(
        core.step(latent + here, action), after + there, rtol=1e-4, atol=1e-5
    )
    ratio = complex_of(here) / complex_of(latent)
    np.testing.assert_allclose(complex_of(there) / complex_of(after - core.control(action)), ratio,
                               rtol=1e-3)  # fmt: skip


def test_the_core_s_symmetries_have_unit_mean_square(core):
    latent, after, action = vector(7, LATENT), vector(6, LATENT), vector(8, ACTION)

    def size(generator):
        many = jax.vmap(
            lambda key: core.displacements(latent, after, action, generator, key=key)[0]
        )(jr.split(jr.key(1), 4000))
        return np.sqrt(np.mean(np.sum(np.square(many), axis=1)))

    for generator in core.symmetries:
        assert size(generator) == pytest.approx(np.linalg.norm(latent), rel=0.1)


def test_a_pair_shifted_by_the_core_s_control_is_none(core):
    latent, action = vector(7, LATENT), vector(8, ACTION)
    after = core.step(latent, action)
    here, there = core.displacements(latent, after, action, "random", key=jr.key(9))
    gap = np.linalg.norm(core.step(latent + here, action) - after - there)
    assert gap > 0.1 * np.linalg.norm(here)


def test_a_round_trip_by_hand(core):
    latent, action = vector(7, LATENT), vector(8, ACTION)
    on = core.encode(core.decode(core.step(latent, action)))
    multipliers = np.asarray(core.spectrum.multipliers, np.complex128)
    back = (complex_of(on) - complex_of(core.control(action))) / multipliers
    expected = np.sum(np.abs(back - complex_of(latent)) ** 2)
    assert float(core.round_trip(latent, action)) == pytest.approx(expected, rel=1e-3)


def test_times_is_a_product_of_complex_numbers(core):
    latent, factors = vector(7, LATENT), jnp.asarray([1j, 2 + 0j, 0.5 - 1j], jnp.complex64)
    expected = np.asarray(factors) * complex_of(latent)
    np.testing.assert_allclose(complex_of(times(factors, latent)), expected, rtol=1e-5)


def test_the_terms_of_the_core_s_loss(core):
    obs, action, after = vector(4, OBS), vector(5, ACTION), vector(6, OBS)
    d = lambda z: np.asarray(core.decode(z), np.float64)
    here, there = core.encode(obs), core.encode(after)
    change = np.asarray(after - obs, np.float64)
    forward = np.mean((d(core.step(here, action)) - d(here) - change) ** 2)
    reverse = np.mean((d(core.reverse(there, action)) - d(there) + change) ** 2)
    consistency = np.mean(np.asarray(core.step(here, action) - there, np.float64) ** 2)
    both = np.concatenate([d(here) - np.asarray(obs), d(there) - np.asarray(after)])
    found = core_terms(core, obs, action, after)
    np.testing.assert_allclose(found, (forward, reverse, consistency, np.mean(both**2)), rtol=1e-3)


def test_how_well_a_model_that_says_nothing_does():
    """A step that changes nothing leaves all of the change unexplained."""

    class Still(SpectralCore):
        def step(self, latent, action):
            return latent

    still = Still(OBS, ACTION, modes=2, hidden=4, key=jr.key(0))
    rows = random_dataset()
    batch = Transitions(
        jnp.asarray(rows.observations), jnp.asarray(rows.actions), jnp.asarray(rows.rewards),
        jnp.asarray(rows.next_observations), jnp.zeros(len(rows.rewards), bool),
    )  # fmt: skip
    assert float(how_well(still, batch)["change_error_share"]) == pytest.approx(1, rel=1e-4)


LEARNERS = {
    "koopman-forward": KoopmanForwardLearner(latent_dim=8, hidden=16, learning_rate=3e-3),
    "spectral-core": SpectralCoreLearner(modes=4, hidden=16, learning_rate=3e-3),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_short_training_lowers_the_held_out_loss(name):
    data = random_dataset()
    learner = dataclasses.replace(
        LEARNERS[name], batch_size=8, num_updates=200, check_every=50, validation_share=0.3
    )
    states = init_states(learner, data, (0,))
    sampler = learner.prepare(data)
    first = learner.held_out_error(select_seed(states, 0).model, sampler.validation)
    *_, (states, _) = train(learner, states, sampler, seeds=(0,), num_updates=200)
    best = select_seed(states, 0)
    assert float(best.best_loss) < 0.8 * float(first)
    measured = eqx.filter_jit(learner.measured)(best.best, sampler.validation)
    assert all(np.isfinite(float(value)) for value in measured.values())
