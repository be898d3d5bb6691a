"""What features hold: linear probes, how far they spread, and in how many directions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from toolkit.errors import UserError

_RIDGE = 1e-6  # of the features' mean variance: enough for directions that nothing uses


def linear_probes(
    features: np.ndarray,
    truth: Mapping[str, np.ndarray],
    held_out: np.ndarray,
    held_out_truth: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """R² on held-out rows of each quantity, read from the features by least squares.

    1 is perfect, 0 is no better than the mean. Of features of no use it may be below 0.

    Shapes: features `(rows, features)`, each quantity `(rows,)`.
    Raises:
        UserError: rows do not match, a quantity is missing, or a held-out one does not vary.
    """
    if set(truth) != set(held_out_truth):
        raise UserError("`truth` and `held_out_truth` must hold the same quantities.")
    x, y = _rows(features, truth)
    other, wanted = _rows(held_out, held_out_truth)
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centre, y - mean
    gram = x.T @ x / len(x)
    ridge = _RIDGE * np.trace(gram) / len(gram) + 1e-30
    weights = np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y / len(x))
    missed = np.square((other - centre) @ weights + mean - wanted).sum(axis=0)
    spread = np.square(wanted - wanted.mean(axis=0)).sum(axis=0)
    if not (spread > 0).all():
        flat = [name for name, s in zip(truth, spread, strict=True) if not s > 0]
        raise UserError(f"`{flat[0]}` does not vary on the held-out rows.")
    return dict(zip(truth, (1 - missed / spread).tolist(), strict=True))


def _rows(features: np.ndarray, truth: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x = np.asarray(features, np.float64)
    for name, values in truth.items():
        if len(values) != len(x):
            raise UserError(f"`{name}` must hold {len(x)} values, got {len(values)}.")
    return x, np.stack([np.asarray(truth[name], np.float64) for name in truth], axis=1)


def singular_values(features: np.ndarray) -> np.ndarray:
    """Standard deviations of the features along their principal axes, largest first.

    Shapes: `(rows, features)` to `(min(rows, features),)`.
    """
    x = np.asarray(features, np.float64)
    return np.linalg.svd(x - x.mean(axis=0), compute_uv=False) / np.sqrt(len(x))


def effective_rank(features: np.ndarray) -> float:
    """How many directions the features use: exp(−Σ p·log p), p the singular values over their sum.

    It does not depend on the features' size. Features that are all the same have rank 0.

    Shapes: `(rows, features)`; features are centred first.
    Source: Roy & Vetterli 2007, The effective rank.
    """
    values = singular_values(features)
    if not values.sum() > 0:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def principal_axes(images: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and `count` principal axes of pictures: the linear autoencoder with the least error.

    Shapes: `(rows, …)` to `(numbers,)` and `(count, numbers)`; numbers in [0, 1].
    """
    x = np.asarray(images, np.float32).reshape(len(images), -1) / 255.0
    mean = x.mean(axis=0)
    return mean, np.linalg.svd(x - mean, full_matrices=False)[2][:count]


def nearest(features: np.ndarray, query: int, count: int) -> np.ndarray:
    """Rows whose features are nearest to those of row `query`, nearest first, without itself."""
    distance = np.linalg.norm(features - features[query], axis=1)
    distance[query] = np.inf
    return np.argsort(distance, kind="stable")[:count]
