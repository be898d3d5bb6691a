"""Spectral TSRL: its shifts, its filter, its constraints, and what it refuses."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.agents.float64 import (
    ACTION,
    OBS,
    as_float64,
    assert_descended,
    policy,
    q_values,
    random_batch,
    random_dataset,
)
from toolkit.agents.spectral_tsrl import SpectralFilter, SpectralTSRL, core_statistics
from toolkit.data import Transitions
from toolkit.data.dataset import Source
from toolkit.errors import UserError
from toolkit.symmetry import SpectralCore

CORE = SpectralCore(OBS, ACTION, modes=2, hidden=4, action_hidden=3, key=jr.key(0))
SIZES = {
    "hidden": 4, "layers": 1, "batch_size": 6, "dropout": 0.0, "quantile": 0.7, "modes": 2,
    "core_hidden": 4,
}  # fmt: skip


class Descending(SpectralTSRL):
    """Plain gradient descent of rate 1, so that a step is the gradient."""

    def _adam(self):
        return optax.sgd(1.0)


def built(kind=SpectralTSRL, **options):
    agent, data = kind(**(SIZES | options)), random_dataset()
    return agent, agent.build_on(agent.init(data, key=jr.key(1)), CORE, data)


def latent_batch():
    batch = random_batch()
    encode = jax.vmap(CORE.encode)
    return Transitions(
        encode(batch.obs), batch.action, batch.reward, encode(batch.next_obs), batch.terminal
    )


def trips(latent, action):
    return np.asarray(jax.vmap(CORE.round_trip)(latent, action))


def test_the_statistics_are_those_of_the_data():
    data = random_dataset()
    spread, threshold = core_statistics(CORE, data, quantile=0.6)
    actions = jnp.asarray(data.actions)
    control = np.asarray(jax.vmap(CORE.control)(actions), np.float64)
    expected = np.mean(np.sum((control - control.mean(0)) ** 2, axis=1))
    assert float(spread) == pytest.approx(expected, rel=1e-4)
    latent = jax.vmap(CORE.encode)(jnp.asarray(data.observations))
    expected = np.quantile(trips(latent, actions), 0.6)
    assert float(threshold) == pytest.approx(expected, rel=1e-3)


def test_a_shifted_sample_is_what_the_core_would_do():
    """Of pairs that follow the core, the shifted ones do too."""
    start = latent_batch()
    after = jax.vmap(CORE.step)(start.obs, start.action)
    pairs = dataclasses.replace(start, next_obs=after)
    made, _ = SpectralFilter(CORE, jnp.asarray(1.0), 0.3)(pairs, key=jr.key(2))
    np.testing.assert_allclose(
        made.next_obs, jax.vmap(CORE.step)(made.obs, made.action), rtol=1e-3, atol=1e-4
    )
    assert np.abs(made.obs - start.obs).max() > 0.01


def test_a_sample_is_kept_where_its_round_trip_is_within_the_threshold():
    batch = latent_batch()
    made, _ = SpectralFilter(CORE, jnp.asarray(0.0), 0.3)(batch, key=jr.key(2))
    each = trips(made.obs, made.action)
    middle = jnp.asarray(np.median(each), jnp.float32)
    _, kept = SpectralFilter(CORE, middle, 0.3)(batch, key=jr.key(2))
    np.testing.assert_array_equal(kept, each <= np.median(each))
    assert 0 < kept.sum() < len(kept)


def test_the_actor_descends_its_loss():
    """−α·mean Q/mean|Q| + λ₁·mean |c(π) − c(a)|²/spread + λ₂·mean round trip/threshold."""
    agent, state = built(Descending, augment=False, policy_every=1, symmetry_weight=0.3)
    batch = random_batch()
    after, metrics = agent.update(state, batch, key=jr.key(3))
    latent = np.asarray(jax.vmap(CORE.encode)(batch.obs), np.float64)
    recorded = np.asarray(jax.vmap(CORE.control)(batch.action), np.float64)

    def parts(actor):
        action = policy(actor, batch.obs)
        values = q_values(after.critic, latent, action).min(axis=0)
        single = jnp.asarray(action, jnp.float32)
        control = np.asarray(jax.vmap(CORE.control)(single), np.float64)
        distance = np.mean(np.sum((control - recorded) ** 2, axis=1)) / float(state.spread)
        trip = trips(jnp.asarray(latent, jnp.float32), single).mean() / float(state.threshold)
        return values, distance, trip

    values, distance, trip = parts(state.actor)
    assert float(metrics["loss/latent_action"]) == pytest.approx(distance, rel=1e-3)
    assert float(metrics["loss/symmetry"]) == pytest.approx(trip, rel=1e-3)
    size = np.abs(values).mean()
    expected = -2.5 * values.mean() / size + 10 * distance + 0.3 * trip
    assert float(metrics["loss/actor"]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_the_critic_descends_the_error_of_recorded_and_kept_samples():
    agent, state = built(Descending, policy_noise=0.0, discount=0.9)
    state = dataclasses.replace(state, threshold=jnp.asarray(1e9))
    batch, key = random_batch(), jr.key(3)
    after, metrics = agent.update(state, batch, key=key)
    assert float(metrics["accepted"]) == 1.0
    latent = latent_batch()
    made, _ = agent.augmentation(state)(latent, key=jr.split(key, 3)[1])
    obs = np.concatenate([latent.obs, made.obs])
    next_obs = np.concatenate([latent.next_obs, made.next_obs])
    action = np.concatenate([batch.action] * 2)
    proposed = np.concatenate([policy(state.target_actor, batch.next_obs)] * 2)
    value = q_values(state.target_critic, next_obs, proposed).min(axis=0)
    ends = np.concatenate([batch.terminal] * 2)
    y = np.concatenate([batch.reward] * 2) + 0.9 * np.where(ends, 0, value)

    def loss(critic):
        return np.sum(np.mean((q_values(critic, obs, action) - y[None]) ** 2, axis=1))

    assert float(metrics["loss/critic"]) == pytest.approx(loss(as_float64(state.critic)), rel=1e-3)
    assert_descended(state.critic, after.critic, loss)


def test_rejected_samples_do_not_count():
    agent, state = built(Descending)
    nothing = dataclasses.replace(state, threshold=jnp.asarray(-1.0))
    plain = dataclasses.replace(agent, augment=False)
    batch = random_batch()
    after, metrics = agent.update(nothing, batch, key=jr.key(3))
    expected, _ = plain.update(nothing, batch, key=jr.key(3))
    assert float(metrics["accepted"]) == 0.0
    for a, b in zip(*(jax.tree.leaves(eqx.filter(s.critic, eqx.is_array))
                      for s in (after, expected)), strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("env", "tau"), [("Walker2d-v4", 0.5), ("Hopper-v4", 0.7)])
def test_the_quantile_is_the_paper_s_for_the_robot(env, tau):
    data = random_dataset(source=Source("d", env=env))
    assert SpectralTSRL().fitted_to(data).quantile == tau
    assert SpectralTSRL(quantile=0.2).fitted_to(data).quantile == 0.2


def test_only_a_diagonal_core_will_do():
    with pytest.raises(UserError, match="no diagonal spectrum; `toolkit train spectral-core`"):
        SpectralTSRL().check_foundation("runs/t trained tdm", frozenset({"encoder", "forward"}))
    agent = SpectralTSRL().fitted_to_model({"modes": 5, "hidden": 7})
    assert (agent.modes, agent.core_hidden) == (5, 7)
    assert agent.foundation().modes == 5


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"quantile": 1.5}, "`quantile` must lie in 0..1, got 1.5."),
        ({"dropout": 1.0}, "`dropout` must lie in 0..1, below 1, got 1.0."),
        ({"action_weight": -1.0}, "`action_weight` must not be negative, got -1.0."),
    ],
)
def test_a_setting_out_of_range_is_one_sentence(options, sentence):
    with pytest.raises(UserError) as error:
        SpectralTSRL(**(SIZES | options)).prepare(random_dataset())
    assert str(error.value) == sentence
