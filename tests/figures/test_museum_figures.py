"""The museum's figures: a board of two runs, the report's numbers, two dials at their ends."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures.museum import board_figure, dose_figure, headlines_figure
from toolkit.studies.museum import model_readings, record, value_readings
from toolkit.studies.museum_exhibits import Readings
from toolkit.studies.museum_learning import EncoderReadings, ReverseReadings

RECORDING = record(num_episodes=12, num_steps=100)
HEALTHY = Readings(
    model_readings(RECORDING), value_readings(RECORDING),
    EncoderReadings(np.array([10, 20]), np.array([0.5, 0.3]), np.array([1.0, 0.2]), 0.35, 1.6),
    ReverseReadings(0.02, 0.03),
)  # fmt: skip


def test_the_board_holds_both_runs_in_nine_panels():
    table = replace(HEALTHY, reverse=ReverseReadings(0.0, 0.9))
    figure = board_figure(table, HEALTHY, title="Exhibit 4")
    assert {trace.name for trace in figure.data if trace.name} == {"healthy", "exhibit"}
    assert [trace.name for trace in figure.data if trace.showlegend] == ["healthy", "exhibit"]
    assert len({trace.xaxis for trace in figure.data}) == 9
    monitors = [trace.y for trace in figure.data if trace.type == "bar"][::2]
    np.testing.assert_allclose(monitors, [[0.02, 0.03], [1e-6, 0.9]])
    rank = [trace.y for trace in figure.data if trace.type == "bar"][1]
    np.testing.assert_allclose(rank, [1.6, 3.5])
    spots = [trace for trace in figure.data if trace.error_y.array is not None]
    np.testing.assert_allclose(spots[0].y[:3], 0, atol=1e-3)


@pytest.mark.parametrize(("growth", "every"), list(itertools.product((-0.3, 0.5), (1, 20))))
def test_both_dials_reach_both_ends(growth: float, every: int):
    model = model_readings(RECORDING, growth=growth, every=every)
    figure = dose_figure(model, HEALTHY.model, title="ends")
    plane, ahead = (trace for trace in figure.data if trace.name == "yours")
    sizes = np.hypot(plane.x, plane.y)
    step = 0.1 * every
    assert sizes.max() == pytest.approx(max(np.exp(growth * step), 1.0), rel=0.02)
    assert np.isfinite(ahead.y).all() and ahead.x[-1] == pytest.approx(56 // every * step)


def test_reports_lie_left_and_right_of_the_healthy_one():
    figure = headlines_figure({"a": 0.5, "b": 30.0, "c": 0.0}, {"a": "A", "b": "B", "c": "C"})
    dots = figure.data[-1]
    assert list(dots.x) == [0.5, 30.0, 0.001] and list(dots.y) == ["A", "B", "C"]
    assert list(dots.text) == ["0.5", "30", "below 0.001"]
    assert figure.layout.xaxis.type == "log"
    for ratios in ({}, {"d": 1.0}):
        with pytest.raises(UserError, match="at least one cause"):
            headlines_figure(ratios, {"a": "A"})
