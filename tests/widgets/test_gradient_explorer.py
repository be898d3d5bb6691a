"""The gradient explorer over its controls, without a browser."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Window
from toolkit.dynamics import Heads
from toolkit.dynamics.dense import DenseDynamics
from toolkit.errors import UserError
from toolkit.spectral import KoopmanDynamics, Spectrum
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.gradients import GradientView, explore_gradients

TIME, BATCH = 20, 3


@pytest.fixture(scope="module")
def window():
    return Window(
        jr.normal(jr.key(0), (TIME + 1, BATCH, 3)),
        jr.normal(jr.key(1), (TIME, BATCH, 2)),
        jnp.zeros((TIME, BATCH)),
    )


@pytest.fixture(scope="module")
def models():
    keys = jr.split(jr.key(2), 3)
    heads = Heads(3, 8, hidden=4, key=keys[0])
    return {
        "koopman": KoopmanDynamics(heads, Spectrum(4, key=keys[1]), 3, 2, key=keys[2]),
        "dense": DenseDynamics(heads, jnp.eye(8), 3, 2, key=keys[2]),
    }


def last(figure, name):
    return next(t for t in figure.data if t.name == name).y[-1]


def test_the_sliders_set_the_spectrum_and_the_theory(models, window):
    view = GradientView(models, window)
    for real_part, step, horizon in [(-1.0, 0.1, 20), (0.5, 1.0, 20), (-0.2, 1e-3, 2)]:
        figure = view("koopman", real_part, step, horizon)
        expected = np.exp(real_part * step * horizon)
        assert last(figure, "koopman") == pytest.approx(expected, rel=1e-3)
        assert last(figure, "theory: exp(kΔtμ)") == pytest.approx(expected, rel=1e-3)


def test_a_shear_breaks_the_promise_of_the_eigenvalues(models, window):
    figure = GradientView(models, window, shear=3.0)("dense", -0.2, 0.3, 20)
    assert last(figure, "dense") > 5 * last(figure, "theory: exp(kΔtμ)")
    plain = GradientView(models, window, shear=0.0)("dense", -0.2, 0.3, 20)
    assert last(plain, "dense") == pytest.approx(np.exp(-0.2 * 0.3 * 20), rel=1e-3)


def test_it_explores_and_tells_what_does_not_fit(models, window):
    explorer = explore_gradients(models, window)
    assert isinstance(explorer, Explorer)
    explorer.controls["model"].value = "dense"
    explorer.controls["horizon"].value = 7
    assert "dense: after 7 steps" in explorer.figure.widget.layout.title.text
    with pytest.raises(UserError, match=r"`horizon` must lie in 1\.\.20, got 21"):
        GradientView(models, window)("koopman", 0.0, 0.1, 21)
    with pytest.raises(UserError, match="at least one model"):
        GradientView({}, window)
