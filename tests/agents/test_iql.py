"""IQL against NumPy in float64: expectile, critics, weighted regression, and its schedule."""

from __future__ import annotations

import math

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.agents.float64 import (
    ACTION,
    BATCH,
    OBS,
    assert_descended,
    assert_polyak,
    forward,
    numbers,
    policy,
    q_values,
    random_batch,
    random_dataset,
)
from toolkit.agents.iql import IQL, actor_loss, value_loss
from toolkit.agents.networks import ValueNet
from toolkit.errors import UserError

SIZES = {"hidden": 4, "layers": 2, "batch_size": BATCH}


class Descending(IQL):
    """With plain gradient descent, so that a step is the gradient itself."""

    def _adam(self):
        return optax.sgd(1.0)

    def _actor_adam(self):
        return optax.sgd(1.0)


def started(agent):
    """A state whose target differs from its critics, whose deviations are not 1, and whose value
    lies amid those of the target on `random_batch`.
    """
    data, batch = random_dataset(), random_batch()
    state, other = (agent.init(data, key=jr.key(seed)) for seed in (0, 1))
    q = q_values(other.critic, batch.obs, batch.action).min(0)
    middle = np.median(q) - values(state.value, batch.obs).mean()
    return eqx.tree_at(
        lambda s: (s.target, s.actor.log_std, s.value.net.layers[-1].bias), state,
        (other.critic, jnp.array([-0.5, 0.2]),
         state.value.net.layers[-1].bias + np.float32(middle)),
    )  # fmt: skip


def values(net, obs):
    return forward(net.net, np.asarray(obs, np.float64))[:, 0]


def expectile_loss(net, batch, q, expectile):
    u = q - values(net, batch.obs)
    return np.mean(np.abs(expectile - (u < 0)) * u**2)


def critic_loss(critic, batch, y):
    return 0.5 * np.square(q_values(critic, batch.obs, batch.action) - y).mean(1).sum()


def log_density(actor, batch):
    std = np.exp(np.clip(actor.log_std, -20, 2))
    u = (batch.action - policy(actor.mean, batch.obs)) / std
    return np.sum(-0.5 * u**2 - np.log(std * math.sqrt(2 * math.pi)), axis=1)


def regression_loss(actor, batch, advantage, beta):
    return -np.mean(np.minimum(np.exp(beta * advantage), 100.0) * log_density(actor, batch))


@pytest.fixture(scope="module")
def run():
    agent = Descending(**SIZES, expectile=0.8, inverse_temperature=2.0, discount=0.9,
                       target_rate=0.25)  # fmt: skip
    state, batch = started(agent), random_batch()
    after, metrics = eqx.filter_jit(agent.update)(state, batch, key=jr.key(0))
    return state, numbers(batch), after, metrics


