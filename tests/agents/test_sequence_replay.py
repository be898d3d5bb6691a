"""Sequences and priorities: what is drawn how often, and where a sequence ends."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.sequence_replay import SequenceReplay, draw
from toolkit.data import Transitions
from toolkit.errors import UserError

COPIES, LENGTH, HORIZON = 2, 5, 4


def steps_of(begin, count):
    """Steps of two copies: the observation is (copy, episode, step); every third episode falls."""
    columns = {name: [] for name in ("obs", "action", "reward", "next_obs", "terminal")}
    for time in range(begin, begin + count):
        episode, step = divmod(time, LENGTH)
        for copy in range(COPIES):
            obs = [copy, episode, step]
            columns["obs"].append(obs)
            columns["next_obs"].append([copy, episode, step + 1])
            columns["action"].append([0.1 * time])
            columns["reward"].append(10.0 * time + copy)
            columns["terminal"].append(step == LENGTH - 1 and episode % 3 == 0)
    return Transitions(*(
        jnp.asarray(columns[name], bool if name == "terminal" else jnp.float32)
        for name in ("obs", "action", "reward", "next_obs", "terminal")
    ))  # fmt: skip


def filled(rounds, capacity=60, per_round=5):
    replay = SequenceReplay.empty(capacity, 3, 1, COPIES)
    for number in range(rounds):
        replay = replay.add(steps_of(number * per_round, per_round))
    return replay


@pytest.mark.parametrize("rounds", [1, 3, 6, 8])
def test_a_sequence_is_what_happened_up_to_the_episodes_end(rounds):
    """Partly filled, just full, and overwritten: 6 rounds of 10 rows fill the ring."""
    replay, last = filled(rounds), 5 * rounds - 1
    batch = eqx.filter_jit(replay.sample)(200, HORIZON, correction=0.4, key=jr.key(0))
    starts = np.asarray(batch.reward[0]) // 10
    assert starts.max() == last and starts.min() == max(0, last - 29)  # all rows may start one
    for column in range(200):
        copy, episode, step = map(int, batch.obs[column])
        time = episode * LENGTH + step
        expected = min(HORIZON, LENGTH - step, last - time + 1)
        np.testing.assert_array_equal(batch.valid[:, column], np.arange(HORIZON) < expected)
        for k in range(expected):
            assert float(batch.reward[k, column]) == 10 * (time + k) + copy
            assert float(batch.action[k, column, 0]) == pytest.approx(0.1 * (time + k))
            np.testing.assert_array_equal(batch.next_obs[k, column], [copy, episode, step + k + 1])
            falls = episode % 3 == 0 and step + k == LENGTH - 1
            assert bool(batch.terminal[k, column]) == falls


def test_rows_are_drawn_in_proportion_to_their_weights():
    """Over several blocks of the sum, with rows that weigh nothing."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(size=2500) * (np.arange(2500) % 7 != 0)
    weights[1100] = 400.0
    found = np.asarray(draw(jnp.asarray(weights, jnp.float32), 40_000, key=jr.key(1)))
    share = weights / weights.sum()
    counts = np.bincount(found, minlength=2500)
    assert (counts[weights == 0] == 0).all()
    assert counts[1100] / 40_000 == pytest.approx(share[1100], rel=0.03)
    for part in np.array_split(np.arange(2500), 10):
        error = np.sqrt(share[part].sum() / 40_000)
        assert counts[part].sum() / 40_000 == pytest.approx(share[part].sum(), abs=4 * error)


def test_new_rows_are_as_likely_as_the_likeliest_and_errors_set_the_rest():
    replay = filled(1)
    np.testing.assert_array_equal(replay.priorities, [1.0] * 10 + [0.0] * 50)
    errors = jnp.array([32.0, 0.0, 1e9])
    changed = replay.reprioritised(jnp.array([3, 4, 5]), errors, 0.6)
    expected = (np.minimum(errors, 1e4) + 1e-6) ** 0.6
    np.testing.assert_allclose(changed[3:6], expected, rtol=1e-5)
    np.testing.assert_array_equal(changed[:3], 1.0)
    again = eqx.tree_at(lambda r: r.priorities, replay, changed).add(steps_of(5, 5))
    np.testing.assert_allclose(again.priorities[10:20], 1e4**0.6, rtol=1e-5)


def test_the_weights_correct_for_the_drawing():
    replay = filled(2)
    priorities = jnp.where(jnp.arange(60) < 20, jnp.arange(1.0, 61.0), 0.0)
    replay = eqx.tree_at(lambda r: r.priorities, replay, priorities)
    batch = replay.sample(50, HORIZON, correction=0.4, key=jr.key(2))
    index = np.asarray(batch.index)
    expected = (20 * (index + 1) / np.sum(np.arange(1, 21))) ** -0.4
    np.testing.assert_allclose(batch.weight, expected / expected.max(), rtol=1e-5)
    assert set(index) <= set(range(20)) and len(set(index)) > 10


def test_no_room_is_refused():
    with pytest.raises(UserError, match="`replay_capacity` must be at least 1, got 0"):
        SequenceReplay.empty(0, 3, 1, 2)
