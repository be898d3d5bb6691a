"""How much of state and action space a dataset touches, as a handful of numbers."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from toolkit.data.arrays import RawArrays

NUM_BINS = 10
MAX_ROWS = 50_000
NUM_QUERIES = 500
NUM_REFERENCES = 5_000


def coverage_facts(raw: RawArrays) -> dict[str, Any]:
    """Ranges, effective dimension, touched action space and spacing of the finite rows.

    Sets of more than 50,000 rows are judged by that many, evenly spaced.
    """
    at = np.unique(np.linspace(0, len(raw.observations) - 1, MAX_ROWS).astype(int))
    obs, action = raw.observations[at].astype(np.float64), raw.actions[at].astype(np.float64)
    good = np.isfinite(obs).all(1) & np.isfinite(action).all(1)
    if good.sum() < 2:
        return {}
    obs, action = obs[good], action[good]
    return {
        "effective dimension": effective_dimension(obs),
        "share of action space": action_share(action),
        "nearest neighbour, z-score": neighbour_spacing(obs),
        "observation range": np.stack([obs.min(0), obs.max(0)], 1).tolist(),
        "action range": np.stack([action.min(0), action.max(0)], 1).tolist(),
    }


def effective_dimension(obs: np.ndarray) -> float:
    """Participation ratio of the principal components of the z-scored observations.

    (Σλ)²/Σλ²: one where all coordinates move together, `obs` where they move independently.
    """
    moving = obs[:, obs.std(0) > 0]
    if moving.shape[1] == 0:
        return 0.0
    scores = (moving - moving.mean(0)) / moving.std(0)
    variances = np.linalg.eigvalsh(scores.T @ scores / len(scores))
    return float(variances.sum() ** 2 / (variances**2).sum())


def action_share(action: np.ndarray) -> float:
    """Share of the cells of a 10 × 10 grid on [−1, 1]² that are touched, averaged over all pairs
    of action coordinates (of ten cells on [−1, 1] where there is one coordinate).
    """
    cells = np.clip(((action + 1) / 2 * NUM_BINS).astype(int), 0, NUM_BINS - 1)
    if cells.shape[1] == 1:
        return len(np.unique(cells)) / NUM_BINS
    pairs = combinations(cells.T, 2)
    shares = [len(np.unique(a * NUM_BINS + b)) / NUM_BINS**2 for a, b in pairs]
    return float(np.mean(shares))


def neighbour_spacing(obs: np.ndarray) -> float:
    """Median distance to the nearest other row, in root mean square z-scores, from a sample."""
    spread = obs.std(0)
    scores = (obs - obs.mean(0)) / np.where(spread > 0, spread, 1)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(scores))[:NUM_REFERENCES]
    references, queries = scores[order], scores[order[:NUM_QUERIES]]
    squared = (queries**2).sum(1)[:, None] + (references**2).sum(1) - 2 * queries @ references.T
    squared[np.arange(len(queries)), np.arange(len(queries))] = np.inf
    nearest = np.maximum(squared.min(1), 0)
    return float(np.median(np.sqrt(nearest / scores.shape[1])))


def nearest_distances(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Root mean square over coordinates of the difference of each query from its nearest row.

    Shapes: `queries` (queries, obs) and `rows` (rows, obs), in one unit; result `(queries,)`.
    """
    queries, rows = np.asarray(queries, np.float64), np.asarray(rows, np.float64)
    sizes, doubled, found = (rows**2).sum(1), -2 * rows.T, []
    for part in np.array_split(queries, max(1, len(queries) // 256)):  # 256 × rows fit in a cache
        products = part @ doubled
        products += sizes
        found.append(products.min(1) + (part**2).sum(1))
    return np.sqrt(np.maximum(np.concatenate(found), 0.0) / queries.shape[1])  # rounding: −1e-16
