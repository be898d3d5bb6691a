"""Fitting a TDM: the weights of Eq. 8, pre-training, the published preset, and its data."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler
from toolkit.errors import UserError
from toolkit.tsymmetry import TDM, l1_penalty
from toolkit.tsymmetry.learner import TDMLearner

OBS, ACTION, BATCH = 3, 2, 16


@pytest.fixture(scope="module")
def model():
    return TDM(OBS, ACTION, encoder_widths=(16,), dynamics_widths=(16,), key=jr.key(0))


@pytest.fixture(scope="module")
def batch():
    keys = jr.split(jr.key(1), 3)
    return Transitions(
        jr.normal(keys[0], (BATCH, OBS)), jr.uniform(keys[1], (BATCH, ACTION)), jnp.zeros(BATCH),
        jr.normal(keys[2], (BATCH, OBS)), jnp.zeros(BATCH, bool),
    )  # fmt: skip


def loss(learner, model, batch, started):
    return float(learner.loss(model, batch, jnp.float32(started))[0])


def test_the_loss_is_equation_8_with_the_papers_weights(model, batch):
    learner = TDMLearner()
    terms, penalty = learner.terms(model, batch), float(l1_penalty(model))
    expected = (
        terms.reconstruction + terms.decoded_rate
        + 0.1 * (terms.forward + terms.reverse + terms.symmetry) + 1e-5 * penalty
    )  # fmt: skip
    np.testing.assert_allclose(loss(learner, model, batch, 1), expected, rtol=1e-5)
    np.testing.assert_allclose(loss(learner, model, batch, 0), terms.reconstruction, rtol=1e-5)
    enhanced = loss(TDMLearner(enhanced=True), model, batch, 1)
    np.testing.assert_allclose(enhanced, expected + 0.1 * terms.at_next, rtol=1e-5)


def test_the_published_preset_trains_all_but_the_chain_rule_from_the_start(model, batch):
    learner = TDMLearner(variant="published")
    terms, penalty = learner.terms(model, batch), float(l1_penalty(model))
    early = (
        terms.reconstruction + terms.decoded_rate + 0.1 * (terms.symmetry + terms.at_next)
        + 1e-5 * penalty
    )  # fmt: skip
    np.testing.assert_allclose(loss(learner, model, batch, 0), early, rtol=1e-5)
    late = early + 0.1 * (terms.forward + terms.reverse)
    np.testing.assert_allclose(loss(learner, model, batch, 1), late, rtol=1e-5)


def turning(rows=64):
    """A rotation: time-reversible, and reset at the end of each of two episodes."""
    angle = 0.3 * np.arange(rows + 1)
    states = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ends = np.arange(rows) % (rows // 2) == rows // 2 - 1
    return Dataset.from_arrays(
        states[:-1], np.zeros((rows, 1)), np.zeros(rows), states[1:], terminal=ends
    )


def test_updates_begin_with_reconstruction_and_then_learn_a_reversible_motion():
    data = turning()
    learner = TDMLearner(batch_size=32, num_updates=120, learning_rate=1e-3)
    sampler, state = learner.prepare(data), learner.init(data, key=jr.key(0))
    first = jax.tree.leaves(state.model.forward)

    @eqx.filter_jit
    def step(state, key):
        return learner.update(state, learner.sample(sampler, key=key), key=key)

    history = []
    for at in range(120):
        state, metrics = step(state, jr.key(at))
        history.append({name: float(value) for name, value in metrics.items()})
        if at == 11:  # a tenth of the run
            for before, now in zip(first, jax.tree.leaves(state.model.forward), strict=True):
                np.testing.assert_array_equal(before, now)
    assert int(state.update_count) == 120
    after = history[-1]
    assert after["loss/reconstruction"] < 0.05 * history[0]["loss/reconstruction"]
    assert after["loss/decoded_rate"] < 0.1 * history[12]["loss/decoded_rate"]
    assert after["loss/symmetry"] < 0.02


def test_rows_without_their_successor_teach_no_dynamics():
    rows = 10
    terminal = np.arange(rows) == 4
    data = Dataset.from_arrays(
        np.arange(rows)[:, None], np.zeros((rows, 1)), np.zeros(rows), terminal=terminal
    )
    assert set(np.asarray(TDMLearner().prepare(data).rows)) == set(range(9)) - {4}
    assert 4 in np.asarray(TransitionSampler(data).rows)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"pretrain_share": 1.5}, r"`pretrain_share` must lie in 0\.\.1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(option, sentence):
    with pytest.raises(UserError, match=sentence):
        TDMLearner(**option).prepare(turning())
