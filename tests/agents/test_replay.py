"""The ring of transitions."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.agents.replay import Replay
from toolkit.data import Transitions
from toolkit.errors import UserError

add = eqx.filter_jit(lambda replay, batch: replay.add(batch))
sample = eqx.filter_jit(lambda replay, key: replay.sample(64, key=key))


def numbered(first, count):
    """Transitions whose every number tells which one they are."""
    n = jnp.arange(first, first + count, dtype=jnp.float32)
    return Transitions(
        jnp.stack([n, n + 0.25], 1), n[:, None] / 64, -n, jnp.stack([n + 1, n + 1.25], 1),
        jnp.arange(first, first + count) % 3 == 0,
    )  # fmt: skip


def test_what_comes_out_is_what_went_in(getkey):
    batch = sample(add(Replay.empty(8, 2, 1), numbered(5, 4)), getkey())
    n = np.asarray(batch.obs[:, 0])
    assert set(n) == {5, 6, 7, 8}
    np.testing.assert_array_equal(batch.obs[:, 1], n + 0.25)
    np.testing.assert_array_equal(batch.action[:, 0], n / 64)
    np.testing.assert_array_equal(batch.reward, -n)
    np.testing.assert_array_equal(batch.next_obs[:, 0], n + 1)
    np.testing.assert_array_equal(batch.terminal, n % 3 == 0)


def test_only_filled_rows_are_drawn_then_the_oldest_are_overwritten(getkey):
    replay = Replay.empty(8, 2, 1)
    for first in (0, 4):
        replay = add(replay, numbered(first, 4))
    assert set(np.asarray(sample(replay, getkey()).obs[:, 0])) == set(range(8))
    replay = add(replay, numbered(8, 4))
    assert int(replay.count) == 12
    assert set(np.asarray(sample(replay, getkey()).obs[:, 0])) == set(range(4, 12))


def test_of_a_batch_only_what_is_kept_is_added_and_the_oldest_go_first(getkey):
    replay = Replay.empty(6, 2, 1)
    some = eqx.filter_jit(lambda replay, batch, kept: replay.add_some(batch, kept))
    replay = some(replay, numbered(1, 4), jnp.array([True, False, True, False]))
    assert int(replay.count) == 2
    assert set(np.asarray(sample(replay, getkey()).obs[:, 0])) == {1, 3}
    replay = some(replay, numbered(11, 5), jnp.array([False, True, True, True, True]))
    np.testing.assert_array_equal(replay.rows[:, 0], [1, 3, 12, 13, 14, 15])
    replay = some(replay, numbered(21, 3), jnp.array([True, True, True]))
    np.testing.assert_array_equal(replay.rows[:, 0], [21, 22, 23, 13, 14, 15])
    np.testing.assert_array_equal(replay.rows[:, 2], -replay.rows[:, -2] / 64)
    assert int(replay.count) == 9


def test_no_room_is_refused():
    with pytest.raises(UserError, match="`replay_capacity` must be at least 1, got 0"):
        Replay.empty(0, 2, 1)


def test_a_million_steps_of_walker2d_take_less_than_a_gigabyte():
    replay = eqx.filter_eval_shape(Replay.empty, 1_000_000, 17, 6)
    assert replay.rows.size * 4 < 0.2e9
