"""Linear probes, effective rank and neighbours, against what they must be."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.evaluation.probes import (
    effective_rank,
    linear_probes,
    nearest,
    principal_axes,
    singular_values,
)

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(400, 6)) @ np.diag([3, 1, 1, 0.3, 0.1, 1e-3]) + 5


def test_probes_read_what_is_linear_and_nothing_else():
    linear = FEATURES @ np.arange(6.0) - 2
    truth = {"linear": linear, "noise": RNG.normal(size=400), "square": FEATURES[:, 1] ** 2}
    truth["noisy"] = linear + linear.std() * RNG.normal(size=400)
    half = lambda values, part: {name: v[part] for name, v in values.items()}
    a, b = slice(0, 200), slice(200, 400)
    found = linear_probes(FEATURES[a], half(truth, a), FEATURES[b], half(truth, b))
    assert found["linear"] == pytest.approx(1.0, abs=1e-4)
    assert abs(found["noise"]) < 0.15 and found["noisy"] == pytest.approx(0.5, abs=0.12)
    small = linear_probes(1e-3 * FEATURES[a], half(truth, a), 1e-3 * FEATURES[b], half(truth, b))
    assert small == pytest.approx(found, abs=1e-3)  # sizes do not matter


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": np.zeros(3)}, "`x` must hold 400 values, got 3"),
        ({"y": np.zeros(400)}, "the same quantities"),
    ],
)
def test_probes_of_what_does_not_fit_are_refused(changes, sentence):
    truth = {"x": FEATURES[:, 0]}
    with pytest.raises(UserError, match=sentence):
        linear_probes(FEATURES, truth | changes, FEATURES, truth)
    with pytest.raises(UserError, match="`x` does not vary"):
        linear_probes(FEATURES, truth, FEATURES, {"x": np.ones(400)})


def test_singular_values_are_standard_deviations_along_axes():
    values = singular_values(FEATURES)
    covariance = np.cov(FEATURES.T, bias=True)
    np.testing.assert_allclose(values**2, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-6)


def test_effective_rank_counts_directions_whatever_their_size():
    directions = np.linalg.qr(RNG.normal(size=(50, 50)) - 0.0)[0][:, :4]
    directions = np.linalg.qr(directions - directions.mean(axis=0))[0]
    assert effective_rank(directions) == pytest.approx(4.0, abs=1e-6)
    assert effective_rank(1e-5 * directions + 3) == pytest.approx(4.0, abs=1e-4)
    assert effective_rank(directions[:, :1] @ np.ones((1, 5))) == pytest.approx(1.0, abs=1e-4)
    assert effective_rank(np.ones((9, 3))) == 0.0


def test_principal_axes_rebuild_pictures_best():
    images = RNG.integers(0, 255, (60, 4, 4, 3)).astype(np.uint8)
    mean, axes = principal_axes(images, 5)
    x = images.reshape(60, -1) / 255.0 - mean
    np.testing.assert_allclose(axes @ axes.T, np.eye(5), atol=1e-4)
    left = np.square(x - x @ axes.T @ axes).sum()
    values = np.linalg.svd(x, compute_uv=False)
    assert left == pytest.approx(np.square(values[5:]).sum(), rel=1e-4)


def test_neighbours_are_the_nearest_without_the_row_itself():
    line = np.array([[0.0], [1.0], [1.1], [5.0]])
    np.testing.assert_array_equal(nearest(line, 1, 3), [2, 0, 3])
