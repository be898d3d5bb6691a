from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from toolkit.data import (
    Dataset,
    WindowSampler,
    load,
    low_speed,
    split_episodes,
    subsample,
    subsample_episodes,
    subsampling,
)
from toolkit.errors import UserError


def dataset(num_episodes=10, length=5):
    rows = num_episodes * length
    obs = np.stack([np.arange(rows), np.arange(rows) // length], 1).astype(np.float32)
    return Dataset.from_arrays(
        obs, obs[:, :1], obs[:, 0], obs + 1, timeout=np.arange(rows) % length == length - 1
    )


def ids(data):
    return sorted(set(np.asarray(data.observations[:, 1]).astype(int).tolist()))


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 12), st.floats(0.01, 0.99), st.integers(0, 99))
def test_no_episode_is_on_both_sides_of_a_split(count, fraction, seed):
    train, test = split_episodes(dataset(count, 2), fraction, seed=seed)
    assert not set(ids(train)) & set(ids(test))
    assert ids(train) + ids(test) != []
    assert sorted(ids(train) + ids(test)) == list(range(count))
    assert test.num_episodes == min(max(round(fraction * count), 1), count - 1)


def test_a_split_is_drawn_by_its_seed_and_recorded():
    one, two, three = (split_episodes(dataset(), seed=seed) for seed in (0, 0, 1))
    assert ids(one[1]) == ids(two[1]) != ids(three[1])
    assert one[0].source.history == (
        "training part of a split by episode, test fraction 0.2, seed 0",
    )


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0, float("nan")])
def test_impossible_fractions_are_refused(fraction):
    with pytest.raises(UserError, match="`test_fraction` must lie between 0 and 1"):
        split_episodes(dataset(), fraction)


def test_a_single_episode_cannot_be_split():
    with pytest.raises(UserError, match="single episode"):
        split_episodes(dataset(1))


def test_subsampling_takes_whole_episodes_in_order_and_lists_them():
    smaller = subsample_episodes(dataset(), num_episodes=3, seed=4)
    chosen = ids(smaller)
    assert smaller.num_transitions == 15
    assert smaller.num_episodes == 3
    assert np.all(np.diff(np.asarray(smaller.observations[:, 0])) > 0)
    listed = ", ".join(map(str, chosen))
    assert smaller.source.history == (f"3 of 10 episodes drawn with seed 4: {listed}",)


def test_fraction_and_number_draw_the_same_episodes():
    by_number = subsample_episodes(dataset(), num_episodes=4, seed=1)
    assert ids(subsample_episodes(dataset(), fraction=0.4, seed=1)) == ids(by_number)
    assert subsample_episodes(dataset(), fraction=1e-9).num_episodes == 1
    assert ids(subsample_episodes(dataset(), num_episodes=4, seed=2)) != ids(by_number)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Exactly one of `num_episodes`, `fraction` and `num_transitions`"),
        ({"num_episodes": 1, "fraction": 0.5}, "Exactly one"),
        ({"num_episodes": 1, "num_transitions": 5}, "Exactly one"),
        ({"num_transitions": 0}, r"`num_transitions` must lie in 1\.\.50, got 0"),
        ({"num_transitions": 51}, r"1\.\.50, got 51"),
        ({"num_episodes": 0}, r"`num_episodes` must lie in 1\.\.10, got 0"),
        ({"num_episodes": 11}, r"1\.\.10, got 11"),
        ({"fraction": 0.0}, r"`fraction` must lie in \(0, 1\], got 0\.0"),
    ],
)
def test_wrong_amounts_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        subsample_episodes(dataset(), **arguments)


