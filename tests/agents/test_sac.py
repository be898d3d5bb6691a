"""SAC: each loss against NumPy in float64, one update, and a problem with a known answer."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents import sac
from toolkit.agents.networks import GaussianActor, TwinCritic, polyak
from toolkit.agents.sac import SAC
from toolkit.data import Transitions
from toolkit.envs.interface import EnvSpec

SPEC = EnvSpec("Some-v0", 3, 2, 100)
AGENT = SAC(hidden=8, batch_size=5, learning_rate=1e-2, replay_capacity=64)


@pytest.fixture(scope="module")
def state():
    return AGENT.init(SPEC, key=jr.key(0))


@pytest.fixture(scope="module")
def batch():
    keys = jr.split(jr.key(1), 4)
    return Transitions(
        jr.normal(keys[0], (5, 3)), jnp.tanh(jr.normal(keys[1], (5, 2))), jr.normal(keys[2], (5,)),
        jr.normal(keys[3], (5, 3)), jnp.array([False, True, False, False, True]),
    )  # fmt: skip


def forward(mlp, x, index=()):
    """An MLP in float64."""
    x = np.asarray(x, np.float64)
    for number, layer in enumerate(mlp.layers):
        weight = np.asarray(layer.weight, np.float64)[index]
        x = x @ weight + np.asarray(layer.bias, np.float64)[index]
        if number < len(mlp.layers) - 1:
            x = np.maximum(x, 0)
    return x


def q_values(critic, obs, action):
    x = np.concatenate([obs, action], axis=1)
    return np.stack([forward(critic.nets, x, j)[:, 0] for j in range(2)])


def drawn(actor, obs, key):
    """The actions that a loss draws with this key, and their log-densities."""
    keys = jr.split(key, len(obs))
    act = jax.jit(jax.vmap(lambda o, k: actor(o).sample_with_log_prob(key=k)))
    return tuple(np.asarray(x, np.float64) for x in act(obs, keys))


def test_both_critics_are_mlps_of_their_own(state, batch):
    found = eqx.filter_jit(state.critic)(batch.obs, batch.action)
    expected = q_values(state.critic, batch.obs, batch.action)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.abs(expected[0] - expected[1]).min() > 1e-3


def test_the_soft_target(state, batch):
    key, temperature = jr.key(2), 0.3
    found = eqx.filter_jit(sac.soft_target)(
        state.actor, state.target, batch, jnp.float32(temperature), 0.9, key=key
    )
    action, log_prob = drawn(state.actor, batch.next_obs, key)
    value = q_values(state.target, batch.next_obs, action).min(0) - temperature * log_prob
    expected = batch.reward + 0.9 * np.where(batch.terminal, 0.0, value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[1], batch.reward[1])  # terminal: nothing follows


def test_the_critic_loss(state, batch):
    y = jnp.linspace(-1.0, 1.0, 5)
    expected = np.square(q_values(state.critic, batch.obs, batch.action) - np.asarray(y)).mean(1)
    assert float(eqx.filter_jit(sac.critic_loss)(state.critic, batch, y)) == pytest.approx(
        expected.sum(), rel=1e-4
    )


def test_the_actor_loss(state, batch):
    key, temperature = jr.key(3), 0.7
    found, found_log_prob = eqx.filter_jit(sac.actor_loss)(
        state.actor, state.critic, batch.obs, jnp.float32(temperature), key=key
    )
    action, log_prob = drawn(state.actor, batch.obs, key)
    q = q_values(state.critic, batch.obs, action).min(0)
    assert float(found) == pytest.approx((temperature * log_prob - q).mean(), rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(found_log_prob, log_prob, rtol=1e-5)


def test_the_temperature_rises_when_the_policy_is_too_sure():
    slope = jax.jit(jax.grad(sac.temperature_loss), static_argnums=2)
    log_temperature = jnp.log(jnp.float32(0.5))
    sure, unsure = jnp.full(4, 3.0), jnp.full(4, -5.0)  # entropies −3 and 5, wanted −2
    assert float(slope(log_temperature, sure, -2.0)) == pytest.approx(-0.5 * (3 - 2))
    assert float(slope(log_temperature, unsure, -2.0)) == pytest.approx(-0.5 * (-5 - 2))


@pytest.fixture(scope="module")
def updated(state, batch):
    return eqx.filter_jit(AGENT.update)(state, batch, key=jr.key(4))


def test_one_update_moves_each_part_by_its_own_gradient(state, batch, updated):
    after, metrics = updated
    target_key, actor_key = jr.split(jr.key(4))
    one = jnp.float32(1.0)
    y = sac.soft_target(state.actor, state.target, batch, one, AGENT.discount, key=target_key)
    critic_grad = eqx.filter_grad(sac.critic_loss)(state.critic, batch, y)
    actor_grad, _ = eqx.filter_grad(sac.actor_loss, has_aux=True)(
        state.actor, after.critic, batch.obs, one, key=actor_key
    )
    for old, new, grad in [
        (state.critic, after.critic, critic_grad), (state.actor, after.actor, actor_grad)
    ]:  # fmt: skip
        for before, now, slope in zip(*map(jax.tree.leaves, (old, new, grad)), strict=True):
            clear = np.abs(slope) > 1e-5  # the first step of Adam: the rate, against the gradient
            step = np.asarray(now - before)[clear]
            expected = -AGENT.learning_rate * np.sign(np.asarray(slope)[clear])
            np.testing.assert_allclose(step, expected, rtol=2e-2)
    assert int(after.update_count) == 1
    assert set(metrics) == {"loss/critic", "loss/actor", "value", "temperature", "entropy"}
    assert float(metrics["temperature"]) == pytest.approx(1.0)


def test_the_target_follows_the_new_critic(state, updated):
    after, _ = updated
    for target, old, new in zip(
        *map(jax.tree.leaves, (after.target, state.target, after.critic)), strict=True
    ):
        np.testing.assert_allclose(target, 0.995 * old + 0.005 * new, rtol=1e-5, atol=1e-7)


def test_polyak_with_rate_one_copies():
    keys = jr.split(jr.key(0))
    first, second = (TwinCritic(2, 1, 4, 1, key=key) for key in keys)
    for a, b in zip(*map(jax.tree.leaves, (polyak(first, second, 1.0), second)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_actor_keeps_its_log_standard_deviation_in_bounds(getkey):
    actor = GaussianActor(2, 1, 4, 1, key=getkey())
    far = eqx.tree_at(lambda a: a.net.layers[-1].bias, actor, jnp.array([0.0, 99.0]))
    assert float(far(jnp.zeros(2)).log_std[0]) == 2.0


def test_a_bandit_with_a_known_best_action():
    """Reward −(a − 0.4)², every step terminal: Q is the reward, and the policy ends at 0.4."""
    agent = SAC(
        hidden=32, batch_size=64, learning_rate=3e-3, initial_temperature=0.05,
        entropy_per_action=-2.5,
    )  # fmt: skip
    state = agent.init(EnvSpec("Bandit-v0", 1, 1, 1), key=jr.key(0))

    @eqx.filter_jit
    def learn(state):
        arrays, static = eqx.partition(state, eqx.is_array)

        def body(arrays, key):
            draw, update = jr.split(key)
            obs = jnp.ones((64, 1))
            action = jr.uniform(draw, (64, 1), minval=-1.0, maxval=1.0)
            reward = -jnp.square(action[:, 0] - 0.4)
            batch = Transitions(obs, action, reward, obs, jnp.ones(64, bool))
            after, _ = agent.update(eqx.combine(arrays, static), batch, key=update)
            return eqx.filter(after, eqx.is_array), None

        arrays, _ = jax.lax.scan(body, arrays, jr.split(jr.key(1), 1500))
        return eqx.combine(arrays, static)

    state = learn(state)
    action, _ = agent.policy(state, explore=False)(jnp.ones(1), None, key=jr.key(0))
    assert float(action[0]) == pytest.approx(0.4, abs=0.05)
    grid = jnp.linspace(-0.9, 0.9, 7)[:, None]
    values = state.critic(jnp.ones((7, 1)), grid)
    np.testing.assert_allclose(values, np.tile(-np.square(grid[:, 0] - 0.4), (2, 1)), atol=0.1)
