"""Fitting a TDM: the weights of Eq. 8, pre-training, the published preset, and its data."""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
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


def test_a_width_keeps_the_proportions_of_table_3():
    sizes = lambda mlp: [layer.weight.shape[1] for layer in mlp.layers]
    small = TDMLearner(width=32).network(turning(), key=jr.key(0))
    assert sizes(small.encoder) == [32, 16, 8, 3]
    assert sizes(small.state_decoder) == [8, 16, 32, 2]
    assert sizes(small.forward) == sizes(small.reverse) == [32, 32, 32, 2]
    whole = TDMLearner().network(turning(), key=jr.key(0))
    assert sizes(whole.encoder) == [512, 256, 128, 3]
    with pytest.raises(UserError, match="`width` must be at least 4, got 3"):
        TDMLearner(width=3).network(turning(), key=jr.key(0))


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
    learner = TDMLearner(batch_size=4, validation_share=0.0)
    assert set(np.asarray(learner.prepare(data).train.rows)) == set(range(9)) - {4}
    assert 4 in np.asarray(TransitionSampler(data).rows)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"batch_size": 0}, "`batch_size` must be at least 1, got 0"),
        ({"validation_share": 1.0}, r"`validation_share` must lie in 0\.\.1, below 1, got 1.0"),
        ({"batch_size": 100}, "`batch_size` is 100, but 'arrays' has only 32 transitions"),
        ({"pretrain_share": 1.5}, r"`pretrain_share` must lie in 0\.\.1, below 1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(option, sentence):
    with pytest.raises(UserError, match=sentence):
        TDMLearner(**option).prepare(turning())


def test_one_episode_cannot_be_held_out():
    rows = np.zeros((64, 2))
    single = Dataset.from_arrays(rows, np.zeros((64, 1)), np.zeros(64))
    learner = TDMLearner(batch_size=32)
    with pytest.raises(UserError, match="'arrays' has a single episode, so none can be held out"):
        learner.prepare(single)
    assert replace(learner, validation_share=0.0).prepare(single).validation is None


def test_held_out_rows_are_of_other_episodes():
    sampler = TDMLearner(batch_size=32).prepare(turning())
    seen = {tuple(row) for row in np.asarray(sampler.train.dataset.observations).round(4)}
    assert sampler.validation is not None
    held_out = {tuple(row) for row in np.asarray(sampler.validation.obs).round(4)}
    assert len(held_out) == 32 and not seen & held_out


class Scripted(TDMLearner):
    """Its held-out loss follows a script of checks; its model counts its own updates."""

    script: tuple[float, ...] = ()

    def network(self, dataset, *, key):
        return jax.tree.map(
            lambda x: jnp.zeros_like(x) if eqx.is_array(x) else x, super().network(dataset, key=key)
        )

    def loss(self, model, batch, started):
        number = model.encoder.layers[0].bias[0]
        if len(batch.reward) != self.batch_size:  # a check
            at = jnp.clip((number / 2).astype(jnp.int32) - 1, 0, len(self.script) - 1)
            return jnp.asarray(self.script)[at], {"loss/total": number}
        return -number, {"loss/total": number}

    def _adam(self):
        return optax.sgd(1.0)


def scripted(script, patience=2):
    """The states after every update, checked at 2, 4, 6 … updates."""
    data = turning()
    learner = Scripted(
        batch_size=16, num_updates=2 * len(script), pretrain_share=1e-3, check_every=2,
        patience=patience, script=tuple(script),
    )  # fmt: skip
    sampler, state = learner.prepare(data), learner.init(data, key=jr.key(0))
    states = []
    for at in range(learner.num_updates):
        key = jr.key(at)
        state, _ = learner.update(state, learner.sample(sampler, key=key), key=key)
        states.append(state)
    return states


def count(model):
    return float(model.encoder.layers[0].bias[0])


def test_the_best_model_on_held_out_episodes_is_kept():
    last = scripted([3.0, 1.0, 2.0, 1.5], patience=0)[-1]
    assert (count(last.model), count(last.best), float(last.best_loss)) == (8.0, 4.0, 1.0)


def test_training_stops_after_checks_without_a_better_model():
    states = scripted([3.0, 1.0, 2.0, 2.5, 0.5, 0.1])
    assert [count(s.model) for s in states] == [1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8]
    assert count(states[-1].best) == 4.0
    assert int(states[-1].update_count) == 12  # a stopped run still ends where it said
    # what is told of a stopped run is what it last did, and never a loss of 0
    assert [float(s.metrics["loss/total"]) for s in states[6:]] == [6, 7, 7, 7, 7, 7]


def test_without_patience_training_goes_to_the_end():
    states = scripted([1.0, 2.0, 3.0, 4.0], patience=0)
    assert count(states[-1].model) == 8.0
