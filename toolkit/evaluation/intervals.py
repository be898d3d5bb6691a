"""Aggregates over runs and tasks, and how sure they are. Source: arXiv:2108.13264.

Scores are `(runs, tasks)`: one row per seed, one column per task.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from toolkit.errors import UserError

Scores = Float[np.ndarray, "runs tasks"]


def interquartile_mean(scores: Scores) -> float:
    """IQM: the mean of what is left of all entries without a quarter, rounded down, at each end."""
    entries = np.sort(scores, axis=None)
    cut = entries.size // 4
    return float(entries[cut : entries.size - cut].mean())


def optimality_gap(scores: Scores, target: float = 1.0) -> float:
    """How far scores fall short of `target` on average; what lies beyond it counts as reached."""
    return float(target - np.minimum(scores, target).mean())


def probability_of_improvement(
    scores: Scores, others: Float[np.ndarray, "other_runs other_tasks"]
) -> float:
    """How often a run of the first beats a run of the second on one task; a tie counts half.

    The mean over tasks of the share among all pairs of runs. Source: arXiv:2108.13264 §4.3.

    Raises:
        UserError: the two have other tasks.
    """
    if scores.shape[1] != others.shape[1]:
        raise UserError(
            f"Both must hold the same tasks, got {scores.shape[1]} and {others.shape[1]}."
        )
    one, other = scores[:, None], others[None]
    return float(np.mean((one > other) + 0.5 * (one == other)))


def performance_profile(
    scores: Scores, thresholds: Float[np.ndarray, " thresholds"]
) -> Float[np.ndarray, " thresholds"]:
    """The share of all entries above each threshold: how often a run does at least that well."""
    return (scores[:, :, None] > thresholds[None, None]).mean(axis=(0, 1))


def profile_interval(
    scores: Scores,
    thresholds: Float[np.ndarray, " thresholds"],
    *,
    confidence: float = 0.95,
    num_samples: int = 2000,
    seed: int = 0,
) -> tuple[Float[np.ndarray, " thresholds"], Float[np.ndarray, " thresholds"]]:
    """Percentile interval of the performance profile at each threshold by itself.

    Runs are drawn with replacement within each task on its own; the tasks are fixed.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(scores), size=(num_samples, *scores.shape))
    profiles = np.array([
        performance_profile(np.take_along_axis(scores, rows, axis=0), thresholds) for rows in drawn
    ])  # fmt: skip
    low, high = np.quantile(profiles, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high


def bootstrap_interval(
    scores: Scores,
    aggregate: Callable[[Scores], float] = interquartile_mean,
    *,
    confidence: float = 0.95,
    num_samples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of an aggregate by the stratified bootstrap.

    Runs are drawn with replacement within each task on its own; the tasks are fixed.

    Raises:
        UserError: `scores` is empty or not finite, or an argument is out of range.
    """
    if scores.size == 0 or not np.isfinite(scores).all():
        raise UserError(f"`scores` must be finite numbers, at least one, got {scores}.")
    if not 0 < confidence < 1 or num_samples < 1:
        raise UserError(
            "`confidence` must lie between 0 and 1 and `num_samples` be at least 1, got "
            f"{confidence} and {num_samples}."
        )
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(scores), size=(num_samples, *scores.shape))
    samples = [aggregate(np.take_along_axis(scores, rows, axis=0)) for rows in drawn]
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def episode_interval(
    statistic: Callable[[np.ndarray], float],
    episodes: np.ndarray,
    *,
    confidence: float = 0.95,
    num_samples: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a statistic of rows, by drawing whole episodes with replacement.

    Rows of one episode resemble each other, so drawing them one by one would promise too much.
    `statistic` gets row numbers; draws for which it is not finite (an empty group) are left out.

    Shapes: `episodes (rows,)`, the episode of each row.
    Raises:
        UserError: there are fewer than two episodes, or the statistic is finite in no draw.
    """
    _, episode = np.unique(episodes, return_inverse=True)
    rows_of = np.split(np.argsort(episode, kind="stable"), np.cumsum(np.bincount(episode))[:-1])
    if len(rows_of) < 2:
        raise UserError(f"An interval over episodes needs at least two, got {len(rows_of)}.")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(rows_of), size=(num_samples, len(rows_of)))
    samples = np.array([statistic(np.concatenate([rows_of[e] for e in row])) for row in drawn])
    samples = samples[np.isfinite(samples)]
    if not samples.size:
        raise UserError("`statistic` was finite in no draw of episodes.")
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's ρ of two vectors: 1 where the larger of one is the larger of the other.

    Equal values share the mean of their ranks; NaN where a vector is constant or too short.

    Raises:
        UserError: the two differ in length.
    """
    if len(one) != len(other):
        raise UserError(f"Both vectors must be of one length, got {len(one)} and {len(other)}.")
    first, second = _ranks(np.asarray(one)), _ranks(np.asarray(other))
    if len(one) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count + 1) / 2)[which]
