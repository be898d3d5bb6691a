"""The numbers behind the eigenvalue plane, and its static picture."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.figures import eigenplane_figure
from toolkit.figures.eigenplane import (
    coordinates,
    impulse_panel,
    rollout_panels,
    strongest,
    unit_response,
)  # fmt: skip

START = 0.95 * np.exp(1j * np.array([0.2, 1.0, 2.0]))


def rollout(multipliers: np.ndarray) -> np.ndarray:
    return (multipliers[None, :] ** np.arange(21)[:, None]).real[:, :2]


def values(panel: dict, role: str) -> np.ndarray:
    return np.asarray(next(c["y"] for c in panel["curves"] if c["role"] == role), float)


def test_impulse_panel_holds_response_and_envelope():
    response = unit_response(START, 30)
    panel = impulse_panel(response[1], response[1], 0.1, "mode 2")
    np.testing.assert_allclose(values(panel, "model"), response[1].real, atol=1e-5)
    np.testing.assert_allclose(values(panel, "envelope"), 0.95 ** np.arange(30), rtol=1e-4)
    assert panel["start"] == panel["step"] == 0.1  # the first answer comes one step later
    assert "mode 2" in panel["title"]


def test_a_growing_curve_is_cut_where_the_truth_would_vanish():
    steady, wild = np.sin(np.arange(50.0)), 1e6 * np.ones(50)
    low, high = rollout_panels({"x": wild}, {"x": steady}, {"x": steady}, 0.1)[0]["range"]
    assert 3 < high - low < 8
    low, high = rollout_panels({"x": steady}, {"x": steady}, {}, 0.1)[0]["range"]
    assert low < -1 < 1 < high < 1.5


def test_what_is_not_finite_becomes_a_gap():
    broken = np.array([0.0, np.inf, np.nan, 1.0])
    panel = rollout_panels({"x": broken}, {"x": np.zeros(4)}, {}, 0.1)[0]
    assert panel["curves"][-1]["y"] == [0.0, None, None, 1.0]
    assert np.isfinite(panel["range"]).all()


@pytest.mark.parametrize("start", [0.0, 5.0])
def test_a_constant_coordinate_keeps_a_range(start: float):
    low, high = rollout_panels({"x": np.full(3, start)}, {}, {}, 0.1)[0]["range"]
    assert low < start < high


def test_coordinates_come_by_name_or_by_label():
    run = rollout(START)
    assert list(coordinates(run, ["a", "b"])) == ["a", "b"]
    assert list(coordinates(run)) == ["coordinate 0", "coordinate 1"]
    np.testing.assert_array_equal(coordinates({"c": run[:, 0]})["c"], run[:, 0])
    with pytest.raises(UserError, match="`labels` must hold 2 names, got 1"):
        coordinates(run, ["a"])
    with pytest.raises(UserError, match=r"\(horizon \+ 1, obs\), got the shape \(21,\)"):
        coordinates(run[:, 0])


def test_the_strongest_modes_are_chosen():
    assert strongest(np.array([0.1, -3.0, 2.0, 0.0]), 2, 4) == [1, 2]
    assert strongest(None, 3, 256) == [0, 128, 255]
    assert strongest(None, 9, 2) == [0, 1]
    with pytest.raises(UserError, match="`weights` must hold 2 values"):
        strongest(np.ones(3), 1, 2)


def test_the_static_picture_shows_the_same():
    moved = START * np.array([1.0, 0.5, 1.0])
    fig = eigenplane_figure(moved, START, dt=0.1, rollout=rollout, truth=rollout(START), selected=1)
    now = [t for t in fig.data if t.name == "now"]
    assert len(now) == 3
    np.testing.assert_allclose(now[2].y, rollout(moved)[:, 1], atol=1e-4)
    shown = {t.name for t in fig.data if t.showlegend}
    assert shown == {"truth", "trained", "now", "envelope"}


@pytest.mark.parametrize("modes", [1, 256])
def test_the_picture_needs_no_rollout(modes: int):
    fig = eigenplane_figure(np.exp(1j * np.linspace(0, 3, modes)), dt=0.1, horizon=2)
    assert next(t for t in fig.data if t.name == "decaying").x.size == modes


def test_wrong_input_is_named():
    with pytest.raises(UserError, match=r"`selected` must lie in 0\.\.2, got 3"):
        eigenplane_figure(START, dt=0.1, selected=3)
    with pytest.raises(UserError, match="`dt` must be positive, got 0"):
        eigenplane_figure(START, dt=0.0)
