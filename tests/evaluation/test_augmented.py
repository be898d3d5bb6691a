"""What augmented transitions claim, held against the model's own networks and the simulator."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.augmentation import StateNoise
from toolkit.agents.symmetry_filter import SymmetryFilter
from toolkit.data import Normaliser, Transitions, TransitionSampler, load
from toolkit.data.coverage import nearest_distances
from toolkit.evaluation import normalised
from toolkit.evaluation.augmented import (
    augmented,
    decoded,
    distances,
    in_latent,
    published_violations,
    true_errors,
    violations,
    whole_states,
)
from toolkit.tsymmetry import TDM

OBS, ACTION, ROWS = 11, 3, 24


@pytest.fixture(scope="module")
def model():
    return TDM(OBS, ACTION, encoder_widths=(16,), dynamics_widths=(16,), key=jr.key(0))


@pytest.fixture(scope="module")
def hopper():
    """The bundled sample's normaliser, and its transitions, normalised."""
    dataset = load("toolkit/hopper-medium")
    normaliser = Normaliser.fit(dataset.observations)
    sampler = TransitionSampler(normalised(dataset, normaliser), successors_only=True)
    return normaliser, sampler.everything()


def rows_of(batch: Transitions, rows: np.ndarray) -> Transitions:
    return jax.tree.map(lambda column: column[rows], batch)


def network(mlp, x):
    """An MLP in float64."""
    for layer in mlp.layers[:-1]:
        x = np.maximum(x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float), 0)
    last = mlp.layers[-1]
    return x @ np.asarray(last.weight, float) + np.asarray(last.bias, float)


def test_latent_claims_are_what_the_networks_say(model, hopper):
    batch = rows_of(hopper[1], np.arange(ROWS))
    s, a, s2 = (np.asarray(x, float) for x in (batch.obs, batch.action, batch.next_obs))
    z = network(model.encoder, np.concatenate([s, a], 1))
    after = network(model.encoder, np.concatenate([s2, a], 1))
    latent = in_latent(model, batch)
    np.testing.assert_allclose(latent.obs, z[:, :OBS], atol=1e-5)
    np.testing.assert_allclose(latent.action, z[:, OBS:], atol=1e-5)
    np.testing.assert_allclose(latent.next_obs, after[:, :OBS], atol=1e-5)  # the current action
    f = network(model.forward, z)
    g = network(model.reverse, np.concatenate([z[:, :OBS] + f, z[:, OBS:]], 1))
    np.testing.assert_allclose(violations(model, latent), ((f + g) ** 2).sum(1), rtol=1e-3)
    there = ((after[:, :OBS] + g - z[:, :OBS]) ** 2).sum(1)
    np.testing.assert_allclose(published_violations(model, batch), there, rtol=1e-3)
    zero = np.zeros((ROWS, 1))
    back = decoded(model, latent)
    decode = lambda state: network(model.state_decoder, np.concatenate([state, zero], 1))
    np.testing.assert_allclose(back.obs, decode(z[:, :OBS]), atol=1e-5)
    np.testing.assert_allclose(back.next_obs, decode(after[:, :OBS]), atol=1e-5)
    np.testing.assert_allclose(back.action, network(model.action_decoder, z[:, OBS:]), atol=1e-5)


def test_the_masks_are_those_of_the_violations(model, hopper):
    latent = in_latent(model, rows_of(hopper[1], np.arange(ROWS)))
    threshold = jnp.median(violations(model, latent))
    noise = SymmetryFilter(model, jnp.full(OBS, 0.3), threshold)
    moved, kept = augmented(noise, latent, jr.key(3))
    np.testing.assert_array_equal(kept, violations(model, moved) <= threshold)
    assert 0 < np.mean(kept) < 1
    assert np.ptp(distances(moved.obs, latent.obs)) > 0


def test_distances_are_root_mean_squares():
    one, other = np.random.default_rng(0).normal(size=(2, 5, 3))
    by_hand = [np.sqrt(sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / 3)
               for a, b in zip(one, other, strict=True)]  # fmt: skip
    np.testing.assert_allclose(distances(one, other), by_hand)
    many = np.random.default_rng(1).normal(size=(600, 3))
    nearest = np.sqrt(((many[:, None] - other[None]) ** 2).mean(2)).min(1)
    np.testing.assert_allclose(nearest_distances(many, other), nearest, rtol=1e-9)


def test_rows_with_a_clipped_velocity_hide_their_state(hopper):
    normaliser, recorded = hopper
    fastest = np.abs(np.asarray(normaliser.denormalise(recorded.obs))[:, 5:]).max(axis=1)
    whole = whole_states("hopper", normaliser, recorded)
    assert 0.5 < whole.mean() < 1
    assert not whole[fastest > 9.9999].any()
    assert whole[fastest < 9.99].all()
    assert whole_states("halfcheetah", normaliser, recorded).all()  # nothing is clipped there


def test_the_simulator_agrees_with_what_was_recorded_and_with_nothing_else(hopper):
    pytest.importorskip("mujoco")
    pytest.importorskip("gymnasium")
    normaliser, recorded = hopper
    rows = np.flatnonzero(whole_states("Hopper-v4", normaliser, recorded))[::97]
    batch = rows_of(recorded, rows)
    assert true_errors("Hopper-v4", normaliser, batch).max() < 1e-5

    # a wrong claim of the next state is told to its size
    claim = replace(batch, next_obs=batch.next_obs + 0.2)
    np.testing.assert_allclose(true_errors("hopper", normaliser, claim), 0.2, rtol=1e-4)
    # a wrong start or action makes a true claim wrong
    assert np.median(true_errors("hopper", normaliser, replace(batch, obs=batch.obs + 0.2))) > 0.1
    other = replace(batch, action=-batch.action)
    assert np.median(true_errors("hopper", normaliser, other)) > 0.02
    # the motors clip, so an action beyond their bounds is the bound
    beyond = replace(batch, action=100.0 * jnp.sign(batch.action))
    bound = replace(batch, action=jnp.sign(batch.action))
    np.testing.assert_array_equal(
        *(true_errors("hopper", normaliser, some) for some in (beyond, bound))
    )
    noisy, _ = augmented(StateNoise(0.1), batch, jr.key(0))
    assert 0.1 < np.median(true_errors("hopper", normaliser, noisy)) < 0.25
