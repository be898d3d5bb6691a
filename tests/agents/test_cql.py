"""CQL against NumPy in float64: the conservative term, the soft target, and each step."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.agents.float64 import (
    ACTION,
    BATCH,
    OBS,
    as_float64,
    assert_descended,
    assert_polyak,
    assert_same,
    forward,
    numbers,
    q_values,
    random_batch,
    random_dataset,
)
from toolkit.agents.cql import CQL, conservative_gap, draw, propose

SIZES = {"hidden": 4, "layers": 2, "batch_size": BATCH, "num_actions": 3}


class Descending(CQL):
    """With plain gradient descent, so that a step is the gradient itself."""

    def _adams(self):
        return optax.sgd(1.0), optax.sgd(1.0)


def started(agent):
    """A state whose target differs from its critics."""
    data = random_dataset()
    state, other = (agent.init(data, key=jr.key(seed)) for seed in (0, 1))
    return eqx.tree_at(lambda s: s.target, state, other.critic)


def squashed(actor, obs):
    """Mean and log standard deviation before the tanh."""
    mean, log_std = np.split(forward(actor.net, np.asarray(obs, np.float64)), 2, axis=1)
    return mean, np.clip(log_std, -20, 2)


def log_density_of(actor, obs, action):
    """log π(a|s) of a tanh-normal: the normal's at artanh(a), less the log of the slope."""
    mean, log_std = squashed(actor, obs)
    u = np.arctanh(action)
    normal = -0.5 * ((u - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
    return np.sum(normal - np.log1p(-(action**2)), axis=1)


def noise_of(actor, obs, key):
    """The normal numbers behind the actions that are drawn with this key."""
    action, _ = jax.jit(draw)(actor, obs, key=key)
    mean, log_std = squashed(actor, obs)
    return (np.arctanh(np.asarray(action, np.float64)) - mean) / np.exp(log_std)


def expected_gap(critic, obs, action, actions, log_densities):
    """Σ_j mean_s ( log Σ_u exp(Q_j(s, u) − log p(u)) − Q_j(s, a) ), written out row by row."""
    total = 0.0
    recorded = q_values(critic, obs, action)
    for j in range(2):
        for row in range(len(obs)):
            states = np.repeat(obs[row : row + 1], len(actions), axis=0)
            q = q_values(critic, states, actions[:, row])[j]
            total += np.log(np.sum(np.exp(q - log_densities[:, row]))) - recorded[j, row]
    return total / len(obs)


@pytest.fixture(scope="module")
def run():
    """An update, and what it drew."""
    agent = Descending(
        **SIZES, conservative_weight=0.7, discount=0.9, initial_temperature=0.3, target_rate=0.25
    )
    state, batch, key = started(agent), random_batch(), jr.key(3)
    after, metrics = eqx.filter_jit(agent.update)(state, batch, key=key)
    _, target_key, sample_key, actor_key = jr.split(key, 4)
    drawn = {
        "next": draw(state.actor, batch.next_obs, key=target_key),
        "proposals": propose(state.actor, batch, 3, key=sample_key),
        "noise": noise_of(state.actor, batch.obs, actor_key),
    }
    return state, numbers(batch), after, metrics, as_float64(drawn)


def soft_target(state, batch, drawn, entropy=0.0):
    action, log_density = drawn["next"]
    value = q_values(state.target, batch.next_obs, action).min(0) - entropy * log_density
    return batch.reward + 0.9 * np.where(batch.terminal, 0.0, value)


def test_log_densities_of_drawn_actions_are_those_of_a_squashed_normal(run):
    state, batch, _, _, drawn = run
    action, log_density = drawn["next"]
    expected = log_density_of(state.actor, batch.next_obs, action)
    np.testing.assert_allclose(log_density, expected, rtol=1e-3, atol=1e-3)


def test_proposals_are_uniform_from_here_and_from_there(run):
    state, batch, _, _, drawn = run
    actions, log_densities = drawn["proposals"]
    assert actions.shape == (9, BATCH, ACTION)
    assert log_densities.shape == (9, BATCH)
    np.testing.assert_allclose(log_densities[:3], ACTION * math.log(0.5), rtol=1e-6)
    for at in range(3):
        here = log_density_of(state.actor, batch.obs, actions[3 + at])
        after = log_density_of(state.actor, batch.next_obs, actions[6 + at])
        np.testing.assert_allclose(log_densities[3 + at], here, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(log_densities[6 + at], after, rtol=1e-3, atol=1e-3)
    assert len(np.unique(actions)) == actions.size  # all are drawn on their own


def test_uniform_proposals_fill_the_square(run):
    state = run[0]
    batch = random_batch(rows=500)
    actions, _ = jax.jit(propose, static_argnums=2)(state.actor, batch, 10, key=jr.key(0))
    uniform = np.asarray(actions[:10], np.float64).reshape(-1, ACTION)
    assert np.abs(uniform).max() <= 1
    counts, *_ = np.histogram2d(*uniform.T, bins=4, range=[[-1, 1], [-1, 1]])
    np.testing.assert_allclose(counts / counts.sum(), 1 / 16, atol=0.015)


def test_the_conservative_term_weighs_by_importance(run):
    state, batch, _, metrics, drawn = run
    actions, log_densities = drawn["proposals"]
    expected = expected_gap(state.critic, batch.obs, batch.action, actions, log_densities)
    assert float(metrics["loss/conservative"]) == pytest.approx(expected, rel=1e-4)


def test_recorded_states_are_pushed_down_and_shifted_ones_up(run):
    """As arXiv:2111.01365: of a shifted batch only Q(s̃, a) is seen."""
    state, batch, _, _, drawn = run
    actions, log_densities = drawn["proposals"]
    moved = eqx.tree_at(lambda b: b.obs, batch, batch.obs + 0.5)
    found = eqx.filter_jit(conservative_gap)(state.critic, batch.obs, moved, actions, log_densities)
    still = expected_gap(state.critic, batch.obs, batch.action, actions, log_densities)
    up = [q_values(state.critic, b.obs, b.action).mean(1).sum() for b in (batch, moved)]
    assert abs(up[0] - up[1]) > 1e-3
    assert float(found) == pytest.approx(still + up[0] - up[1], rel=1e-4)


def test_it_estimates_the_log_of_an_integral(run):
    """With many uniform actions: log ∫ exp Q(s, u) du, up to the log of their number."""
    state, count = run[0], 4000
    batch = random_batch(rows=2)
    actions = jr.uniform(jr.key(0), (count, 2, ACTION), minval=-1.0, maxval=1.0)
    densities = jnp.full((count, 2), -ACTION * math.log(2.0))
    found = float(
        eqx.filter_jit(conservative_gap)(state.critic, batch.obs, batch, actions, densities)
    )
    side = np.linspace(-1, 1, 61)[:-1] + 1 / 60
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    expected = 0.0
    for row in range(2):
        q = q_values(state.critic, np.repeat(batch.obs[row : row + 1], len(grid), axis=0), grid)
        expected += np.log(np.exp(q).mean(1) * 4).sum() / 2
    expected -= q_values(state.critic, batch.obs, batch.action).mean(1).sum()
    assert found - 2 * math.log(count) == pytest.approx(expected, abs=0.02)


def test_the_critics_descend_td_error_and_conservative_term(run):
    state, batch, after, metrics, drawn = run
    y = soft_target(state, batch, drawn)
    np.testing.assert_array_equal(y[[1, -1]], batch.reward[[1, -1]])  # terminal

    def loss(critic):
        td = np.square(q_values(critic, batch.obs, batch.action) - y).mean(1).sum()
        return td + 0.7 * expected_gap(critic, batch.obs, batch.action, *drawn["proposals"])

    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-4, abs=1e-5)
    assert float(metrics["loss/critic"]) == pytest.approx(loss(state.critic), rel=1e-4)
    assert_descended(state.critic, after.critic, loss)


def soft_actor_loss(actor, critic, batch, noise, temperature):
    mean, log_std = squashed(actor, batch.obs)
    action = np.tanh(mean + np.exp(log_std) * noise)
    log_density = log_density_of(actor, batch.obs, action)
    return np.mean(temperature * log_density - q_values(critic, batch.obs, action).min(0))


def test_the_actor_descends_the_soft_loss_of_the_new_critics(run):
    state, batch, after, metrics, drawn = run

    def loss(actor):
        return soft_actor_loss(actor, after.critic, batch, drawn["noise"], 0.3)

    assert float(metrics["loss/actor"]) == pytest.approx(loss(state.actor), rel=1e-3, abs=1e-4)
    assert_descended(state.actor, after.actor, loss)


def test_the_temperature_descends_towards_the_wanted_entropy(run):
    state, batch, after, metrics, drawn = run
    mean, log_std = squashed(state.actor, batch.obs)
    action = np.tanh(mean + np.exp(log_std) * drawn["noise"])
    entropy = -log_density_of(state.actor, batch.obs, action).mean()
    assert float(metrics["entropy"]) == pytest.approx(entropy, rel=1e-3, abs=1e-3)
    # −α(log π + H̄) with H̄ = −p, differentiated by log α
    slope = -0.3 * (-entropy - ACTION)
    moved = float(state.log_temperature - after.log_temperature)
    assert moved == pytest.approx(slope, rel=1e-3)
    assert float(metrics["temperature"]) == pytest.approx(0.3, rel=1e-5)


def test_the_target_follows_at_every_update(run):
    state, _, after, *_ = run
    assert_polyak(state.target, after.target, after.critic, 0.25)
    assert int(after.update_count) == 1


def test_entropy_in_the_backup_a_fixed_temperature_and_the_rates_of_adam(run):
    state, batch, _, _, drawn = run
    agent = CQL(
        **SIZES, discount=0.9, backup_entropy=True, tune_temperature=False, learning_rate=1e-2,
        actor_learning_rate=1e-3, initial_temperature=0.3,
    )  # fmt: skip
    fresh = agent.init(random_dataset(), key=jr.key(0))
    before = eqx.tree_at(lambda s: s.target, fresh, state.target)
    after, metrics = eqx.filter_jit(agent.update)(before, random_batch(), key=jr.key(3))
    y = soft_target(state, batch, drawn, entropy=0.3)
    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-4, abs=1e-5)
    assert float(after.log_temperature) == float(before.log_temperature)
    for name, rate in [("critic", 1e-2), ("actor", 1e-3)]:
        old, new = (jax.tree.leaves(getattr(s, name)) for s in (before, after))
        moved = max(np.abs(b - a).max() for a, b in zip(old, new, strict=True))
        assert moved == pytest.approx(rate, rel=2e-2), name


def test_at_first_the_actor_clones_where_asked():
    agent = Descending(**SIZES, cloning_updates=1, initial_temperature=0.3)
    state, batch, update = started(agent), random_batch(), eqx.filter_jit(agent.update)
    key = jr.key(4)
    noise = noise_of(state.actor, batch.obs, jr.split(key, 4)[3])
    first, metrics = update(state, batch, key=key)
    rows = numbers(batch)

    def cloning(actor):
        mean, log_std = squashed(actor, rows.obs)
        action = np.tanh(mean + np.exp(log_std) * noise)
        drawn = log_density_of(actor, rows.obs, action)
        return np.mean(0.3 * drawn - log_density_of(actor, rows.obs, rows.action))

    assert float(metrics["loss/actor"]) == pytest.approx(cloning(state.actor), rel=1e-3)
    assert_descended(state.actor, first.actor, cloning)

    temperature = float(jnp.exp(first.log_temperature))
    noise = noise_of(first.actor, batch.obs, jr.split(key, 4)[3])
    second, metrics = update(first, batch, key=key)
    soft = soft_actor_loss(first.actor, second.critic, rows, noise, temperature)
    assert float(metrics["loss/actor"]) == pytest.approx(soft, rel=1e-3, abs=1e-4)


def test_it_acts_with_the_mode():
    agent, batch = CQL(**SIZES), random_batch()
    state = started(agent)
    policy = agent.policy(state)
    first, again = (policy(batch.obs[0], None, key=jr.key(at))[0] for at in (0, 1))
    assert_same(first, again)
    mean, _ = squashed(state.actor, batch.obs[:1])
    np.testing.assert_allclose(first, np.tanh(mean[0]), rtol=1e-5)


def test_a_large_weight_pushes_actions_off_the_data_below_those_on_it():
    """Rewards favour no action; only the conservative term tells the recorded one apart."""
    rng = np.random.default_rng(0)
    obs = np.zeros((64, OBS))
    data = random_dataset(
        64, observations=obs, next_observations=obs, rewards=np.zeros(64),
        actions=np.tile([0.5, -0.5], (64, 1)) + rng.normal(size=(64, 2)) * 0.05,
        terminal=np.ones(64, bool), timeout=np.zeros(64, bool),
    )  # fmt: skip
    agent = CQL(hidden=16, layers=1, batch_size=32, num_actions=4, learning_rate=3e-3)
    sampler, state = agent.prepare(data), agent.init(data, key=jr.key(0))

    @eqx.filter_jit
    def learn(state):
        arrays, static = eqx.partition(state, eqx.is_array)

        def body(arrays, key):
            sample_key, update_key = jr.split(key)
            batch = agent.sample(sampler, key=sample_key)
            after, _ = agent.update(eqx.combine(arrays, static), batch, key=update_key)
            return eqx.filter(after, eqx.is_array), None

        arrays, _ = jax.lax.scan(body, arrays, jr.split(jr.key(1), 300))
        return eqx.combine(arrays, static)

    actions = np.array([[0.5, -0.5], [-0.5, 0.5], [1.0, 1.0], [-1.0, -1.0]])
    q = q_values(learn(state).critic, np.zeros((4, OBS)), actions)
    assert (q[:, :1] > q[:, 1:] + 0.5).all()
