from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from toolkit.data import RawArrays
from toolkit.data.loading import to_dataset
from toolkit.data.structure import infer_structure
from toolkit.data.tasks import parse_task


def raw(arrays, *without, name="arrays"):
    return RawArrays(**{k: v for k, v in arrays.items() if k not in without}, name=name)


def q_learning(arrays, *, terminals, timeouts, max_steps=None):
    """What d4rl.qlearning_dataset keeps: the rows, and the successor as the row after each."""
    rows, step = [], 0
    for i in range(len(terminals) - 1):
        last = timeouts[i] if max_steps is None else step == max_steps - 1
        if last:
            step = 0
            continue
        step = 0 if terminals[i] else step + 1
        rows.append(i)
    return np.array(rows)


def test_a_whole_file_is_taken_at_its_word(recording):
    arrays = recording([5, 7, 4], falls=[True, False, False]).arrays()
    structure = infer_structure(raw(arrays))
    assert np.flatnonzero(structure.terminal).tolist() == [4]
    assert np.flatnonzero(structure.timeout).tolist() == [11, 15]
    assert structure.valid_next.all()
    assert structure.bounds().tolist() == [[0, 5], [5, 12], [12, 16]]


def test_without_timeouts_breaks_come_from_successors(recording):
    arrays = recording([5, 7, 4], falls=[True, False, False]).arrays()
    structure = infer_structure(raw(arrays, "timeouts"))
    assert np.flatnonzero(structure.timeout).tolist() == [11, 15]
    assert structure.valid_next.all()


def test_without_successors_the_last_row_of_an_episode_has_none(recording):
    arrays = recording([5, 7, 4], falls=[True, False, False]).arrays()
    structure = infer_structure(raw(arrays, "next_observations"))
    assert np.flatnonzero(~structure.valid_next).tolist() == [4, 11, 15]
    data = to_dataset(raw(arrays, "next_observations"))
    inside = np.asarray(data.valid_next)
    np.testing.assert_array_equal(
        np.asarray(data.next_observations)[inside], arrays["next_observations"][inside]
    )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("arrays", 1000),
        ("pen-human-v1", 100),
        ("antmaze-umaze-v0", 700),
        ("kitchen-partial-v0", 280),
    ],
)
def test_with_neither_steps_are_counted_up_to_the_named_limit(recording, name, limit):
    arrays = recording([30, limit, limit], falls=[True, False, False]).arrays()
    task = parse_task(name)
    if task:
        rows = len(arrays["observations"])
        arrays["observations"] = np.random.default_rng(0).normal(size=(rows, task.facts.obs_dim))
        arrays["actions"] = np.zeros((rows, task.facts.action_dim))
    structure = infer_structure(raw(arrays, "timeouts", "next_observations", name=name))
    assert np.flatnonzero(structure.timeout).tolist() == [limit + 29, 2 * limit + 29]


def test_a_name_alone_cuts_nothing(recording):
    """`pen-strokes` is somebody's own data: the benchmark's pen has 45 numbers, and 100 steps."""
    arrays = recording([400]).arrays()
    structure = infer_structure(raw(arrays, "timeouts", name="pen-strokes"))
    assert structure.bounds().tolist() == [[0, 400]] and structure.valid_next.all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.booleans()), min_size=2, max_size=8))
def test_counting_agrees_with_d4rl(episodes):
    from toolkit.data.structure import _count_off

    terminals = np.concatenate([np.eye(1, n, n - 1, dtype=bool)[0] & f for n, f in episodes])
    cut = _count_off(terminals, 5)
    ours = np.flatnonzero(~cut[:-1])
    theirs = q_learning({}, terminals=terminals, timeouts=None, max_steps=5)
    # d4rl counts a terminal row that falls on the limit as a time-out and drops it
    on_limit = set(theirs) ^ set(ours)
    assert all(terminals[i] for i in on_limit)


def test_terminal_rows_paired_with_the_next_episode_are_not_for_dynamics(recording):
    arrays = recording([5, 7, 4], falls=[True, True, False]).arrays()
    arrays["next_observations"][[4, 11]] = arrays["observations"][[5, 12]]
    structure = infer_structure(raw(arrays))
    assert np.flatnonzero(structure.to_reset).tolist() == [4, 11]
    assert np.flatnonzero(~structure.valid_next).tolist() == [4, 11]
    assert np.flatnonzero(structure.terminal).tolist() == [4, 11]


def test_reset_states_of_episodes_that_were_sampled_away_are_recognised(recording):
    full = recording([6] * 12, falls=[True] * 12).arrays()
    ends = np.flatnonzero(full["terminals"])
    full["next_observations"][ends[:-1]] = full["observations"][ends[:-1] + 1]
    every_second = (np.arange(72) // 6) % 2 == 0
    structure = infer_structure(raw({k: v[every_second] for k, v in full.items()}))
    assert structure.to_reset.sum() == structure.terminal.sum() == 6
    assert not structure.valid_next[structure.terminal].any()


def test_a_true_fall_is_kept_for_dynamics(recording):
    arrays = recording([6] * 12, falls=[True] * 12).arrays()
    assert infer_structure(raw(arrays)).valid_next.all()


def test_pairs_across_episodes_without_any_flag_are_cut(recording):
    arrays = recording([8] * 10, falls=[True, False] * 5).arrays()
    arrays["next_observations"][:-1] = arrays["observations"][1:]  # consecutive rows, everywhere
    structure = infer_structure(raw(arrays, "timeouts"))
    assert np.flatnonzero(structure.ends).tolist() == list(range(7, 80, 8))
    assert np.flatnonzero(~structure.valid_next).tolist() == list(range(7, 79, 8))


def test_unmarked_breaks_are_cut_even_where_timeouts_exist(recording):
    arrays = recording([5, 7, 4]).arrays()
    arrays["timeouts"][4] = False
    structure = infer_structure(raw(arrays))
    assert np.flatnonzero(structure.timeout).tolist() == [4, 11, 15]


def test_counted_cuts_do_not_keep_the_pair_across_them(recording):
    arrays = recording([100, 100], dims=(45, 24)).arrays()
    arrays["next_observations"][:-1] = arrays["observations"][1:]
    structure = infer_structure(raw(arrays, "timeouts", name="pen-human-v1"))
    assert np.flatnonzero(structure.timeout).tolist() == [99, 199]
    assert not structure.valid_next[99]


def test_nan_does_not_stop_the_inference(recording):
    arrays = recording([5, 7, 4]).arrays()
    arrays["observations"][3] = np.nan
    arrays["next_observations"][8] = np.inf
    assert len(infer_structure(raw(arrays)).bounds()) >= 3


def test_real_sets_have_their_known_segments(shared_data):
    from toolkit.data import load

    known = {
        "hopper-medium-v2-10k": (9013, 21, 21), "hopper-medium-replay-v2-10k": (8491, 50, 42),
        "hopper-expert-v2-10k": (9803, 10, 1), "walker2d-medium-v2-10k": (8761, 11, 3),
        "walker2d-medium-replay-v2-10k": (10394, 40, 24),
        "halfcheetah-medium-v2-10k": (8991, 18, 0),
        "halfcheetah-medium-replay-v2-10k": (9990, 20, 0),
    }  # fmt: skip
    for name, (rows, segments, falls) in known.items():
        data = load(shared_data / "d4rl-small" / f"{name}.hdf5")
        assert (data.num_transitions, data.num_episodes) == (rows, segments)
        assert int(data.terminal.sum()) == falls
        assert int((~data.valid_next).sum()) == falls  # every fall is paired with a reset