def test_a_number_of_transitions_is_met_to_within_an_episode_and_subsets_are_nested():
    lengths = np.array([3, 9, 4, 8, 2, 7])
    ends = np.isin(np.arange(lengths.sum()), np.cumsum(lengths) - 1)
    obs = np.stack([np.arange(len(ends)), np.repeat(np.arange(6), lengths)], 1)
    whole = Dataset.from_arrays(obs, obs[:, :1], obs[:, 0], obs + 1, timeout=ends)
    drawn = lengths[np.random.default_rng(5).permutation(6)]
    reachable, before = np.cumsum(drawn), []
    for wanted in (1, 6, 15, 24, 33):
        smaller = subsample_episodes(whole, num_transitions=wanted, seed=5)
        assert abs(smaller.num_transitions - wanted) == np.abs(reachable - wanted).min()
        assert set(before) <= set(ids(smaller))
        before = ids(smaller)
    assert before == list(range(6))  # all of it


def test_the_history_of_many_episodes_names_the_seed_alone(monkeypatch):
    monkeypatch.setattr(subsampling, "LISTED", 3)
    few, many = (subsample_episodes(dataset(), num_episodes=n, seed=4) for n in (3, 4))
    assert "seed 4: " in few.source.history[0]
    assert many.source.history == ("4 of 10 episodes drawn with seed 4",)


def test_a_written_subsample_is_read_back_with_its_history(tmp_path, recording, hdf5):
    file = hdf5(tmp_path / "all.hdf5", recording([6, 7, 8], falls=[True, False, True]).arrays())
    smaller = subsample(file, tmp_path / "some.hdf5", num_episodes=2, seed=3)
    again = load(tmp_path / "some.hdf5")
    np.testing.assert_array_equal(again.observations, smaller.observations)
    np.testing.assert_array_equal(again.terminal, smaller.terminal)
    assert again.source.history == smaller.source.history
    assert again.source.history[0].startswith("2 of 3 episodes drawn with seed 3: ")


def test_slow_rows_are_kept_and_no_window_steps_over_a_gap():
    speed = np.array([0, 1, 9, 1, 1, 2, 10, 0, 2, 2], np.float32)
    obs = np.stack([np.arange(10), speed], 1).astype(np.float32)
    successor = obs + np.array([1, 0], np.float32)
    falls = np.arange(10) == 4
    data = Dataset.from_arrays(obs, obs, speed, successor, terminal=falls)
    slow = low_speed(data, dim=1, fraction=0.2)
    assert slow.observations[:, 0].tolist() == [0, 1, 3, 4, 5, 7, 8, 9]
    assert slow.episode.tolist() == [0, 0, 1, 1, 2, 3, 3, 3]
    assert slow.timeout.tolist() == [False, True, False, False, True, False, False, True]
    assert slow.terminal.tolist() == [i == 3 for i in range(8)]
    window = WindowSampler(slow, 2).gather(WindowSampler(slow, 2).starts)
    assert np.all(np.diff(np.asarray(window.obs)[:, :, 0], axis=0) == 1)
    assert "at most 2 (0.2 of its maximum)" in slow.source.history[0]


def test_low_speed_matches_the_published_count_of_kept_rows(shared_data):
    data = load(shared_data / "d4rl-small" / "walker2d-medium-v2-10k.hdf5")
    slow = low_speed(data)
    speed = np.asarray(data.observations)[:, 8]
    assert slow.num_transitions == (speed <= 0.2 * speed.max()).sum()
    assert 0.1 < slow.num_transitions / data.num_transitions < 0.4  # 200k of a million published


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dim": 2}, r"`dim` must lie in 0\.\.1, got 2"),
        ({"dim": 0, "fraction": 0.0}, "`fraction` must lie"),
    ],
)
def test_wrong_filters_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        low_speed(dataset(), **arguments)


def test_a_coordinate_that_is_never_positive_cannot_be_filtered():
    data = Dataset.from_arrays(-np.ones((3, 1)), np.ones((3, 1)), np.ones(3))
    with pytest.raises(UserError, match="Coordinate 0 must have a positive maximum"):
        low_speed(data, dim=0)
