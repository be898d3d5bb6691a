"""Why eigenvalues do not tell everything about a full matrix: transient growth, pseudospectra.

Source: L. N. Trefethen and M. Embree, Spectra and Pseudospectra (Princeton, 2005), §14–16.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float
from scipy.linalg import expm

from toolkit.errors import UserError

Matrix = Float[np.ndarray, "size size"]


def sheared_rotation(
    size: int, decay: float, shear: float, *, step: float = 1.0, seed: int = 0
) -> Matrix:
    """exp(step·(decay·I + shear·N)), N a chain of ones, in random orthonormal coordinates.

    Every eigenvalue is exp(step·decay), whatever the shear; only with `shear` 0 is the matrix
    normal. The larger the shear, the further its powers rise before they fall.

    Raises:
        UserError: `size` is below 2 or `step` not positive.
    """
    if size < 2:
        raise UserError(f"`size` must be at least 2, got {size}.")
    if not step > 0:
        raise UserError(f"`step` must be positive, got {step}.")
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    # the decay commutes with the chain, so it is kept out of the exponential and stays exact
    return np.exp(step * decay) * (basis @ expm(step * shear * np.eye(size, k=1)) @ basis.T)


def power_norms(matrix: Matrix, horizon: int) -> Float[np.ndarray, " horizon"]:
    """‖Kᵏ‖₂ for k = 1…horizon: the most that k steps can stretch a state, or a gradient.

    Raises:
        UserError: `horizon` is below 1.
    """
    if horizon < 1:
        raise UserError(f"`horizon` must be at least 1, got {horizon}.")
    power, norms = np.eye(len(matrix)), []
    for _ in range(horizon):
        power = matrix @ power
        norms.append(np.linalg.norm(power, 2))
    return np.array(norms)


def distance_to_singular(
    matrix: Matrix, points: Complex[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """σ_min(z·I − K) at each z: how small a change of K makes z an eigenvalue.

    The ε-pseudospectrum is where this is below ε.
    """
    shifted = points.reshape(-1, 1, 1) * np.eye(len(matrix)) - matrix[None]
    return np.linalg.svd(shifted, compute_uv=False)[:, -1].reshape(points.shape)


def kreiss_constant(matrix: Matrix, *, angles: int = 64, radii: int = 40) -> float:
    """sup over |z| > 1 of (|z| − 1)/σ_min(z·I − K), on a grid: a bound from below.

    Some power of K is at least this large, and none exceeds e·size times it (Kreiss matrix
    theorem). It is 1 for every normal K with |λ| ≤ 1.
    """
    beyond = np.geomspace(1e-3, 10.0, radii)
    turn = np.exp(2j * np.pi * np.arange(angles) / angles)
    points = (1 + beyond)[:, None] * turn[None]
    return float((beyond[:, None] / distance_to_singular(matrix, points)).max())
