from __future__ import annotations

import json

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.data import Dataset, Normaliser, split_episodes
from toolkit.errors import UserError


def test_known_values():
    normaliser = Normaliser.fit(np.array([[0.0, 5.0], [2.0, 5.0]]), epsilon=0.5)
    assert normaliser.mean.tolist() == [1.0, 5.0]
    assert normaliser.std.tolist() == [1.5, 0.5]
    assert normaliser.normalise(jnp.array([4.0, 5.0])).tolist() == [2.0, 0.0]


@settings(max_examples=25, deadline=None)
@given(arrays(np.float32, (7, 3), elements=st.floats(-1000, 1000, width=32)))
def test_denormalise_inverts_normalise(rows):
    normaliser = Normaliser.fit(rows)
    back = normaliser.denormalise(normaliser.normalise(jnp.asarray(rows)))
    np.testing.assert_allclose(back, rows, rtol=1e-5, atol=1e-3)


def test_any_leading_axes():
    normaliser = Normaliser.fit(np.arange(12.0).reshape(4, 3))
    obs = jnp.arange(24.0).reshape(2, 4, 3)
    np.testing.assert_allclose(normaliser.normalise(obs)[1, 2], normaliser.normalise(obs[1, 2]))


def test_statistics_come_from_the_training_part_alone():
    obs = np.concatenate([np.zeros((50, 1)), np.full((50, 1), 100.0)])
    data = Dataset.from_arrays(obs, obs, obs[:, 0], timeout=np.arange(100) % 50 == 49)
    train, test = split_episodes(data, 0.5)
    normaliser = Normaliser.fit(train.observations)
    assert float(normaliser.mean[0]) == float(train.observations[0, 0])
    assert abs(float(normaliser.normalise(test.observations)[0, 0])) > 1e4


def test_json_round_trip_is_exact():
    normaliser = Normaliser.fit(np.random.default_rng(0).normal(size=(100, 4)))
    again = Normaliser.from_json(json.loads(json.dumps(normaliser.to_json())))
    np.testing.assert_array_equal(again.mean, normaliser.mean)
    np.testing.assert_array_equal(again.std, normaliser.std)


def test_identity_changes_nothing():
    obs = jnp.array([3.0, -1.0])
    assert Normaliser.identity(2).normalise(obs).tolist() == obs.tolist()


@pytest.mark.parametrize("rows", [np.zeros(3), np.zeros((0, 3))])
def test_wrong_shape_is_refused(rows):
    with pytest.raises(UserError, match=r"`observations` must be a non-empty \(rows, obs\) array"):
        Normaliser.fit(rows)
