"""The map of T-symmetry violation says what it was given, and so do its companions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures.violation import (
    ViolationMap,
    by_distance_figure,
    groups_figure,
    monitor_figure,
    violation_map_figure,
)

X, Y = np.linspace(-1, 1, 3), np.linspace(-2, 2, 4)
ROWS = np.array([[0.1, 0.2, -0.5, 1e-3], [0.9, -1.5, 0.5, 2e-5]])


@pytest.fixture
def drawn():
    values = 10.0 ** np.linspace(-7, 0, 12).reshape(4, 3)
    nearest = np.array([[0, 1, 1]] * 4)
    return ViolationMap(X, Y, values, nearest, 0.1 * np.ones((4, 3)), ROWS, np.array([True, False]))


def test_the_map_is_logarithmic_and_knows_the_nearest_transition(drawn):
    figure = violation_map_figure(drawn)
    heat, dots = figure.data
    np.testing.assert_allclose(heat.z, np.log10(drawn.values), atol=1e-3)
    assert (heat.zmin, heat.zmax) == (-5, 0)
    np.testing.assert_allclose(heat.customdata[..., 0], drawn.values)
    np.testing.assert_allclose(heat.customdata[2, 1, 1:5], ROWS[1])
    np.testing.assert_allclose(heat.customdata[2, 0, 1:5], ROWS[0])
    assert heat.customdata[2, 1, 6] == 1
    assert (list(dots.x), list(dots.y)) == ([0.1], [0.2])  # only what lies in the slice
    assert figure.layout.xaxis.range == (-1.5, 1.5)
    for text in ("nearest real transition", "customdata[4]"):
        assert text in heat.hovertemplate


def test_both_ends_of_the_scale_and_no_dots(drawn):
    for powers in ((-5.0, 0.0), (-1.5, 1.0)):
        heat = violation_map_figure(drawn, powers=powers).data[0]
        assert (heat.zmin, heat.zmax) == powers
        assert all(powers[0] <= tick <= powers[1] for tick in heat.colorbar.tickvals)
    empty = violation_map_figure(replace(drawn, shown=np.zeros(2, bool)))
    assert len(empty.data[1].x) == 0
    with pytest.raises(UserError, match="`powers` must rise"):
        violation_map_figure(drawn, powers=(0.0, 0.0))
    wrong = r"`values` must have the shape \(4, 3\), got \(3, 4\)"
    with unchecked(), pytest.raises(UserError, match=wrong):
        replace(drawn, values=drawn.values.T)
    with pytest.raises(UserError, match="`values` must be finite, got 1 of 12"):
        violation_map_figure(replace(drawn, values=np.where(drawn.values > 0.9, np.nan, 1.0)))


def test_the_curve_is_a_median_per_tenth_of_the_places():
    distance = np.arange(100.0)[::-1]
    values = 1e-3 * (1 + distance)
    figure = by_distance_figure({"friction": (distance, values)})
    band, curve = figure.data
    np.testing.assert_allclose(curve.x, 4.5 + 10 * np.arange(10))
    np.testing.assert_allclose(curve.y, 1e-3 * (5.5 + 10 * np.arange(10)))
    assert band.fill == "toself" and max(band.y) < values.max()
    with pytest.raises(UserError, match="friction: 4 distances and 4 values"):
        by_distance_figure({"friction": (distance[:4], values[:4])})
    with pytest.raises(UserError, match="at least one, got none"):
        by_distance_figure({})


def test_boxes_are_quantiles():
    groups = {"real": np.arange(1.0, 102.0), "other": 10 * np.arange(1.0, 102.0)}
    real, other = groups_figure(groups).data
    assert (real.q1[0], real.median[0], real.q3[0]) == (26, 51, 76)
    assert (other.lowerfence[0], other.upperfence[0]) == (60, 960)
    assert groups_figure(groups).layout.xaxis.dtick == 1  # 6 to 960: over two powers of ten
    narrow = groups_figure({"real": groups["real"]})
    assert narrow.layout.xaxis.dtick is None
    with pytest.raises(UserError, match="at least one, got none"):
        groups_figure({})


def test_the_monitor_shows_both_answers_of_each_model():
    figure = monitor_figure({"trained": (1e-3, 2e-3), "table": (0.0, 1.0)}, 0.5)
    led, real = figure.data[:2]
    np.testing.assert_allclose(led.x, [1e-3, 1e-8])
    np.testing.assert_allclose(real.x, [2e-3, 1.0])
    assert list(led.y) == ["trained", "table"]
    assert figure.layout.shapes[0].x0 == 0.5
    with pytest.raises(UserError, match="`models` must be finite"):
        monitor_figure({"trained": (np.nan, 1.0)}, 0.5)
    with pytest.raises(UserError, match="`models` must hold at least one"):
        monitor_figure({}, 0.5)
