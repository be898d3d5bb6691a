"""Augmentations: what they change, what they leave, and what replaces what."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from tests.agents.float64 import assert_same, random_batch
from toolkit.agents.augmentation import (
    AbstractAugmentation,
    NoAugmentation,
    StateNoise,
    state_noise,
)
from toolkit.data import Transitions


class Doubled(AbstractAugmentation):
    """Twice the numbers of every row, the first and the last of them accepted."""

    def __call__(self, batch, *, key):
        made = Transitions(
            2 * batch.obs, 2 * batch.action, 2 * batch.reward, 2 * batch.next_obs, ~batch.terminal
        )
        at = jnp.arange(len(batch.reward))
        return made, (at == 0) | (at == len(batch.reward) - 1)


def test_only_accepted_rows_are_replaced_and_whole():
    batch = random_batch()
    found = Doubled().replacing(batch, key=jr.key(0))
    for name in ("obs", "action", "reward", "next_obs"):
        old, new = np.asarray(getattr(batch, name)), np.asarray(getattr(found, name))
        np.testing.assert_array_equal(new[[0, -1]], 2 * old[[0, -1]])
        np.testing.assert_array_equal(new[1:-1], old[1:-1])
    expected = np.asarray(batch.terminal).copy()
    expected[[0, -1]] ^= True
    np.testing.assert_array_equal(found.terminal, expected)


def test_no_augmentation_is_the_batch():
    batch = random_batch()
    made, accepted = NoAugmentation()(batch, key=jr.key(0))
    assert_same(made, batch)
    assert accepted.all()
    assert_same(NoAugmentation().replacing(batch, key=jr.key(0)), batch)


def test_state_noise_is_independent_normal_noise_on_both_states():
    batch = random_batch(rows=20_000)
    made, accepted = StateNoise(0.25)(batch, key=jr.key(0))
    assert accepted.all()
    here = np.asarray(made.obs - batch.obs, np.float64)
    after = np.asarray(made.next_obs - batch.next_obs, np.float64)
    for noise in (here, after):
        np.testing.assert_allclose(noise.mean(0), 0, atol=0.01)
        np.testing.assert_allclose(np.cov(noise.T), 0.25**2 * np.eye(3), atol=0.003)
        assert abs(np.mean(np.abs(noise) < 0.25) - 0.6827) < 0.01  # normal, not uniform
    correlation = np.corrcoef(here.T, after.T)[:3, 3:]
    assert np.abs(correlation).max() < 0.03


def test_state_noise_leaves_actions_rewards_and_terminals():
    batch = random_batch()
    made, _ = StateNoise(1.0)(batch, key=jr.key(0))
    for name in ("action", "reward", "terminal"):
        np.testing.assert_array_equal(getattr(made, name), getattr(batch, name))


def test_state_noise_is_drawn_anew_with_each_key():
    batch = random_batch()
    first, again, other = (StateNoise(1.0)(batch, key=jr.key(at))[0].obs for at in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).min() > 0


def test_no_scale_is_no_augmentation():
    assert isinstance(state_noise(0.0), NoAugmentation)
    assert state_noise(0.5) == StateNoise(0.5)
