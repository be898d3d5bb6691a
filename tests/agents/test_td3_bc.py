"""TD3+BC against NumPy in float64: target, losses with their gradients, delay and targets."""

from __future__ import annotations

import itertools

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
    as_float64,
    assert_descended,
    assert_polyak,
    assert_same,
    numbers,
    policy,
    q_values,
    random_batch,
    random_dataset,
)
from toolkit.agents.td3 import normalised_value, smoothed
from toolkit.agents.td3_bc import TD3BC

SIZES = {"hidden": 4, "layers": 2, "batch_size": BATCH, "policy_noise": 0.0}
SEED = 1  # of a batch on which each critic is the lesser one somewhere


class Descending(TD3BC):
    """With plain gradient descent, so that a step is the gradient itself."""

    def _adam(self):
        return optax.sgd(1.0)


def started(agent):
    """A state whose targets differ from its networks."""
    data = random_dataset()
    state, other = (agent.init(data, key=jr.key(seed)) for seed in (0, 1))
    return eqx.tree_at(
        lambda s: (s.target_actor, s.target_critic), state, (other.actor, other.critic)
    )


def stepped(agent, state, updates, batch):
    """The states and metrics after each of several updates."""
    update, found = eqx.filter_jit(agent.update), []
    for at in range(updates):
        state, metrics = update(state, batch, key=jr.key(at))
        found.append((state, metrics))
    return found


def bellman_target(state, batch, discount):
    value = q_values(
        state.target_critic, batch.next_obs, policy(state.target_actor, batch.next_obs)
    )
    return batch.reward + discount * np.where(batch.terminal, 0.0, value.min(0))


def critic_loss(critic, batch, y):
    return np.square(q_values(critic, batch.obs, batch.action) - y).mean(1).sum()


def actor_loss(actor, critic, batch, alpha, scale=None):
    """`scale` is mean |Q₁|, which the gradient takes as constant."""
    action = policy(actor, batch.obs)
    q = q_values(critic, batch.obs, action)[0]
    scale = np.abs(q).mean() if scale is None else scale
    return -alpha * q.mean() / scale + np.square(action - batch.action).mean()


@pytest.fixture(scope="module")
def run():
    """A start, a batch, and five updates of gradient descent."""
    agent, batch = Descending(**SIZES, discount=0.9, target_rate=0.25), random_batch(SEED)
    state = started(agent)
    return agent, state, batch, stepped(agent, state, 5, batch)


def test_the_target_is_the_lesser_critic_and_nothing_behind_a_terminal(run):
    _, state, batch, [(_, metrics), *_] = run
    y = bellman_target(state, numbers(batch), 0.9)
    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-5)
    values = q_values(
        state.target_critic, batch.next_obs, policy(state.target_actor, batch.next_obs)
    )
    assert len(set(values.argmin(0))) == 2  # each critic is the lesser one somewhere
    np.testing.assert_array_equal(y[[1, -1]], numbers(batch).reward[[1, -1]])


def test_the_critics_descend_their_loss(run):
    _, state, batch, [(after, metrics), *_] = run
    batch = numbers(batch)
    y = bellman_target(state, batch, 0.9)
    assert float(metrics["loss/critic"]) == pytest.approx(
        critic_loss(state.critic, batch, y), rel=1e-5
    )
    assert_descended(state.critic, after.critic, lambda critic: critic_loss(critic, batch, y))


def test_the_actor_descends_its_loss_with_the_scale_held_constant(run):
    _, _, batch, [(before, _), (after, metrics), *_] = run
    batch = numbers(batch)
    q = q_values(after.critic, batch.obs, policy(before.actor, batch.obs))[0]
    scale = np.abs(q).mean()
    expected = actor_loss(before.actor, after.critic, batch, 2.5)
    assert float(metrics["loss/actor"]) == pytest.approx(expected, rel=1e-4)
    assert_descended(
        before.actor, after.actor,
        lambda actor: actor_loss(actor, after.critic, batch, 2.5, scale),
    )  # fmt: skip


def test_actor_and_targets_move_at_every_second_update(run):
    _, state, _, history = run
    for number, (after, metrics) in enumerate(history, 1):
        assert int(after.update_count) == number
        if number % 2:
            assert_same(after.actor, state.actor)
            assert_same(after.target_actor, state.target_actor)
            assert_same(after.target_critic, state.target_critic)
            assert float(metrics["loss/actor"]) == float(state.actor_loss)
        else:
            assert_polyak(state.target_actor, after.target_actor, after.actor, 0.25)
            assert_polyak(state.target_critic, after.target_critic, after.critic, 0.25)
        state = after


