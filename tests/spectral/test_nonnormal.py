"""Transient growth and pseudospectra against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.spectral.nonnormal import (
    distance_to_singular,
    kreiss_constant,
    power_norms,
    sheared_rotation,
)


@pytest.mark.parametrize("shear", [0.0, 0.3, 2.0])
def test_the_eigenvalues_do_not_depend_on_the_shear(shear):
    matrix = sheared_rotation(4, -0.2, shear, step=0.5)
    characteristic = np.poly(matrix)
    np.testing.assert_allclose(characteristic, np.poly(np.full(4, np.exp(-0.1))), atol=1e-10)
    normal = np.abs(matrix @ matrix.T - matrix.T @ matrix).max() < 1e-12
    assert normal == (shear == 0)


def test_powers_of_a_two_by_two_chain_are_known():
    """exp(t·(μI + sN)) = e^{tμ}·[[1, ts], [0, 1]], whose norm has a closed form."""
    matrix = sheared_rotation(2, -0.1, 1.5)
    k = np.arange(1, 31)
    half = 1.5 * k / 2
    expected = np.exp(-0.1 * k) * (half + np.sqrt(half**2 + 1))
    np.testing.assert_allclose(power_norms(matrix, 30), expected, rtol=1e-9)


def test_the_distance_is_that_to_the_eigenvalues_of_a_normal_matrix():
    values = np.array([0.9, -0.3])
    points = np.array([[0.5 + 0.1j, 2.0], [-1j, 0.9]])
    expected = np.abs(points[..., None] - values).min(-1)
    np.testing.assert_allclose(distance_to_singular(np.diag(values), points), expected, atol=1e-12)


def test_the_kreiss_constant_bounds_the_powers():
    """1 for a normal matrix; else some power is as large, and none e·n times as large."""
    assert kreiss_constant(np.diag([0.9, -0.3, 0.5])) == pytest.approx(1.0, abs=0.2)
    assert kreiss_constant(np.diag([0.9, -0.3, 0.5])) <= 1 + 1e-9
    matrix = sheared_rotation(6, -0.05, 0.4)
    constant, largest = kreiss_constant(matrix), power_norms(matrix, 400).max()
    assert 1.5 < constant <= largest <= np.e * 6 * constant


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sheared_rotation(1, 0.0, 1.0), "`size` must be at least 2, got 1"),
        (lambda: sheared_rotation(3, 0.0, 1.0, step=0.0), "`step` must be positive, got 0"),
        (lambda: power_norms(np.eye(2), 0), "`horizon` must be at least 1, got 0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(call, sentence):
    with pytest.raises(UserError, match=sentence):
        call()