def test_the_value_descends_the_expectile_loss(run):
    state, batch, after, metrics = run
    q = q_values(state.target, batch.obs, batch.action).min(0)
    u = q - values(state.value, batch.obs)
    assert (u > 0).any() and (u < 0).any()
    expected = expectile_loss(state.value, batch, q, 0.8)
    assert float(metrics["loss/value"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["advantage"]) == pytest.approx(u.mean(), rel=1e-4)
    assert_descended(state.value, after.value, lambda v: expectile_loss(v, batch, q, 0.8))


def test_the_critics_descend_towards_the_value_before_its_step(run):
    state, batch, after, metrics = run
    y = batch.reward + 0.9 * np.where(batch.terminal, 0.0, values(state.value, batch.next_obs))
    np.testing.assert_array_equal(y[[1, -1]], batch.reward[[1, -1]])  # terminal
    assert float(metrics["value"]) == pytest.approx(y.mean(), rel=1e-5)
    expected = critic_loss(state.critic, batch, y)
    assert float(metrics["loss/critic"]) == pytest.approx(expected, rel=1e-5)
    assert_descended(state.critic, after.critic, lambda c: critic_loss(c, batch, y))


def test_the_actor_descends_the_weighted_regression(run):
    state, batch, after, metrics = run
    q = q_values(state.target, batch.obs, batch.action).min(0)
    advantage = q - values(state.value, batch.obs)
    expected = regression_loss(state.actor, batch, advantage, 2.0)
    assert float(metrics["loss/actor"]) == pytest.approx(expected, rel=1e-4)
    assert_descended(
        state.actor, after.actor, lambda actor: regression_loss(actor, batch, advantage, 2.0)
    )
    assert np.abs(after.actor.log_std - state.actor.log_std).min() > 0  # it is learned too


def test_the_target_follows_at_every_update(run):
    state, _, after, _ = run
    assert_polyak(state.target, after.target, after.critic, 0.25)
    assert int(after.update_count) == 1


def test_weights_stop_at_a_hundred_also_where_the_exponential_overflows():
    agent, batch = IQL(**SIZES), random_batch()
    state = started(agent)
    loss = eqx.filter_jit(actor_loss)
    far = jnp.array([1.6, 50.0, 1e4, -1e4, 0.0, 1.5])  # ln(100)/3 is 1.535
    found = float(loss(state.actor, batch, far, 3.0))
    weights = np.array([100, 100, 100, 0, 1, np.exp(4.5)])
    expected = -np.mean(weights * log_density(state.actor, numbers(batch)))
    assert found == pytest.approx(expected, rel=1e-5)


def test_the_expectile_is_the_one_with_balanced_errors():
    """The minimiser m of the loss over a sample: τ·Σ(q − m)⁺ = (1 − τ)·Σ(m − q)⁺."""
    q, obs = jnp.array([-1.0, 0.0, 2.0, 7.0]), jnp.zeros((4, OBS))
    net = ValueNet(OBS, 2, 1, key=jr.key(0))
    net = eqx.tree_at(lambda n: n.net.layers[-1].weight, net, jnp.zeros((2, 1)))
    loss = eqx.filter_jit(value_loss)

    def at(constant, expectile):
        flat = eqx.tree_at(lambda n: n.net.layers[-1].bias, net, jnp.full(1, np.float32(constant)))
        return float(loss(flat, obs, q, expectile))

    best = 11 / 3  # between 2 and 7
    assert 0.75 * (7 - best) == pytest.approx(0.25 * ((best + 1) + best + (best - 2)))
    assert at(best, 0.75) < min(at(best - 0.05, 0.75), at(best + 0.05, 0.75))
    assert at(2.0, 0.5) < min(at(1.9, 0.5), at(2.1, 0.5))  # a half is the mean
    values = np.asarray(q, np.float64)
    assert at(8.0, 0.75) == pytest.approx(0.25 * np.mean((8 - values) ** 2), rel=1e-5)
    assert at(-2.0, 0.75) == pytest.approx(0.75 * np.mean((values + 2) ** 2), rel=1e-5)


def test_the_actors_rate_falls_to_nothing_along_a_cosine():
    agent, batch = IQL(**SIZES, num_updates=4, learning_rate=1e-2), random_batch()
    state, update = started(agent), eqx.filter_jit(agent.update)
    steps, critic_steps = [], []
    for at in range(5):
        after, _ = update(state, batch, key=jr.key(at))
        steps.append(np.abs(after.actor.log_std - state.actor.log_std).max())
        critic_steps.append(
            max(np.abs(a.bias - b.bias).max() for a, b in
                zip(after.critic.nets.layers, state.critic.nets.layers, strict=True))
        )  # fmt: skip
        state = after
    cosine = 1e-2 * 0.5 * (1 + np.cos(np.pi * np.arange(5) / 4))
    np.testing.assert_allclose(steps[0], cosine[0], rtol=1e-2)
    assert np.all(np.asarray(steps) <= 1.1 * cosine + 1e-7)
    assert np.all(np.asarray(steps)[:4] >= 0.5 * cosine[:4])
    assert min(critic_steps) > 5e-3  # the critics' does not fall


def test_it_acts_with_the_mean():
    agent, batch = IQL(**SIZES), random_batch()
    state = started(agent)
    action, _ = agent.policy(state)(batch.obs[0], None, key=jr.key(0))
    np.testing.assert_allclose(action, policy(state.actor.mean, batch.obs[:1])[0], rtol=1e-5)
    assert action.shape == (ACTION,)


@pytest.mark.parametrize("expectile", [0.0, 1.0, 1.5])
def test_an_expectile_out_of_range_is_refused(expectile):
    with pytest.raises(UserError, match="`expectile` must lie between 0 and 1, got"):
        IQL(expectile=expectile, batch_size=4).prepare(random_dataset())
