"""Prediction error by horizon on a world where every error is known in advance."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.data import Dataset, Normaliser
from toolkit.dynamics import Heads
from toolkit.errors import UserError
from toolkit.evaluation import TrainedDynamics, normalised, prediction_errors
from toolkit.spectral import KoopmanDynamics, Spectrum


@pytest.fixture(scope="module")
def model():
    keys = jax.random.split(jax.random.key(0), 3)
    heads = Heads(2, 6, hidden=4, key=keys[0])
    return KoopmanDynamics(heads, Spectrum(3, key=keys[1]), 2, 1, key=keys[2], reencode_every=4)


@pytest.fixture(scope="module")
def walk() -> Dataset:
    """s = (3k, 1): after k steps persistence is wrong by 3k in the first coordinate only."""
    obs = np.stack([3.0 * np.arange(90), np.ones(90)], 1)
    timeout = np.arange(1, 91) % 30 == 0
    return Dataset.from_arrays(
        obs, np.zeros((90, 1)), np.full(90, 2.0), obs + np.array([3.0, 0.0]), timeout=timeout
    )


NORMALISER = Normaliser(jnp.array([10.0, 0.0]), jnp.array([2.0, 0.5]))


def test_floors_are_what_arithmetic_says(model, walk):
    errors = prediction_errors(TrainedDynamics(model, NORMALISER), walk, horizon=12)
    k = np.arange(1, 13)
    np.testing.assert_allclose(errors.persistence, (3 * k / 2.0) ** 2 / 2, rtol=1e-5)
    assert errors.num_windows == 3 * (30 - 12 + 1)
    starts = np.concatenate([np.arange(e, e + 19) for e in (0, 30, 60)])
    z = (3.0 * (starts[:, None] + k) - 10) / 2
    np.testing.assert_allclose(errors.mean, ((z**2).mean(0) + 2.0**2) / 2, rtol=1e-5)


def test_model_errors_equal_those_of_single_predictions(model, walk):
    trained = TrainedDynamics(model, NORMALISER)
    errors = prediction_errors(trained, walk, horizon=12)
    predict = eqx.filter_jit(trained.predict)
    state, raw, reward = [], [], []
    for start in [s for e in (0, 30, 60) for s in range(e, e + 19)]:
        truth = np.stack([3.0 * (start + np.arange(1, 13)), np.ones(12)], 1)
        predicted = predict(walk.observations[start], walk.actions[start : start + 12])
        difference = np.asarray(predicted.obs[1:]) - truth
        raw.append((difference**2).mean(1))
        state.append(((difference / [2.0, 0.5]) ** 2).mean(1))
        reward.append((np.asarray(predicted.reward) - 2.0) ** 2)
    np.testing.assert_allclose(errors.state, np.mean(state, 0), rtol=1e-4)
    np.testing.assert_allclose(errors.state_raw, np.mean(raw, 0), rtol=1e-4)
    np.testing.assert_allclose(errors.reward, np.mean(reward, 0), rtol=1e-4)
    ratio = errors.state.mean() / errors.persistence.mean()
    assert errors.state_vs_persistence == pytest.approx(ratio)


def test_a_sample_of_windows_is_seeded_and_of_the_size_asked_for(model, walk):
    trained = TrainedDynamics(model, NORMALISER)
    some = [prediction_errors(trained, walk, horizon=12, max_windows=20, seed=s) for s in (0, 0, 1)]
    assert [errors.num_windows for errors in some] == [20, 20, 20]
    np.testing.assert_array_equal(some[0].state, some[1].state)
    assert np.any(some[0].mean != some[2].mean)


def test_normalised_data_keep_everything_but_the_observations(walk):
    data = normalised(walk, NORMALISER)
    np.testing.assert_allclose(
        data.observations[:, 0], (np.asarray(walk.observations)[:, 0] - 10) / 2
    )
    np.testing.assert_allclose(data.next_observations, NORMALISER.normalise(walk.next_observations))
    np.testing.assert_array_equal(data.episode, walk.episode)


def test_data_of_other_dimensions_are_refused(model):
    other = Dataset.from_arrays(np.zeros((5, 3)), np.zeros((5, 1)), np.zeros(5))
    with pytest.raises(UserError, match="trained on observations of 2 numbers, but .* has 3"):
        prediction_errors(TrainedDynamics(model, NORMALISER), other, horizon=2)


def test_only_episodes_with_a_window_are_counted(model):
    obs = np.arange(60.0).reshape(30, 2)
    timeout = np.isin(np.arange(30), [4, 24, 29])  # episodes of 5, 20 and 5 steps
    data = Dataset.from_arrays(obs, np.zeros((30, 1)), np.zeros(30), timeout=timeout)
    errors = prediction_errors(TrainedDynamics(model, NORMALISER), data, horizon=8)
    assert (errors.num_windows, errors.num_episodes) == (12, 1)


def test_a_horizon_longer_than_any_episode_is_refused(model, walk):
    with pytest.raises(UserError, match="`horizon` is 31, but the longest unbroken run"):
        prediction_errors(TrainedDynamics(model, NORMALISER), walk, horizon=31)
