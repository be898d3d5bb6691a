"""The dynamics ensemble: its equations in float64, its elites, its stop, and a known system."""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.helpers import unchecked
from toolkit.agents.ensemble import (
    EnsembleLearner,
    GaussianStep,
    member_loss,
    observed,
    outcomes,
)
from toolkit.data import Dataset, Normaliser
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.evaluation.representation_scores import measure, warnings_of
from toolkit.training import init_states, train

OBS, ACTION, BATCH = 3, 2, 6


def transitions(rows, seed=1):
    keys = jr.split(jr.key(seed), 4)
    return Transitions(
        jr.normal(keys[0], (rows, OBS)), jr.uniform(keys[1], (rows, ACTION)),
        jr.normal(keys[2], (rows,)), jr.normal(keys[3], (rows, OBS)), jnp.zeros(rows, bool),
    )  # fmt: skip


@pytest.fixture(scope="module")
def member():
    actions = Normaliser(jnp.array([0.2, -0.5]), jnp.array([0.5, 2.0]))
    made = GaussianStep(OBS, actions, 5, key=jr.key(0))
    bounds = (jnp.linspace(-3.0, -2.0, OBS + 1), jnp.linspace(-1.0, 0.5, OBS + 1))
    return eqx.tree_at(lambda m: (m.lowest, m.highest), made, bounds)


def softplus(x):
    return np.logaddexp(0.0, x)


def in_float64(member, obs, action):
    """Mean and log-variance, from the equations."""
    scaled = (np.asarray(action, float) - [0.2, -0.5]) / [0.5, 2.0]
    x = np.concatenate([np.asarray(obs, float), scaled], axis=1)
    for number, layer in enumerate(member.net.layers):
        x = x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
        if number < 4:
            x = x / (1 + np.exp(-x))
    mean, free = x[:, : OBS + 1], x[:, OBS + 1 :]
    low, high = np.asarray(member.lowest, float), np.asarray(member.highest, float)
    log_var = high - softplus(high - free)
    return mean, low + softplus(log_var - low)


def test_a_step_has_four_hidden_swish_layers_and_softly_bounded_variances(member):
    batch = transitions(BATCH)
    found = eqx.filter_jit(eqx.filter_vmap(member))(batch.obs, batch.action)
    expected = in_float64(member, batch.obs, batch.action)
    assert [layer.weight.shape for layer in member.net.layers] == [
        (5, 5), (5, 5), (5, 5), (5, 5), (5, 8)
    ]  # fmt: skip
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("free", "bound"), [(-60.0, "lowest"), (60.0, "highest")])
def test_no_log_variance_leaves_its_bounds(member, free, bound):
    last = member.net.layers[-1]
    pushed = eqx.tree_at(
        lambda m: m.net.layers[-1].bias, member, jnp.where(jnp.arange(8) < 4, last.bias, free)
    )
    _, log_var = pushed(jnp.zeros(OBS), jnp.zeros(ACTION))
    low, high = np.asarray(member.lowest, float), np.asarray(member.highest, float)
    expected = {"lowest": low, "highest": low + softplus(high - low)}[bound]
    np.testing.assert_allclose(log_var, expected, atol=1e-5)


def test_the_loss_of_a_member(member):
    batch = transitions(BATCH)
    found, terms = eqx.filter_jit(member_loss)(member, batch, 0.01)
    mean, log_var = in_float64(member, batch.obs, batch.action)
    truth = np.concatenate([batch.next_obs - batch.obs, batch.reward[:, None]], axis=1)
    squared = (mean - truth.astype(float)) ** 2
    likelihood = (squared / np.exp(log_var)).mean() + log_var.mean()
    bounds = 0.01 * (np.asarray(member.highest, float) - np.asarray(member.lowest, float)).sum()
    decay = sum(
        0.5 * rate * (np.asarray(layer.weight, float) ** 2).sum()
        for rate, layer in zip([2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4], member.net.layers, strict=True)
    )
    assert float(terms["loss/likelihood"]) == pytest.approx(likelihood, rel=1e-5)
    assert float(terms["loss/error"]) == pytest.approx(squared.mean(), rel=1e-5)
    assert float(found) == pytest.approx(likelihood + bounds + decay, rel=1e-5)
    assert float(member.decay()) == pytest.approx(decay, rel=1e-5)


def test_bounds_are_learned_and_the_actions_scale_is_not(member):
    slopes = eqx.filter_grad(lambda m: member_loss(m, transitions(BATCH), 0.01)[0])(member)
    assert float(jnp.abs(slopes.lowest).min()) > 0 and float(jnp.abs(slopes.highest).min()) > 0
    np.testing.assert_array_equal(slopes.actions.mean, 0)
    np.testing.assert_array_equal(slopes.actions.std, 0)


SMALL = EnsembleLearner(
    num_members=3, num_elites=2, hidden=5, batch_size=4, num_updates=12, check_every=2
)


