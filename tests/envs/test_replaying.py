"""The simulator as a predictor: recorded states come back, and a wrong start does not."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

from toolkit.data import WindowSampler, load
from toolkit.envs import replay
from toolkit.errors import UserError


def test_recorded_windows_are_repeated():
    sampler = WindowSampler(load("toolkit/hopper-medium"), 20)
    obs = np.asarray(sampler.dataset.observations)
    inside = np.abs(obs).max(axis=1) < 9.9  # no velocity clipped, so the state is all there
    starts = [row for row in np.asarray(sampler.starts)[::97] if inside[row]][:8]
    window = sampler.gather(jnp.asarray(starts))
    start, actions = np.asarray(window.obs[0]), np.asarray(window.action)
    states = replay("hopper", start, actions, threads=1)
    assert states.shape == (8, 21, 11)
    np.testing.assert_allclose(states, np.swapaxes(window.obs, 0, 1), atol=1e-4)
    moved = replay("hopper", start + 0.05, actions, threads=1)
    assert np.abs(moved - states)[:, -1].max() > 0.05


@pytest.mark.parametrize(
    ("obs", "actions", "words"),
    [
        ((2, 10), (5, 2, 3), "must be"),
        ((2, 11), (5, 2, 6), "must be"),
        ((2, 11), (5, 3, 3), "of 2 windows, got 3"),
    ],
)
def test_what_does_not_fit_is_refused(obs, actions, words):
    with pytest.raises(UserError, match=words):
        replay("hopper", np.zeros(obs), np.zeros(actions), threads=1)
