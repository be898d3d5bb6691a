"""One mode over time: impulse, held input, samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures import aliasing_figure, impulse_figure, zero_order_hold_figure
from toolkit.figures.response import apparent_frequency, hold_gain, impulse_response, sample_mode


def test_impulse_response_is_the_recurrence():
    multiplier, gain = 0.9 * np.exp(0.4j), 0.3 - 0.1j
    states = sample_mode(multiplier, gain, np.eye(1, 6)[0])
    response = impulse_response(np.array([multiplier]), np.array([gain]), 6)
    np.testing.assert_allclose(response[0], states[1:], rtol=1e-12)


@pytest.mark.parametrize(("modes", "horizon"), [(1, 2), (5, 500)])
def test_one_panel_per_mode_inside_its_envelope(modes: int, horizon: int):
    multipliers = np.linspace(0.5, 1.01, modes) * np.exp(0.2j)
    fig = impulse_figure(multipliers, np.ones(modes), horizon, 0.05)
    assert len(fig.data) == 2 * modes
    for envelope, curve in zip(fig.data[::2], fig.data[1::2], strict=True):
        assert np.isfinite(curve.y).all()
        assert (np.abs(curve.y) <= np.asarray(envelope.y)[:horizon] + 1e-12).all()
        assert curve.x[-1] == pytest.approx(horizon * 0.05)


def test_an_overflowing_response_is_refused():
    with pytest.raises(UserError, match="`impulse response` must be finite"):
        impulse_figure(np.array([10.0 + 0j]), np.ones(1), 400, 1.0)
    with unchecked(), pytest.raises(UserError, match="`gain` must hold 1 values, got 2"):
        impulse_figure(np.array([0.5 + 0j]), np.ones(2), 10, 1.0)


@pytest.mark.parametrize("eigenvalue", [-0.3 + 4j, 0j, -50 + 0j, 0.5 + 0j])
@pytest.mark.parametrize("step", [1e-3, 0.7])
def test_hold_samples_lie_on_the_integrated_solution(eigenvalue: complex, step: float):
    inputs = (1.0, -0.5, 0.0)
    state, samples = 0j, [0.0]
    for control in inputs:  # an integrator that knows nothing of exponentials
        flow = lambda _t, x, u=control: eigenvalue * x + u
        state = solve_ivp(flow, (0, step), [state], rtol=1e-10, atol=1e-13).y[0, -1]
        samples.append(state.real)
    fig = zero_order_hold_figure(eigenvalue, step, inputs)
    by_name = {trace.name: trace for trace in fig.data}
    np.testing.assert_allclose(by_name["zero-order hold"].y, samples, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(by_name["continuous"].y[::41], samples[:-1], rtol=1e-6, atol=1e-9)


def test_euler_leaves_the_solution_and_the_title_says_why():
    fig = zero_order_hold_figure(-0.3 + 4j, 0.4)
    by_name = {trace.name: trace for trace in fig.data}
    assert np.abs(by_name["Euler"].y[-1]) > 3 * np.abs(by_name["zero-order hold"].y).max()
    assert "1.826 (Euler)" in fig.layout.title.text
    low, high = fig.layout.yaxis.range
    assert high - low < 3  # the picture stays with the solution


def test_gain_has_its_limit_at_zero():
    assert hold_gain(0j, 0.25) == 0.25
    assert hold_gain(1e-12 + 0j, 0.25) == pytest.approx(0.25, rel=1e-10)


@pytest.mark.parametrize(
    ("frequency", "apparent"), [(0.0, 0), (4.9, 4.9), (5.0, 5.0), (9.0, -1.0), (20.0, 0), (-9, 1)]
)
def test_apparent_frequency(frequency: float, apparent: float):
    assert apparent_frequency(float(frequency), 0.1) == pytest.approx(apparent, abs=1e-9)


@pytest.mark.parametrize("frequency", [0.0, 0.4, 3.7, 250.0])
def test_true_and_apparent_rotation_meet_at_the_samples(frequency: float):
    fig = aliasing_figure(frequency, 0.1)
    samples = fig.data[2]
    again = np.cos(2 * np.pi * apparent_frequency(frequency, 0.1) * samples.x)
    np.testing.assert_allclose(samples.y, again, atol=1e-6)
    assert all(np.isfinite(trace.y).all() for trace in fig.data)


def test_wrong_input_is_named():
    with pytest.raises(UserError, match="`step` must be positive, got 0"):
        zero_order_hold_figure(-1 + 0j, 0.0)
    with pytest.raises(UserError, match="`num_samples` must be at least 2, got 1"):
        aliasing_figure(1.0, 0.1, num_samples=1)
