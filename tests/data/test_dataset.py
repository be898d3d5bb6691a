from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from toolkit.data import Dataset, Source, TransitionSampler, WindowSampler
from toolkit.data.samplers import run_lengths
from toolkit.errors import UserError


def numbered(lengths, *, terminal=(), invalid=()):
    """Row i observes i; its successor is i + 0.5 where the episode ends, so crossings show."""
    rows = sum(lengths)
    obs = np.arange(rows, dtype=np.float32)[:, None]
    ends = np.cumsum(lengths) - 1
    successor = obs + 1
    successor[ends] = obs[ends] + 0.5
    falls = np.isin(np.arange(rows), [ends[i] for i in terminal])
    timeout = np.isin(np.arange(rows), ends) & ~falls
    valid = ~np.isin(np.arange(rows), invalid)
    return Dataset.from_arrays(
        obs, obs, obs[:, 0], successor, terminal=falls, timeout=timeout, valid_next=valid
    )


def test_every_name_of_the_package_is_there():
    import toolkit.data

    assert [getattr(toolkit.data, name).__name__ for name in toolkit.data.__all__] == list(
        toolkit.data.__all__
    )


def test_episodes_end_at_terminals_timeouts_and_the_last_row():
    flags = np.zeros(6, bool)
    terminal, timeout = flags.copy(), flags.copy()
    terminal[1], timeout[3] = True, True
    data = Dataset.from_arrays(
        np.zeros((6, 2)), np.zeros((6, 1)), np.zeros(6), terminal=terminal, timeout=timeout
    )
    assert data.episode.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.timeout.tolist() == [False, False, False, True, False, True]
    assert data.valid_next.tolist() == [True, False, True, False, True, False]
    assert data.episode_bounds().tolist() == [[0, 2], [2, 4], [4, 6]]


def test_terminal_wins_where_both_flags_are_set():
    both = np.array([False, True])
    data = Dataset.from_arrays(
        np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(2), terminal=both, timeout=both
    )
    assert data.terminal.tolist() == [False, True]
    assert data.timeout.tolist() == [False, False]


def test_columns_are_squeezed_and_types_are_float32():
    data = Dataset.from_arrays(
        np.zeros((3, 2)), np.zeros((3, 1), int), np.ones((3, 1)), terminal=np.zeros((3, 1))
    )
    assert data.rewards.shape == data.terminal.shape == (3,)
    assert {a.dtype for a in (data.observations, data.actions, data.rewards)} == {
        np.dtype("float32")
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observations": np.zeros(4)}, r"`observations` must be a non-empty \(rows, dims\)"),
        ({"observations": np.zeros((0, 2))}, "`observations` must be a non-empty"),
        ({"actions": np.zeros((3, 1))}, "`actions` must have 4 rows like `observations`, got 3"),
        ({"rewards": np.zeros((4, 2))}, r"`rewards` must have 4 rows .* got \(4, 2\)"),
        (
            {"next_observations": np.zeros((4, 3))},
            r"shape of `observations` \(4, 2\), got \(4, 3\)",
        ),
        ({"observations": np.full((4, 2), np.nan)}, "`observations` is not finite in 4 of 4 rows"),
        ({"rewards": np.array([0, np.inf, 0, 0])}, "`rewards` is not finite in 1 .* being row 1"),
        ({"observations": np.full((4, 2), 1e300)}, "`observations` is not finite"),
        ({"actions": np.full((4, 1), "left")}, "`actions` must hold numbers"),
    ],
)
def test_wrong_arrays_are_refused_by_name(change, message):
    arrays = {
        "observations": np.zeros((4, 2)), "actions": np.zeros((4, 1)), "rewards": np.zeros(4),
    }  # fmt: skip
    with pytest.raises(UserError, match=message):
        Dataset.from_arrays(**(arrays | change))


def test_a_successor_that_is_not_used_may_be_anything():
    successor = np.array([[1.0], [np.nan]])
    data = Dataset.from_arrays(
        np.zeros((2, 1)), np.zeros((2, 1)), np.zeros(2), successor, valid_next=np.array([1, 0])
    )
    assert np.isfinite(np.asarray(data.next_observations)).all()


def test_chosen_episodes_keep_their_rows_and_say_so():
    data = numbered([2, 3, 4], terminal=[1])
    chosen = data.take_episodes(np.array([2, 1]), "two")
    assert chosen.observations[:, 0].tolist() == [5, 6, 7, 8, 2, 3, 4]
    assert chosen.episode.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert chosen.terminal.tolist() == [False] * 6 + [True]
    assert chosen.source.history == ("two",)
    with pytest.raises(UserError, match=r"must lie in 0\.\.2, got 1\.\.3"):
        data.take_episodes(np.array([1, 3]), "")
    with pytest.raises(UserError, match="nothing to make a dataset of"):
        data.take_episodes(np.array([], int), "")


def test_repr_counts():
    text = repr(numbered([2, 3], terminal=[0]))
    assert "5 transitions in 2 episodes, obs 1, action 1, 1 terminals, 1 timeouts" in text


def test_source_adds_steps_without_changing_the_old_one():
    source = Source("a")
    assert source.then("x").then("y").history == ("x", "y")
    assert source.history == ()


def test_run_lengths_stop_at_episodes_and_invalid_rows():
    data = numbered([3, 4], invalid=[4])
    assert run_lengths(data).tolist() == [3, 2, 1, 1, 0, 2, 1]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.sets(st.integers(0, 35)),
    st.integers(1, 6),
)
def test_no_window_crosses_an_episode_or_an_invalid_row(lengths, invalid, horizon):
    data = numbered(lengths, invalid=[i for i in invalid if i < sum(lengths)])
    valid, episode = np.asarray(data.valid_next), np.asarray(data.episode)
    honest = [
        i
        for i in range(len(valid) - horizon + 1)
        if valid[i : i + horizon].all() and np.ptp(episode[i : i + horizon]) == 0
    ]
    if not honest:
        with pytest.raises(UserError, match=f"`horizon` is {horizon}, but the longest"):
            WindowSampler(data, horizon)
        return
    sampler = WindowSampler(data, horizon)
    assert sampler.starts.tolist() == honest
    assert sampler.num_windows == len(honest)
    window = sampler.gather(sampler.starts)
    steps = np.diff(np.asarray(window.obs)[:, :, 0], axis=0)
    assert window.obs.shape == (horizon + 1, len(honest), 1)
    assert np.isin(steps, [1.0, 0.5]).all()
    np.testing.assert_array_equal(window.obs[:-1], window.action)


def test_horizon_below_one_is_refused():
    with pytest.raises(UserError, match="`horizon` must be at least 1, got 0"):
        WindowSampler(numbered([3]), 0)


def test_transitions_skip_rows_without_successor_unless_terminal(getkey):
    data = numbered([3, 3], terminal=[0], invalid=[2, 4])
    sampler = TransitionSampler(data)
    assert sampler.rows.tolist() == [0, 1, 2, 3, 5]
    batch = sampler.sample(200, key=getkey())
    assert set(batch.obs[:, 0].tolist()) == {0, 1, 2, 3, 5}
    assert set(batch.obs[batch.terminal][:, 0].tolist()) == {2}
    with pytest.raises(UserError, match="no row with a known successor"):
        TransitionSampler(numbered([2], invalid=[0, 1]))


def test_samplers_run_inside_compiled_code(getkey):
    data = numbered([5, 5])
    window = jax.jit(lambda s, k: s.sample(4, key=k))(WindowSampler(data, 3), getkey())
    assert window.obs.shape == (4, 4, 1)
    assert window.reward.shape == (3, 4)
