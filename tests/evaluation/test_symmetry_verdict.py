"""Shifted transitions in the simulator: what the verdict says of known augmentations."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

pytest.importorskip("mujoco")

from toolkit.agents.augmentation import (
    AbstractAugmentation,
    CommonNoise,
    NoAugmentation,
    StateNoise,
)
from toolkit.data import Normaliser, Transitions, load
from toolkit.data.samplers import transitions_at
from toolkit.evaluation.augmented import true_next_obs, whole_states
from toolkit.evaluation.prediction import normalised
from toolkit.evaluation.symmetry import judge, model_error, verdict_row
from toolkit.symmetry import SpectralCore


@pytest.fixture(scope="module")
def hopper():
    """Recorded transitions of a hopper whose observations are whole states, and their units."""
    data = load("toolkit/hopper-medium")
    normaliser = Normaliser.fit(data.observations)
    rows = jnp.asarray(np.flatnonzero(data.valid_next)[:200], jnp.int32)
    batch = transitions_at(normalised(data, normaliser), rows)
    whole = np.flatnonzero(whole_states("hopper", normaliser, batch))[:60]
    return Transitions(*(leaf[whole] for leaf in vars(batch).values())), normaliser


class Perfect(AbstractAugmentation):
    """The same noise on every state, and for the next one whatever the simulator says."""

    scale: float
    true: object

    def __call__(self, batch, *, key):
        return self.true, jnp.ones(len(batch.reward), bool)


def verdict(augmentation, hopper, **options):
    batch, normaliser = hopper
    return judge(augmentation, batch, "hopper", normaliser, key=jr.key(0), **options)


def test_recorded_transitions_are_transitions(hopper):
    found = verdict(NoAugmentation(), hopper)
    assert found.displacement == 0
    assert found.error < 1e-3 and found.low <= found.error <= found.high
    assert np.isnan(found.predicted_error)
    assert verdict_row(found)["predicted_error"] is None


def test_a_perfect_augmentation_has_no_error_and_wins_everywhere(hopper):
    batch, normaliser = hopper
    moved = np.asarray(batch.obs) + 0.05 * np.random.default_rng(0).normal(size=batch.obs.shape)
    start = Transitions(
        jnp.asarray(moved, jnp.float32), batch.action, batch.reward, batch.next_obs, batch.terminal
    )
    truth = jnp.asarray(true_next_obs("hopper", normaliser, start), jnp.float32)
    true = Transitions(start.obs, batch.action, batch.reward, truth, batch.terminal)
    found = verdict(Perfect(0.05, true), hopper)
    assert found.error < 1e-5 and found.wins == 1
    assert found.translated_error > 0.005
    assert found.displacement == pytest.approx(0.05, rel=0.15)


def test_common_noise_is_the_translation_itself(hopper):
    found = verdict(CommonNoise(0.05), hopper)
    assert found.error == pytest.approx(found.translated_error, rel=1e-3)
    independent = verdict(StateNoise(0.05), hopper)
    assert independent.error > found.error  # its next state is somewhere else altogether


def test_the_model_s_own_errors(hopper):
    batch, _ = hopper
    core = SpectralCore(batch.obs.shape[1], batch.action.shape[1], modes=2, hidden=4, key=jr.key(0))
    expected = np.mean([
        np.sqrt(np.mean((np.asarray(core.predict(s, a)) - np.asarray(s2)) ** 2))
        for s, a, s2 in zip(batch.obs, batch.action, batch.next_obs, strict=True)
    ])  # fmt: skip
    assert model_error(core, batch) == pytest.approx(expected, rel=1e-3)
    found = verdict(NoAugmentation(), hopper, model=core)
    assert found.predicted_error == pytest.approx(expected, rel=0.02)
