"""Wrong answers to the exercises of `01_eigenvalue_initialization`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.eigenvalues import (
    check_decay_and_frequency,
    check_discretise,
    check_phi1,
    check_vandermonde,
)


def phi1(z: np.ndarray) -> np.ndarray:
    return np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z))


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_phi1, lambda z: (np.exp(z) - 1) / z, "division by zero"),
    (check_phi1, lambda z: np.where(z == 0, 1, (np.exp(z) - 1) / np.where(z == 0, 1, z)), "digits"),
    (check_phi1, lambda z: np.where(z == 0, 0, phi1(z)), "1, not 0"),
    (check_phi1, lambda z: np.exp(z) - 1, "division by z is missing"),
    (check_phi1, lambda z: 1 + z / 2 + z**2 / 6, "series alone"),
    (check_phi1, lambda z: phi1(z).real, "complex"),
    (check_discretise, lambda v, h: (1 + h * v, np.full(len(v), h)), "Euler's rule"),
    (check_discretise, lambda v, h: (np.exp(v), h * phi1(h * v)), "Δt is forgotten: this is exp"),
    (check_discretise, lambda v, h: (np.exp(h * v), phi1(h * v)), "Δt is forgotten in the gain"),
    (check_discretise, lambda v, h: (np.exp(-h * v), h * phi1(h * v)), "wrong sign"),
    (check_discretise, lambda v, h: (np.exp(h * v), np.full(len(v), h)), "gains are Euler's"),
    (check_discretise, lambda v, h: (np.exp(h * v), (np.exp(h * v) - 1) / v), "zero at λ = 0"),
    (check_discretise, lambda v, h: (h * phi1(h * v), np.exp(h * v)), "wrong order"),
    (check_discretise, lambda v, h: np.exp(h * v), "return two arrays"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m) / dt), "2π is forgotten"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m) / (2 * np.pi)), "Δt is forgotten"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m, deg=True) / dt), "degrees"),
    (check_decay_and_frequency, lambda m, dt: (dt / np.log(abs(m)), 1.5), "wrong sign"),
    (check_decay_and_frequency, lambda m, dt: (-1 / np.log(abs(m)), 1.5), "counts steps"),
    (check_decay_and_frequency, lambda m, dt: (1.5, 1.25), "wrong order"),
    (check_vandermonde, lambda m, h: m[:, None] ** np.arange(h), "off by one"),
    (check_vandermonde, lambda m, h: (m[:, None] ** np.arange(1, h + 1)).T, "transposed"),
    (check_vandermonde, lambda m, h: m[:, None] * np.arange(1, h + 1), "multiples"),
    (check_vandermonde, lambda m, h: abs(m[:, None]) ** np.arange(1, h + 1), "rotation is lost"),
]  # fmt: skip
