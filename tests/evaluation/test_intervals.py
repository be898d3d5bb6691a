"""IQM, optimality gap and bootstrap, against SciPy, by hand and against the reference library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from toolkit.errors import UserError
from toolkit.evaluation.intervals import (
    bootstrap_interval,
    episode_interval,
    interquartile_mean,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
    profile_interval,
    rank_correlation,
)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (5, 4), (7, 3)])
def test_iqm_is_the_trimmed_mean(shape):
    scores = np.random.default_rng(0).normal(size=shape)
    assert interquartile_mean(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))


def test_iqm_drops_a_quarter_at_each_end():
    assert interquartile_mean(np.array([[-1e9, 2.0], [3.0, 1e9]])) == 2.5


def test_optimality_gap_counts_what_is_beyond_the_target_as_reached():
    scores = np.array([[0.5, 2.0], [1.0, 0.0]])
    assert optimality_gap(scores) == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert optimality_gap(scores, target=2.0) == pytest.approx((1.5 + 0 + 1 + 2) / 4)


def test_equal_scores_have_no_width():
    assert bootstrap_interval(np.full((5, 2), 0.3)) == pytest.approx((0.3, 0.3))


def test_tasks_are_resampled_each_on_their_own():
    # Within a task all runs agree, so drawing runs within tasks can change nothing, while a
    # bootstrap over the pooled entries would.
    scores = np.tile([[0.0, 10.0]], (6, 1))
    mean = lambda drawn: float(drawn.mean())
    assert bootstrap_interval(scores, mean) == (5.0, 5.0)


def test_runs_are_not_resampled_as_whole_rows():
    # Whole rows always sum to one; runs drawn within each task do not.
    first = np.random.default_rng(1).uniform(size=(8, 1))
    low, high = bootstrap_interval(np.hstack([first, 1 - first]), lambda x: float(x.mean()))
    assert low < 0.49
    assert high > 0.51


def test_the_interval_of_a_mean_has_the_textbook_width():
    scores = np.random.default_rng(2).normal(size=(400, 1))
    low, high = bootstrap_interval(scores, lambda drawn: float(drawn.mean()), num_samples=4000)
    error = 1.96 * scores.std() / 20
    np.testing.assert_allclose(
        [low, high], [scores.mean() - error, scores.mean() + error], atol=6e-3
    )


def test_a_seed_gives_the_same_interval_again():
    scores = np.random.default_rng(3).normal(size=(5, 2))
    assert bootstrap_interval(scores, seed=1) == bootstrap_interval(scores, seed=1)
    assert bootstrap_interval(scores, seed=1) != bootstrap_interval(scores, seed=2)


@pytest.mark.filterwarnings("ignore")
def test_against_rliable():
    try:
        from rliable import library as rly, metrics
    except Exception as error:  # with a pandas that it does not know, importing it fails anyhow
        pytest.skip(f"rliable cannot be imported: {type(error).__name__}: {error}")

    scores = np.random.default_rng(4).normal(size=(10, 3))
    assert interquartile_mean(scores) == pytest.approx(metrics.aggregate_iqm(scores))
    assert optimality_gap(scores) == pytest.approx(metrics.aggregate_optimality_gap(scores))
    np.random.seed(0)
    _, intervals = rly.get_interval_estimates(
        {"model": scores}, lambda x: np.array([metrics.aggregate_iqm(x)]), reps=4000
    )
    ours = bootstrap_interval(scores, num_samples=4000)
    np.testing.assert_allclose(ours, intervals["model"][:, 0], atol=0.05)


@pytest.mark.parametrize(
    ("scores", "options", "sentence"),
    [
        (np.zeros((0, 1)), {}, "at least one"),
        (np.array([[np.nan]]), {}, "must be finite"),
        (np.zeros((2, 1)), {"confidence": 1.0}, "`confidence` must lie between 0 and 1"),
        (np.zeros((2, 1)), {"num_samples": 0}, "got 0.95 and 0"),
    ],
)
def test_what_cannot_be_resampled_is_refused(scores, options, sentence):
    with pytest.raises(UserError, match=sentence):
        bootstrap_interval(scores, **options)


def test_the_rank_correlation_is_scipys_with_ties_too():
    rng = np.random.default_rng(0)
    for decimals in (8, 1):
        one, other = rng.normal(size=(2, 60)).round(decimals)
        other = (other + one).round(decimals)
        expected = stats.spearmanr(one, other).statistic
        assert rank_correlation(one, other) == pytest.approx(expected)
    assert rank_correlation(np.arange(5.0), np.exp(np.arange(5.0))) == pytest.approx(1)
    assert np.isnan(rank_correlation(np.arange(3.0), np.ones(3)))
    with pytest.raises(UserError, match="of one length, got 3 and 2"):
        rank_correlation(np.arange(3.0), np.ones(2))


def test_whole_episodes_are_drawn():
    # Within an episode all rows agree: 4 episodes give the bootstrap of 4 values, not of 400.
    values, episodes = np.repeat([0.0, 1.0, 2.0, 9.0], 100), np.repeat([7, 3, 5, 4], 100)
    mean = lambda rows: float(values[rows].mean())
    low, high = episode_interval(mean, episodes, num_samples=2000)
    drawn = np.random.default_rng(1).choice([0.0, 1.0, 2.0, 9.0], (20_000, 4)).mean(1)
    np.testing.assert_allclose([low, high], np.quantile(drawn, [0.025, 0.975]), atol=0.3)
    seen: list[np.ndarray] = []
    episode_interval(lambda rows: float(seen.append(rows) or 0.0), episodes, num_samples=3)
    for rows in seen:
        counts = np.bincount(rows, minlength=400).reshape(4, 100)
        assert counts.sum() == 400
        np.testing.assert_array_equal(counts, counts[:, :1].repeat(100, 1))


def test_draws_without_a_value_are_left_out():
    episodes = np.array([0, 0, 1, 1])
    only_first = lambda rows: 1.0 if 0 in rows else float("nan")
    assert episode_interval(only_first, episodes) == (1.0, 1.0)
    with pytest.raises(UserError, match="finite in no draw"):
        episode_interval(lambda rows: float("nan"), episodes)
    with pytest.raises(UserError, match="at least two, got 1"):
        episode_interval(only_first, np.zeros(4))


def test_the_profile_is_the_share_of_entries_above_each_threshold():
    scores = np.array([[0.0, 10.0], [20.0, 30.0], [40.0, 50.0]])
    found = performance_profile(scores, np.array([-1.0, 0.0, 25.0, 50.0]))
    np.testing.assert_allclose(found, [1.0, 5 / 6, 0.5, 0.0])


def test_the_profiles_interval_comes_from_runs_within_their_tasks():
    spread = np.random.default_rng(0).normal(size=(6, 3)) + np.array([0.0, 5.0, 10.0])
    thresholds = np.linspace(-2, 12, 8)
    low, high = profile_interval(spread, thresholds, num_samples=400)
    inside = performance_profile(spread, thresholds)
    assert (low <= inside).all() and (inside <= high).all() and (high - low).max() > 0.05
    # tasks are fixed: between two tasks whose runs do not overlap nothing is uncertain
    apart = np.array([[0.0, 10.0], [1.0, 11.0]])
    low, high = profile_interval(apart, np.array([5.0]), num_samples=50)
    assert (low[0], high[0]) == (0.5, 0.5)
    single = np.array([[1.0, 2.0]])
    low, high = profile_interval(single, np.array([1.5]), num_samples=20)
    assert low[0] == high[0] == 0.5  # one run says nothing of its own spread


def test_the_probability_of_improvement_counts_pairs_within_a_task():
    scores = np.array([[1.0, 5.0], [3.0, 5.0]])
    others = np.array([[2.0, 5.0], [0.0, 6.0], [3.0, 4.0]])
    first = (1 + 2.5) / 6  # 1 beats 0; 3 beats 2 and 0, and ties with 3
    second = (0.5 + 0 + 1) / 3
    found = probability_of_improvement(scores, others)
    assert found == pytest.approx((first + second) / 2)
    assert found + probability_of_improvement(others, scores) == pytest.approx(1)
    with pytest.raises(UserError, match="same tasks, got 2 and 1"):
        probability_of_improvement(scores, others[:, :1])