def test_smoothing_is_clipped_normal_noise():
    noise = np.asarray(smoothed(jnp.zeros((20_000, 2)), 0.2, 0.5, key=jr.key(0)), np.float64)
    inside = np.abs(noise) < 0.5
    assert np.abs(noise).max() == 0.5
    assert np.mean(~inside) == pytest.approx(0.0124, abs=0.002)  # 2.5 standard deviations
    assert noise.std() == pytest.approx(0.2, rel=0.02)
    assert abs(noise.mean()) < 0.005
    near = np.asarray(smoothed(jnp.full((1000, 2), 0.9), 0.2, 0.5, key=jr.key(1)))
    assert near.max() == 1.0 and near.min() >= 0.4 - 1e-6


@pytest.fixture(scope="module")
def with_adam():
    """Six updates as they are, with noise on the target's actions and a delay of three."""
    agent = TD3BC(
        hidden=4, layers=2, batch_size=BATCH, policy_noise=0.3, noise_clip=0.4, policy_every=3,
        discount=0.9, learning_rate=1e-2,
    )  # fmt: skip
    state, batch = started(agent), random_batch(SEED)
    return state, batch, stepped(agent, state, 6, batch)


def test_the_target_action_is_smoothed_with_the_agents_noise(with_adam):
    state, batch, [(_, metrics), *_] = with_adam
    noise_key, _ = jr.split(jr.key(0))
    noise = np.clip(0.3 * np.asarray(jr.normal(noise_key, (BATCH, ACTION))), -0.4, 0.4)
    action = np.clip(policy(state.target_actor, batch.next_obs) + noise, -1, 1)
    value = q_values(state.target_critic, batch.next_obs, action).min(0)
    y = np.asarray(batch.reward) + 0.9 * np.where(batch.terminal, 0.0, value)
    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-5)


def test_a_delay_of_three(with_adam):
    state, _, history = with_adam
    states = [state, *(after for after, _ in history)]
    first = [np.asarray(s.actor.net.layers[0].weight) for s in states]
    moved = [bool((a != b).any()) for a, b in itertools.pairwise(first)]
    assert moved == [False, False, True, False, False, True]


def test_a_step_of_adam_has_the_learning_rate(with_adam):
    state, _, history = with_adam
    first, third = history[0][0], history[2][0]
    for old, new in [(state.critic, first.critic), (state.actor, third.actor)]:
        moved = np.concatenate([
            np.abs(b - a).ravel() for a, b in zip(*map(jax.tree.leaves, (old, new)), strict=True)
        ])  # fmt: skip
        assert moved.max() == pytest.approx(1e-2, rel=1e-2)
        assert np.median(moved[moved > 0]) == pytest.approx(1e-2, rel=1e-2)


def test_the_value_does_not_depend_on_the_scale_of_rewards():
    values, used = jnp.array([1.0, -3.0, 2.0, 100.0]), jnp.array([True, True, True, False])
    found = jax.jit(lambda v: normalised_value(v, used))
    assert float(found(values)) == pytest.approx(0.0)
    values = jnp.array([1.0, -3.0, 5.0, 100.0])
    assert float(found(values)) == pytest.approx(1 / 3)
    assert float(found(1000 * values)) == pytest.approx(1 / 3)
    slope = jax.grad(lambda v: normalised_value(v, used))(values)
    np.testing.assert_allclose(slope, [1 / 9, 1 / 9, 1 / 9, 0], rtol=1e-6)


def test_noise_on_states_reaches_the_critics_alone():
    agent, batch = Descending(**SIZES, state_noise=0.3), random_batch(SEED)
    state = eqx.tree_at(lambda s: s.update_count, started(agent), jnp.ones((), jnp.int32))
    (after, metrics) = stepped(agent, state, 1, batch)[0]
    seen = as_float64(agent.augmentation(state).replacing(batch, key=jr.split(jr.key(0))[1]))
    assert np.abs(seen.obs - batch.obs).min() > 0
    action = policy(state.target_actor, batch.next_obs)  # of the state as recorded
    value = q_values(state.target_critic, seen.next_obs, action).min(0)
    y = seen.reward + 0.99 * np.where(seen.terminal, 0.0, value)
    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-5)
    assert_descended(state.critic, after.critic, lambda critic: critic_loss(critic, seen, y))
    clean = actor_loss(state.actor, after.critic, numbers(batch), 2.5)
    assert float(metrics["loss/actor"]) == pytest.approx(clean, rel=1e-4)
