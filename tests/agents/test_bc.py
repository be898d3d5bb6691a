"""Behaviour cloning: its loss and gradient, and which episodes 10 %-BC keeps."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.agents.float64 import (
    OBS,
    assert_descended,
    numbers,
    policy,
    random_batch,
    random_dataset,
)
from toolkit.agents.bc import BC, best_episodes, cloning_loss
from toolkit.errors import UserError

SIZES = {"hidden": 4, "layers": 2, "batch_size": 6}


class Descending(BC):
    """With plain gradient descent, so that a step is the gradient itself."""

    def _adam(self):
        return optax.sgd(1.0)


def expected_loss(actor, batch):
    return np.square(policy(actor, batch.obs) - batch.action).mean()


def test_the_loss_and_its_gradient():
    batch, agent = random_batch(), Descending(**SIZES)
    state = agent.init(random_dataset(), key=jr.key(0))
    after, metrics = eqx.filter_jit(agent.update)(state, batch, key=jr.key(1))
    expected = expected_loss(state.actor, numbers(batch))
    assert float(metrics["loss/actor"]) == pytest.approx(expected, rel=1e-5)
    assert_descended(state.actor, after.actor, lambda actor: expected_loss(actor, numbers(batch)))
    assert int(after.update_count) == 1


def test_the_first_step_of_adam_is_the_learning_rate():
    batch, agent = random_batch(), BC(**SIZES, learning_rate=1e-2)
    state = agent.init(random_dataset(), key=jr.key(0))
    after, _ = eqx.filter_jit(agent.update)(state, batch, key=jr.key(1))
    grads = eqx.filter_grad(cloning_loss)(state.actor, batch.obs, batch.action)
    for old, new, grad in zip(*map(jax.tree.leaves, (state.actor, after.actor, grads)),
                              strict=True):  # fmt: skip
        clear = np.abs(grad) > 1e-4
        expected = -1e-2 * np.sign(np.asarray(grad)[clear])
        np.testing.assert_allclose(np.asarray(new - old)[clear], expected, rtol=1e-2)


def test_it_learns_a_policy_that_its_network_can_say():
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(512, OBS))
    wanted = np.tanh(obs @ np.array([[0.8, -0.3], [0.1, 0.5], [0.0, 0.4]]))
    data = random_dataset(512, observations=obs, actions=wanted, next_observations=obs)
    agent = BC(hidden=32, layers=1, batch_size=64, learning_rate=1e-2)
    sampler, state = agent.prepare(data), agent.init(data, key=jr.key(0))

    @eqx.filter_jit
    def learn(state):
        arrays, static = eqx.partition(state, eqx.is_array)

        def body(arrays, key):
            sample_key, update_key = jr.split(key)
            batch = agent.sample(sampler, key=sample_key)
            after, _ = agent.update(eqx.combine(arrays, static), batch, key=update_key)
            return eqx.filter(after, eqx.is_array), None

        arrays, _ = jax.lax.scan(body, arrays, jr.split(jr.key(1), 600))
        return eqx.combine(arrays, static)

    found = policy(learn(state).actor, obs)
    assert np.abs(found - wanted).mean() < 0.03


def ranked(returns, steps=4):
    """Episodes with these returns, whose first observation coordinate is their number; the odd
    ones end in a terminal.
    """
    rows = len(returns) * steps
    number = np.repeat(np.arange(len(returns)), steps)
    last = np.arange(rows) % steps == steps - 1
    return random_dataset(
        rows, observations=np.repeat(number[:, None], OBS, axis=1).astype(float),
        rewards=np.repeat(np.asarray(returns, float) / steps, steps),
        terminal=last & (number % 2 == 1), timeout=last & (number % 2 == 0),
    )  # fmt: skip


def kept(data):
    return np.unique(np.asarray(data.observations)[:, 0]).astype(int).tolist()


RETURNS = [3.0, -7.0, 11.0, 5.0, 0.0, 11.5, -1.0, 4.0, 10.0, 2.0]


@pytest.mark.parametrize(
    ("share", "best"),
    [(0.1, [5]), (0.2, [2, 5]), (0.3, [2, 5, 8]), (0.5, [2, 3, 5, 7, 8]), (0.01, [5])],
)
def test_the_best_episodes_are_those_with_the_highest_returns(share, best):
    data = ranked(RETURNS)
    chosen = best_episodes(data, share)
    assert kept(chosen) == best
    assert chosen.num_episodes == len(best)
    assert chosen.num_transitions == 4 * len(best)
    assert f"the {len(best)} episodes with the highest returns" in chosen.source.history[-1]


def test_kept_episodes_keep_how_they_ended():
    chosen = best_episodes(ranked(RETURNS), 0.3)  # 2 and 8 are cut off, 5 falls
    ends = np.asarray(chosen.terminal | chosen.timeout).reshape(3, 4)
    np.testing.assert_array_equal(ends, [[False, False, False, True]] * 3)
    np.testing.assert_array_equal(np.asarray(chosen.terminal).reshape(3, 4)[:, 3], [0, 1, 0])


def test_what_counts_is_the_return_and_not_the_mean_reward():
    steps, short, long = 12, np.full(2, 1.0), np.full(10, 0.5)
    data = random_dataset(
        steps, rewards=np.concatenate([short, long]), terminal=np.isin(np.arange(steps), [1, 11]),
        timeout=np.zeros(steps, bool),
    )  # fmt: skip
    assert best_episodes(data, 0.5).num_transitions == 10


def test_batches_come_from_the_best_episodes_alone():
    data, agent = ranked(RETURNS), BC(best_share=0.2, batch_size=8)
    sampler = agent.prepare(data)
    rows = np.concatenate([agent.sample(sampler, key=jr.key(at)).obs for at in range(20)])
    assert set(rows[:, 0].astype(int)) == {2, 5}
    assert BC(batch_size=8).prepare(data).rows.size == 40


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(UserError, match=r"`best_share` must lie in 0\.\.1, above 0, got"):
        BC(best_share=share, batch_size=4).prepare(random_dataset())


def test_too_few_rows_are_left_for_a_batch():
    with pytest.raises(UserError, match="`batch_size` is 8, but 'arrays' has only 4 usable"):
        BC(best_share=0.1, batch_size=8).prepare(ranked(RETURNS))
