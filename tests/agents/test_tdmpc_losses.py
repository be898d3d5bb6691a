"""Each loss of TD-MPC against NumPy in float64, and the planning problem made of its networks."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.test_world_model import ACTION, LATENT, forward, model_of, stirred, value_of
from toolkit.agents import tdmpc_losses as losses
from toolkit.agents.latent_problem import LatentProblem
from toolkit.agents.sequence_replay import Sequences
from toolkit.agents.world_model import LatentPolicy

OBS, TIME, BATCH, RATE = 5, 4, 6, 0.5


@pytest.fixture(scope="module", params=["told", "koopman"])
def model(request):
    return model_of(request.param, jr.key(0))


@pytest.fixture(scope="module")
def policy():
    return LatentPolicy(LATENT, ACTION, 8, key=jr.key(1))


@pytest.fixture(scope="module")
def batch():
    keys = jr.split(jr.key(2), 4)
    ends = np.array([4, 2, 4, 1, 3, 4])  # valid steps of each sequence; the second ends in a fall
    steps = np.arange(TIME)[:, None]
    return Sequences(
        jr.normal(keys[0], (BATCH, OBS)), jnp.tanh(jr.normal(keys[1], (TIME, BATCH, ACTION))),
        jr.normal(keys[2], (TIME, BATCH)), jr.normal(keys[3], (TIME, BATCH, OBS)),
        jnp.asarray((steps == 1) & (np.arange(BATCH) == 1)), jnp.asarray(steps < ends),
        jnp.linspace(0.5, 1.0, BATCH), jnp.arange(BATCH),
    )  # fmt: skip


def numbers(x):
    return np.asarray(x, np.float64)


def least(values, latents, actions):
    x = np.concatenate([latents, actions], axis=-1)
    return np.minimum(*(value_of(head, x) for head in values))


def weights(batch, rate=RATE):
    return rate ** np.arange(TIME)[:, None] * numbers(batch.valid)


def test_the_td_target(model, policy, batch):
    target = stirred(losses.Target.of(model), jr.key(3))
    found = eqx.filter_jit(losses.td_target)(
        model, target, policy, batch, 0.9, 0.0, key=jr.key(4)
    )  # without noise
    latents = forward(model.encoder, numbers(batch.next_obs))
    value = least(target.values, latents, np.tanh(forward(policy.net, latents)))
    expected = numbers(batch.reward) + 0.9 * np.where(batch.terminal, 0.0, value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert float(found[1, 1]) == float(batch.reward[1, 1])  # nothing follows a fall
    noisy = losses.td_target(model, target, policy, batch, 0.9, 0.2, key=jr.key(4))
    assert float(jnp.abs(noisy - found).max()) > 1e-4


def test_the_three_losses_and_the_priorities(model, batch):
    keys = jr.split(jr.key(5))
    next_latents, y = jr.normal(keys[0], (TIME, BATCH, LATENT)), jr.normal(keys[1], (TIME, BATCH))
    terms = eqx.filter_jit(losses.terms_of)(model, batch, next_latents, y, RATE)
    start = forward(model.encoder, numbers(batch.obs))
    np.testing.assert_allclose(terms.latents[0], start, rtol=1e-4, atol=1e-5)
    after = numbers(eqx.filter_jit(model.dynamics.rollout)(terms.latents[0], batch.action))
    np.testing.assert_allclose(terms.latents[1:], after, rtol=1e-5, atol=1e-6)
    before = np.concatenate([start[None], after[:-1]])
    x = np.concatenate([before, numbers(batch.action)], axis=-1)
    both = np.stack([value_of(head, x) for head in model.values])
    reward, weight = forward(model.reward_head, x)[..., 0], weights(batch)
    expected = {
        "consistency": np.sum(weight * np.square(after - numbers(next_latents)).mean(-1), 0),
        "reward": np.sum(weight * np.square(reward - numbers(batch.reward)), 0),
        "value": np.sum(weight * np.square(both - numbers(y)).sum(0), 0),
        "error": np.sum(weight * np.abs(both - numbers(y)).sum(0), 0),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(terms, name), value, rtol=1e-3, err_msg=name)


@pytest.mark.parametrize(
    ("rate", "count", "expected"),
    [
        (1.0, 2, [1 / 2, 1 / 2, 1 / 2, 1 / 2]),
        (0.5, 1, [8 / 15, 4 / 15, 2 / 15, 1 / 15]),
        (0.5, 2, [1, 4 / 7, 2 / 7, 1 / 7]),  # twice 8/15 would be more than always
        (0.5, 3, [1, 1, 2 / 3, 1 / 3]),
        (0.0, 2, [1, 1 / 3, 1 / 3, 1 / 3]),
        (0.5, 4, [1, 1, 1, 1]),
    ],
)
def test_steps_are_drawn_by_their_weights(rate, count, expected):
    found = losses.inclusion(rate, TIME, count)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    draw = lambda key: losses.Chosen.draw(rate, TIME, count, key=key)
    drawn = jax.jit(jax.vmap(draw))(jr.split(jr.key(0), 4000))
    assert drawn.at.shape == (4000, count) and np.all(np.diff(drawn.at, axis=1) > 0)
    shares = np.bincount(np.asarray(drawn.at).ravel(), minlength=TIME) / 4000
    np.testing.assert_allclose(shares, expected, atol=0.03)
    np.testing.assert_allclose(drawn.factor, 1 / found[drawn.at], rtol=1e-5)


def test_with_equal_weights_the_steps_are_evenly_spaced():
    draw = lambda key: losses.Chosen.draw(1.0, 6, 2, key=key)
    drawn = jax.vmap(draw)(jr.split(jr.key(0), 300)).at
    assert set(map(tuple, np.asarray(drawn).tolist())) == {(0, 3), (1, 4), (2, 5)}


def test_chosen_steps_stand_for_all(model, policy, batch):
    """Every draw of two of four steps, as often as it comes: the mean is the sum over all."""
    keys = jr.split(jr.key(5), 3)
    next_latents, y = jr.normal(keys[0], (TIME, BATCH, LATENT)), jr.normal(keys[1], (TIME, BATCH))
    whole = losses.terms_of(model, batch, next_latents, y, RATE)
    choices = [
        losses.Chosen(jnp.array([0, at]), jnp.array([1, 1 / often]))
        for at, often in ((1, 4 / 7), (2, 2 / 7), (3, 1 / 7))
    ]
    often = [1 / float(steps.factor[1]) for steps in choices]
    parts = [
        losses.terms_of(model, batch, next_latents[steps.at], y[steps.at], RATE, steps)
        for steps in choices
    ]
    for name in ("consistency", "reward", "value", "error"):
        mean = sum(p * getattr(part, name) for p, part in zip(often, parts, strict=True))
        np.testing.assert_allclose(mean, getattr(whole, name), rtol=1e-4, err_msg=name)
    for part, steps in zip(parts, choices, strict=True):
        assert float(jnp.abs(part.value - whole.value).max()) > 1e-3
        np.testing.assert_array_equal(part.latents, whole.latents[jnp.append(steps.at, TIME)])

    def of_policy(latents, steps):
        weight = losses.state_weights(batch, RATE, steps)
        return losses.policy_loss(policy, model.values, latents, weight, 0.0, key=keys[2])

    mean = sum(
        p * of_policy(part.latents, steps)
        for p, part, steps in zip(often, parts, choices, strict=True)
    )
    np.testing.assert_allclose(mean, of_policy(whole.latents, None), rtol=1e-4, atol=1e-6)


def test_no_sum_counts_for_more_than_ten_thousand(model, batch):
    y = jnp.full((TIME, BATCH), 1e4)
    terms = losses.terms_of(model, batch, jnp.zeros((TIME, BATCH, LATENT)), y, RATE)
    np.testing.assert_array_equal(terms.value, 1e4)


def test_the_policy_loss(model, policy, batch):
    latents = jr.normal(jr.key(6), (TIME + 1, BATCH, LATENT))
    found_weight = losses.state_weights(batch, RATE)
    ends = [4, 1, 4, 1, 3, 4]  # states after the start: the fall's is none to act from
    valid = np.arange(TIME + 1)[:, None] <= np.array(ends)
    np.testing.assert_array_equal(found_weight > 0, valid)
    found = losses.policy_loss(policy, model.values, latents, found_weight, 0.0, key=jr.key(7))
    z = numbers(latents)
    value = least(model.values, z, np.tanh(forward(policy.net, z)))
    weight = RATE ** np.arange(TIME + 1)[:, None] * numbers(valid)
    assert float(found) == pytest.approx(-np.mean(np.sum(weight * value, 0)), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("length", [TIME, 2])
def test_the_value_of_a_plan(model, policy, length):
    """Σ γᵗ·R(z_t, a_t) + γᴴ·min Q(z_H, π(z_H)) of each candidate, in NumPy."""
    problem = LatentProblem(model, policy, 0.9, 0.05)
    assert problem.action_dim == ACTION
    start = problem.start(jnp.linspace(-1.0, 1.0, OBS))
    actions = jnp.tanh(jr.normal(jr.key(8), (TIME, BATCH, ACTION)))
    found = eqx.filter_jit(problem.values)(start, actions, jnp.asarray(length))
    first = jnp.tile(start[None], (BATCH, 1))
    after = numbers(eqx.filter_jit(model.dynamics.rollout)(first, actions))
    z = np.concatenate([numbers(first)[None], after])
    expected = np.zeros(BATCH)
    for t in range(length):
        x = np.concatenate([z[t], numbers(actions[t])], axis=1)
        expected += 0.9**t * forward(model.reward_head, x)[:, 0]
    last = z[length]
    behind = least(model.values, last, np.tanh(forward(policy.net, last)))
    np.testing.assert_allclose(found, expected + 0.9**length * behind, rtol=1e-3, atol=1e-5)


def test_the_proposals_are_what_the_policy_does_in_the_model(model, policy):
    start = jr.normal(jr.key(9), (LATENT,))
    still = LatentProblem(model, policy, 0.9, 0.0).proposals(start, TIME, 3, key=jr.key(0))
    z = start
    for t in range(TIME):
        action = policy(z)
        np.testing.assert_allclose(still[t], jnp.tile(action[None], (3, 1)), rtol=1e-4, atol=1e-5)
        z = model.dynamics.step(z, action)
    noisy = LatentProblem(model, policy, 0.9, 0.05).proposals(start, TIME, 3, key=jr.key(0))
    assert noisy.shape == (TIME, 3, ACTION)
    assert 1e-4 < float(jnp.std(noisy[0] - still[0])) < 0.2