def dataset(rows=64):
    """Two episodes of noise."""
    drawn = np.random.default_rng(0)
    ends = np.arange(rows) % (rows // 2) == rows // 2 - 1
    return Dataset.from_arrays(
        drawn.normal(size=(rows, OBS)), drawn.uniform(-1, 1, (rows, ACTION)),
        drawn.normal(size=rows), drawn.normal(size=(rows, OBS)), timeout=ends,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ensemble():
    return SMALL.network(dataset(), key=jr.key(3))


def one(members, at):
    return jax.tree.map(lambda x: x[at] if eqx.is_array(x) else x, members)


def test_every_member_learns_from_a_batch_of_its_own(ensemble):
    sampler = SMALL.prepare(dataset())
    drawn, validation = SMALL.sample(sampler, key=jr.key(0))
    assert drawn.obs.shape == (12, OBS) and validation is not None
    found, terms = eqx.filter_jit(SMALL.loss)(ensemble, drawn, jnp.ones(()))
    each = [
        member_loss(
            one(ensemble.members, at),
            jax.tree.map(lambda x, at=at: x[4 * at : 4 * at + 4], drawn),
            0.01,
        )[0]
        for at in range(3)
    ]
    assert float(found) == pytest.approx(sum(map(float, each)), rel=1e-5)
    assert float(terms["loss/total"]) == pytest.approx(float(found) / 3, rel=1e-5)
    assert len({round(float(value), 4) for value in each}) == 3


def test_a_held_out_error_is_the_squared_error_of_a_members_mean(ensemble):
    rows = transitions(7)
    found = eqx.filter_jit(SMALL.held_out_error)(ensemble, rows)
    for at in range(3):
        mean, _ = jax.vmap(one(ensemble.members, at))(rows.obs, rows.action)
        expected = np.square(np.asarray(mean, float) - np.asarray(observed(rows), float)).mean()
        assert float(found[at]) == pytest.approx(expected, rel=1e-5)


def test_elites_are_the_first_members_in_order(ensemble):
    ordered = replace(ensemble, order=jnp.array([2, 0, 1], jnp.int32))
    rows = transitions(4)
    mean, log_var = outcomes(ordered.elites(), rows.obs, rows.action)
    assert mean.shape == log_var.shape == (2, 4, OBS + 1)
    for place, at in enumerate([2, 0]):
        expected = jax.vmap(one(ensemble.members, at))(rows.obs, rows.action)[0]
        np.testing.assert_allclose(mean[place], expected, rtol=1e-5, atol=1e-6)


class Scripted(EnsembleLearner):
    """Held-out errors follow a script of checks; each member counts its own updates."""

    script: tuple[tuple[float, ...], ...] = ()

    def network(self, dataset, *, key):
        made = super().network(dataset, key=key)
        zeros = jax.tree.map(
            lambda x: jnp.zeros_like(x) if eqx.is_inexact_array(x) else x, made.members
        )
        return replace(made, members=zeros)

    def loss(self, model, batch, started):
        total = -jnp.sum(model.members.lowest[:, 0])
        return total, {"loss/total": total}

    def held_out_error(self, model, validation):
        at = (model.members.lowest[0, 0] / 2).astype(jnp.int32) - 1
        return jnp.asarray(self.script)[at]

    def _adam(self):
        return optax.sgd(1.0)


def scripted(*script):
    """The state at the end, checked at 2, 4, 6 … updates, and the updates that members saw."""
    data = dataset()
    learner = Scripted(
        num_members=3, num_elites=2, hidden=5, batch_size=4, num_updates=2 * len(script),
        check_every=2, patience=2, script=script,
    )  # fmt: skip
    sampler, state = learner.prepare(data), learner.init(data, key=jr.key(0))
    step = eqx.filter_jit(
        lambda state, key: learner.update(state, learner.sample(sampler, key=key), key=key)[0]
    )
    for at in range(learner.num_updates):
        state = step(state, jr.key(at))
    return state, np.asarray(state.model.members.lowest[:, 0])


def test_each_member_is_kept_at_its_own_best_and_the_elites_follow():
    state, _ = scripted((5.0, 3.0, 4.0), (2.0, 3.5, 4.0), (2.5, 1.0, 4.5))
    np.testing.assert_array_equal(state.best_loss, [2.0, 1.0, 4.0])
    np.testing.assert_array_equal(state.best.members.lowest[:, 0], [4.0, 6.0, 2.0])
    np.testing.assert_array_equal(state.best.order, [1, 0, 2])
    np.testing.assert_array_equal(state.best.elites().lowest[:, 0], [6.0, 4.0])
    assert float(state.validation_loss) == pytest.approx((2.5 + 1.0 + 4.5) / 3)


def test_less_than_one_percent_is_no_gain_and_two_checks_without_any_end_it():
    # the second check gains 0.9 % and 0.5 %, the third nothing; a later wonder comes too late
    state, seen = scripted((1.0, 2.0, 3.0), (0.991, 1.99, 3.0), (1.0, 2.0, 3.0), (0.1, 0.1, 0.1))
    np.testing.assert_array_equal(state.best_loss, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(seen, 6.0)
    assert int(state.update_count) == 8


def test_the_gain_of_one_member_goes_on():
    state, seen = scripted((1.0, 2.0, 3.0), (1.0, 2.0, 2.96), (1.0, 2.0, 2.96), (1.0, 1.0, 3.0))
    np.testing.assert_array_equal(state.best_loss, np.float32([1.0, 1.0, 2.96]))
    np.testing.assert_array_equal(seen, 8.0)


def test_a_check_comes_with_every_pass_over_the_data_and_not_too_often():
    learner = EnsembleLearner(batch_size=4)
    assert learner.fitted_to(dataset(64)).check_every == 100
    assert learner.fitted_to(dataset(1002)).check_every == 251
    assert replace(learner, check_every=7).fitted_to(dataset(64)).check_every == 7


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"num_elites": 4}, r"`num_elites` must be at most `num_members` \(3\), got 4"),
        ({"check_every": None}, r"`check_every` is left to the data; `fitted_to\(dataset\)`"),
        ({"check_every": 0}, "`check_every` must be at least 1, got 0"),
        ({"validation_share": 1.0}, r"`validation_share` must lie in 0\.\.1, below 1, got 1.0"),
    ],
)
def test_settings_out_of_range_are_refused(option, sentence):
    with pytest.raises(UserError, match=sentence):
        replace(SMALL, **option).prepare(dataset())


