"""The gradient figures say what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures.gradients import CEILING, FLOOR, gradient_figure, nonnormal_figure
from toolkit.spectral.nonnormal import power_norms, sheared_rotation

LAGS = np.array([1, 10, 100])


def trace(figure, name):
    return next(t for t in figure.data if t.name == name)


def test_the_line_is_the_median_and_the_band_all_samples():
    sizes = np.array([[1.0, 0.1, 0.01], [1.0, 0.3, 0.02], [1.0, 0.2, 0.09]])
    figure = gradient_figure({"gru": (LAGS, sizes)}, (LAGS, 0.9**LAGS, 0.99**LAGS))
    np.testing.assert_allclose(trace(figure, "gru").y, [1.0, 0.2, 0.02])
    band = figure.data[0]
    assert band.fill == "toself"
    np.testing.assert_allclose(np.sort(band.y), np.sort([*sizes.max(0), *sizes.min(0)]))
    theory = [t for t in figure.data if t.legendgroup == "theory"]
    np.testing.assert_allclose([t.y[0] for t in theory], [0.9, 0.99])
    assert [t.showlegend for t in theory] == [False, True]
    assert figure.layout.yaxis.type == "log"


def test_what_single_precision_cannot_say_is_drawn_at_the_edge():
    figure = gradient_figure({"mlp": (LAGS, np.array([[0.0, np.inf, np.nan]]))})
    np.testing.assert_array_equal(trace(figure, "mlp").y, [FLOOR, CEILING, CEILING])


def test_ticks_are_told_in_full_where_the_axis_is_short():
    figure = gradient_figure({"koopman": (LAGS, np.array([[1.0, 0.9, 0.37]]))})
    assert {0.5, 1.0, 2.0} <= set(figure.layout.yaxis.tickvals)
    figure = gradient_figure({"gru": (LAGS, np.array([[1.0, 1e-3, 1e-6]]))})
    assert figure.layout.yaxis.dtick == 1 and figure.layout.yaxis.tickvals is None


def test_curves_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="at least one model"):
        gradient_figure({})
    with pytest.raises(UserError, match="gru: 3 lags do not fit 2 sizes"):
        gradient_figure({"gru": (LAGS, np.ones((4, 2)))})


def test_the_pseudospectrum_stands_beside_the_powers():
    matrix = sheared_rotation(6, -0.1, 0.5)
    figure = nonnormal_figure(matrix, horizon=50, points=11)
    norms = power_norms(matrix, 50)
    np.testing.assert_allclose(trace(figure, "‖Kᵏ‖, the most k steps can do").y, norms)
    assert f"{norms.max():.3g}" in figure.layout.title.text
    contour = next(t for t in figure.data if t.type == "contour")
    assert contour.z.shape == (11, 11)
    at = np.abs(contour.x[None, :] + 1j * contour.y[:, None] - np.exp(-0.1))
    assert contour.z.flat[at.argmin()] == contour.z.min()  # deepest beside the eigenvalue
    title = nonnormal_figure(sheared_rotation(6, -0.1, 0.0), points=11).layout.title.text
    assert title == "Every |λ| ≤ 0.905, and no power of K stretches"
    with unchecked(), pytest.raises(UserError, match="must be square"):
        nonnormal_figure(np.ones((2, 3)))
