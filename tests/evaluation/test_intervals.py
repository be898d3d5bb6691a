"""IQM, optimality gap and bootstrap, against SciPy, by hand and against the reference library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from toolkit.errors import UserError
from toolkit.evaluation.intervals import bootstrap_interval, interquartile_mean, optimality_gap


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