A = np.array([[0.9, 0.2], [-0.3, 0.8]])
B = np.array([[0.5], [-1.0]])
STD = np.array([0.1, 0.3, 0.5])  # of both state coordinates and the reward


def linear_gaussian(rows):
    """s′ = A·s + B·a + noise, r = s₁ − a + noise, from states all over the plane."""
    drawn = np.random.default_rng(0)
    states, actions = drawn.normal(size=(rows, 2)), drawn.uniform(-1, 1, (rows, 1))
    noise = STD * drawn.normal(size=(rows, 3))
    ends = np.arange(rows) % 100 == 99
    return Dataset.from_arrays(
        states, actions, states[:, 0] - actions[:, 0] + noise[:, 2],
        states @ A.T + actions @ B.T + noise[:, :2], timeout=ends,
    )  # fmt: skip


@pytest.fixture(scope="module")
def linear():
    data = linear_gaussian(6000)
    learner = EnsembleLearner(
        num_members=3, num_elites=2, hidden=24, batch_size=128, learning_rate=3e-3,
        num_updates=900, check_every=50,
    )  # fmt: skip
    state = init_states(learner, data, (0,))
    *_, (state, metrics) = train(
        learner, state, learner.prepare(data), seeds=(0,), num_updates=900, chunk_updates=300
    )
    return state, metrics


def test_the_ensemble_learns_a_linear_gaussian_systems_means_and_variances(linear):
    state, _ = linear
    best = one(state.best, 0)
    drawn = np.random.default_rng(1)
    obs, action = drawn.uniform(-1, 1, (200, 2)), drawn.uniform(-0.8, 0.8, (200, 1))
    mean, log_var = eqx.filter_jit(outcomes)(
        best.elites(), jnp.asarray(obs, jnp.float32), jnp.asarray(action, jnp.float32)
    )
    truth = np.column_stack([obs @ (A - np.eye(2)).T + action @ B.T, obs[:, 0] - action[:, 0]])
    error = np.sqrt(np.square(np.asarray(mean) - truth).mean((0, 1)))
    assert (error < 0.35 * STD).all(), error
    found = np.exp(0.5 * np.asarray(log_var)).mean((0, 1))
    np.testing.assert_allclose(found, STD, rtol=0.15)


def said_of(measured):
    with unchecked():
        return warnings_of({name: {"per_seed": [x]} for name, x in measured.items()}, None)


def test_what_is_said_of_a_fitted_ensemble(linear):
    state, metrics = linear
    assert metrics["loss/held_out"].shape == (300, 1)
    fresh = linear_gaussian(2000)
    rows = Transitions(
        fresh.observations, fresh.actions, fresh.rewards, fresh.next_observations, fresh.terminal
    )
    best = one(state.best, 0)
    found = measure(best, rows, EnsembleLearner())
    assert found["squared_error_per_variance"] == pytest.approx(1.0, abs=0.25)
    change = np.asarray(fresh.next_observations - fresh.observations)
    noise_share = np.square(STD[:2]).mean() / np.square(change).mean()
    assert found["state_error_share"] == pytest.approx(noise_share, rel=0.15)
    reward_noise = STD[2] ** 2 / np.asarray(fresh.rewards).var()
    assert found["reward_error_share"] == pytest.approx(reward_noise, rel=0.15)
    assert found["stated_std"] == pytest.approx(STD[:2].mean(), rel=0.2)
    assert found["disagreement"] < 0.1

    assert said_of(found) == []
    sure = eqx.tree_at(
        lambda e: (e.members.lowest, e.members.highest), best, replace_fn=lambda x: x * 0 - 8.0
    )
    surer = measure(sure, rows, EnsembleLearner())
    assert surer["squared_error_per_variance"] > 4
    assert "times the stated variances" in said_of(surer)[0]
