"""Wrong answers to the exercises of `03_gradient_scaling`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import schur, solve_discrete_lyapunov, sqrtm

from toolkit.exercises.gradient_scaling import (
    check_calm_coordinates,
    check_gradient_factor,
    check_half_life,
    check_real_part_for,
    check_transient_peak,
)

power = np.linalg.matrix_power


def sizes(matrix: np.ndarray, horizon: int, norm: Any = 2) -> list[float]:
    return [float(np.linalg.norm(power(matrix, k), norm)) for k in range(1, horizon + 1)]


def peak(matrix: np.ndarray, horizon: int) -> tuple[float, int]:
    found = sizes(matrix, horizon)
    return max(found), int(np.argmax(found)) + 1


def energy(matrix: np.ndarray) -> np.ndarray:
    """P of a length xᵀPx that every step makes shorter."""
    return solve_discrete_lyapunov(matrix.T, np.eye(len(matrix)))


def calm(matrix: np.ndarray) -> np.ndarray:
    return np.linalg.cholesky(energy(matrix)).T


def scaled_schur(matrix: np.ndarray, scale: float) -> np.ndarray:
    """Another way: triangular form, and then every direction in its own unit."""
    _, vectors = schur(matrix, output="complex")
    return np.diag(scale ** -np.arange(len(matrix), dtype=float)) @ vectors.conj().T


RIGHT: list[tuple[Callable, Callable]] = [
    (check_calm_coordinates, lambda k: sqrtm(energy(k))),
    (check_calm_coordinates, lambda k: scaled_schur(k, 0.15)),
]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_gradient_factor, lambda m, h, k: np.exp(-k * h * m), "wrong sign"),
    (check_gradient_factor, lambda m, h, k: np.exp(k * m), "Δt is forgotten"),
    (check_gradient_factor, lambda m, h, k: np.exp((k - 1) * h * m), "not k − 1"),
    (check_gradient_factor, lambda m, h, k: (1 + h * m) ** k, "Euler"),
    (check_half_life, lambda m, h: -1 / (m * h), "1/e"),
    (check_half_life, lambda m, h: np.log(2) / (m * h), "wrong sign"),
    (check_half_life, lambda m, h: -np.log(2) / m, "Δt is forgotten"),
    (check_real_part_for, lambda s, h, k: -np.log(s) / (h * k), "wrong sign"),
    (check_real_part_for, lambda s, h, k: np.log(s) / k, "Δt is forgotten"),
    (check_real_part_for, lambda s, h, k: s ** (1 / k), "the multiplier"),
    (check_transient_peak, lambda a, k: (max(sizes(a, k, "fro")), 1), "Frobenius"),
    (check_transient_peak, lambda a, k: (np.exp(-0.1), 1), "spectral radius"),
    (check_transient_peak, lambda a, k: (peak(a, k)[0], peak(a, k)[1] - 1), "off by one"),
    (check_transient_peak, lambda a, k: (sizes(a, k)[-1], k), "the last power"),
    (check_transient_peak, lambda a, k: peak(a, k)[0], "return two numbers"),
    (check_calm_coordinates, lambda k: np.linalg.inv(calm(k)), "this is T⁻¹"),
    (check_calm_coordinates, lambda k: calm(k).T, "this is Tᵀ"),
    (check_calm_coordinates, energy, "this is P"),
    (check_calm_coordinates, lambda k: np.eye(len(k)), "grow as before"),
    (check_calm_coordinates, lambda k: 3 * np.linalg.qr(k)[0], "grow as before"),
    (check_calm_coordinates, lambda k: np.linalg.inv(np.linalg.eig(k)[1]), "as good as parallel"),
    (check_calm_coordinates, lambda k: scaled_schur(k, 0.05), "Come below"),
    (check_calm_coordinates, lambda k: np.diag(0.5 ** np.arange(len(k))), "still stretches"),
    (check_calm_coordinates, lambda k: np.ones_like(k), "have an inverse"),
    (check_calm_coordinates, lambda k: np.ones(len(k)), "must have the shape"),
]
