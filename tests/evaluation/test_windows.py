"""Predictions window by window, and how far each reaches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.data import Normaliser, Window
from toolkit.dynamics import Heads
from toolkit.errors import UserError
from toolkit.evaluation import TrainedDynamics, predict_windows, reach
from toolkit.spectral import KoopmanDynamics, Spectrum


@pytest.mark.parametrize("count", [3, 64, 70])
def test_every_window_is_predicted_as_it_would_be_alone(count: int):
    keys = jax.random.split(jax.random.key(0), 5)
    heads = Heads(2, 6, hidden=4, key=keys[0])
    model = KoopmanDynamics(heads, Spectrum(3, key=keys[1]), 2, 1, key=keys[2])
    trained = TrainedDynamics(model, Normaliser(jnp.array([10.0, 0.0]), jnp.array([2.0, 0.5])))
    obs, action = (
        jax.random.normal(keys[3], (6, count, 2)),
        jax.random.normal(keys[4], (5, count, 1)),
    )
    predicted = predict_windows(trained, Window(obs, action, jnp.zeros((5, count))))
    assert predicted.shape == (count, 6, 2)
    for i in (0, count - 1):
        alone = trained.predict(obs[0, i], action[:, i]).obs
        np.testing.assert_allclose(predicted[i], alone, rtol=1e-4, atol=1e-5)


def test_a_prediction_reaches_to_the_step_before_it_stays_wrong():
    errors = np.array([
        [0.1, 0.7, 0.2, 0.6, 0.8, 0.1],  # one bad step, then two in a row
        [0.9, 0.9, 0.1, 0.1, 0.1, 0.1],
        [0.1, 0.1, 0.1, 0.1, 0.9, 0.9],
        [0.5, 0.5, 0.5, 0.5, 0.5, 0.9],  # the last step alone is no run of two
    ])  # fmt: skip
    np.testing.assert_array_equal(reach(errors, 0.5, 2), [3, 0, 4, 6])
    np.testing.assert_array_equal(reach(errors, 0.5, 1), [1, 0, 4, 5])
    np.testing.assert_array_equal(reach(errors, 9.0, 6), [6, 6, 6, 6])
    np.testing.assert_array_equal(reach(np.full((1, 3), np.nan), 1.0, 2), [0])


@pytest.mark.parametrize("patience", [0, 7])
def test_patience_must_fit_into_the_window(patience: int):
    with pytest.raises(UserError, match=f"1..6, got {patience}"):
        reach(np.ones((2, 6)), 0.5, patience)
