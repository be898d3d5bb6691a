"""Eigenvalue figures: what is drawn where, at both ends of their inputs."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures import generator_figure, initialisation_figure, spectrum_figure
from toolkit.figures.spectrum import describe_mode

DECAYING, GROWING = 0.9 * np.exp(0.3j), 1.2 * np.exp(-1.0j)


def trace(fig: go.Figure, name: str) -> go.Scatter:
    return next(t for t in fig.data if t.name == name)


def test_modes_are_parted_by_the_unit_circle():
    fig = spectrum_figure(np.array([DECAYING, GROWING, 1.0 + 0j]))
    np.testing.assert_allclose(trace(fig, "growing").x, [GROWING.real])
    np.testing.assert_allclose(trace(fig, "decaying").x, [DECAYING.real, 1.0])
    np.testing.assert_allclose(
        trace(fig, "conjugates").y, [-DECAYING.imag, -GROWING.imag, 0], atol=1e-12
    )


def test_it_takes_arrays_of_jax_and_shows_the_way():
    now, start = jnp.asarray([DECAYING], jnp.complex64), jnp.asarray([1.0 + 0j], jnp.complex64)
    fig = spectrum_figure(now, start)
    np.testing.assert_allclose(trace(fig, "path").x[:2], [1.0, DECAYING.real], rtol=1e-6)
    assert np.isnan(trace(fig, "path").x[2])  # lifts the pen between modes


@pytest.mark.parametrize("size", [1e-9, 1.0, 50.0])
def test_every_point_lies_inside_the_axes(size: float):
    fig = spectrum_figure(np.array([size + 0j]))
    low, high = fig.layout.xaxis.range
    assert low < -size < size < high


def test_hovering_tells_frequency_and_lifetime():
    quarter_turn = 0.5 * np.exp(0.5j * np.pi)  # 2.5 Hz at 0.1 s
    text = describe_mode(quarter_turn, dt=0.1)
    assert "2.5 Hz" in text
    assert f"lifetime {0.1 / np.log(2):.3g} s" in text
    assert "does not decay" in describe_mode(1.0 + 0j, dt=0.1)
    assert "lifetime" in describe_mode(0j, dt=0.1)


def test_growth_in_continuous_time_is_a_positive_real_part():
    fig = generator_figure(np.array([-0.2 + 30j, 0.1 + 0j]), dt=0.05)
    np.testing.assert_allclose(trace(fig, "growing").x, [0.1])
    lines = [shape.y0 for shape in fig.layout.shapes if shape.y0 == shape.y1]
    np.testing.assert_allclose(sorted(lines), [-np.pi / 0.05, np.pi / 0.05])


@pytest.mark.parametrize("count", [1, 4, 5])
def test_one_panel_per_initialisation(count: int):
    schemes = {f"scheme {i}": np.full(3, 0.9 + 0.1j) for i in range(count)}
    fig = initialisation_figure(schemes)
    assert [t.name for t in fig.data] == list(schemes)
    assert len({t.xaxis for t in fig.data}) == count


def test_wrong_input_is_named():
    with pytest.raises(UserError, match="`multipliers` must be finite, got 1 of 2"):
        spectrum_figure(np.array([np.nan, 1.0 + 0j]))
    with unchecked(), pytest.raises(UserError, match="`start_multipliers` must hold 1 values"):
        spectrum_figure(np.array([DECAYING]), np.array([DECAYING, GROWING]))
    with pytest.raises(UserError, match="`names` must hold 1 names, got 2"):
        spectrum_figure(np.array([DECAYING]), names=["a", "b"])
    with pytest.raises(UserError, match="`dt` must be positive, got 0"):
        generator_figure(np.array([DECAYING]), dt=0.0)
    with pytest.raises(UserError, match="at least one spectrum"):
        initialisation_figure({})
