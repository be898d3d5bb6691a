"""The explorer of the symmetry filter over its controls, without a browser."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Normaliser, Transitions
from toolkit.errors import UserError
from toolkit.evaluation.augmented import in_latent, violations
from toolkit.tsymmetry import TDM
from toolkit.widgets.augmentation import FilterView, explore_filter
from toolkit.widgets.explorer import Explorer

OBS, ACTION, ROWS = 11, 3, 64


@pytest.fixture(scope="module")
def model():
    return TDM(OBS, ACTION, encoder_widths=(16,), dynamics_widths=(16,), key=jr.key(0))


@pytest.fixture(scope="module")
def data():
    keys = jr.split(jr.key(1), 3)
    return Transitions(
        jr.normal(keys[0], (ROWS, OBS)), jr.uniform(keys[1], (ROWS, ACTION)), jnp.zeros(ROWS),
        jr.normal(keys[2], (ROWS, OBS)), jnp.zeros(ROWS, bool),
    )  # fmt: skip


def kept(figure) -> float:
    return float(figure.layout.title.text.split("%")[0]) / 100


def test_the_quantile_is_the_share_kept_where_there_is_hardly_any_noise(model, data):
    view = FilterView(model, data, data, key=jr.key(2))
    for quantile in (0.0, 0.25, 0.5, 1.0):
        assert kept(view(quantile, 1e-6)) == pytest.approx(quantile, abs=0.05)
    found = np.asarray(violations(model, in_latent(model, data)))
    np.testing.assert_allclose(view.data_violation, found, rtol=1e-6)
    line = view(0.5, 1e-6).layout.shapes[0].x0
    assert line == pytest.approx(np.log10(np.quantile(found, 0.5)), abs=1e-5)


def test_samples_move_along_lines_and_are_made_once(model, data):
    view = FilterView(model, data, data, key=jr.key(2))
    rest, near, far = (view.samples(share)[0] for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(far - rest, 2 * (near - rest), atol=1e-5)
    assert np.abs(far - rest).max() > 1e-3
    view(0.1, 0.5), view(0.9, 0.5)
    assert view.samples.cache_info().misses == 3


def test_it_explores_at_both_ends_of_both_sliders(model, data):
    explorer = explore_filter(model, data, data)
    assert isinstance(explorer, Explorer)
    for name in ("quantile", "noise_share"):
        slider = explorer.controls[name]
        ends = (0.0, 1.0) if name == "quantile" else (0.003, 1.0)
        for value in ends:
            slider.value = value
            assert explorer.error == ""
    notes = [note.text for note in explorer.figure.widget.layout.annotations]
    assert "Not measured without a simulator." in notes


def test_with_a_simulator_the_errors_are_shown(model, data):
    pytest.importorskip("mujoco")
    pytest.importorskip("gymnasium")
    normaliser = Normaliser(
        jnp.array([1.25, *[0.0] * (OBS - 1)]), jnp.full(OBS, 0.1)
    )  # a hopper that stands
    view = FilterView(model, data, data, key=jr.key(0), robot="hopper", normaliser=normaliser)
    for values in [(0.5, 0.003), (0.5, 1.0), (0.0, 0.1), (1.0, 0.1)]:
        assert "median true error" in view(*values).layout.title.text
    with pytest.raises(UserError, match="A `robot` needs the `normaliser`"):
        FilterView(model, data, data, key=jr.key(0), robot="hopper")
