"""The explorer of symmetry shifts over its controls, without a browser."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Normaliser, Transitions
from toolkit.envs.impossible import Strain
from toolkit.errors import UserError
from toolkit.figures.theme import UNSTABLE
from toolkit.symmetry import KoopmanForward, SpectralCore
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.symmetry import SHOWN, ShiftView, explore_shifts

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

OBS, ACTION, ROWS = 11, 3, 12
MODELS = (
    KoopmanForward(OBS, ACTION, latent_dim=6, hidden=8, key=jr.key(0)),
    SpectralCore(OBS, ACTION, modes=3, hidden=8, key=jr.key(1)),
)
NORMALISER = Normaliser(jnp.array([1.4, *[0.0] * (OBS - 1)]), jnp.full(OBS, 0.1))
HARDY = Strain(np.array([1.0]), np.array([9.0]), np.array([False]))  # nothing is impossible then


@pytest.fixture(scope="module")
def batch():
    keys = jr.split(jr.key(2), 3)
    return Transitions(
        jr.normal(keys[0], (ROWS, OBS)), jr.uniform(keys[1], (ROWS, ACTION)), jnp.zeros(ROWS),
        jr.normal(keys[2], (ROWS, OBS)), jnp.zeros(ROWS, bool),
    )  # fmt: skip


@pytest.fixture(scope="module")
def view(batch):
    return ShiftView(*MODELS, batch, robot="hopper", normaliser=NORMALISER, key=jr.key(3),
                     sticks=True)  # fmt: skip


def test_a_small_shift_is_nearly_no_shift(view, batch):
    raw = NORMALISER.denormalise(batch.obs)
    for name in ("spectral", "eigenspace", "common noise"):
        found = view.shifted(name, 1e-4)
        np.testing.assert_allclose(found.obs, raw, atol=1e-3)
        assert not found.impossible.any()
        np.testing.assert_allclose(found.error, found.translated_error, atol=1e-2)


def test_sizes_share_their_random_numbers_and_one_program(view):
    near, far = view.shifted("noise", 0.1), view.shifted("noise", 0.2)
    np.testing.assert_allclose(far.moved, 2 * near.moved, rtol=1e-4)
    misses = view.shifted.cache_info().misses
    view("noise", 0.1), view("noise", 0.1, SHOWN)
    assert view.shifted.cache_info().misses == misses


def test_what_is_impossible_is_flagged_with_its_reason(view, batch):
    figure = view("noise", 9.0)
    found = view.shifted("noise", 9.0)
    flagged = [shape.line.color == UNSTABLE for shape in figure.layout.shapes]
    assert flagged == found.impossible[:SHOWN].tolist() and any(flagged)
    captions = [note.text for note in figure.layout.annotations]
    for caption, reason in zip(captions, found.reasons, strict=False):
        assert caption == f"impossible: {reason}" if reason else caption.startswith("off by")
    assert f"{found.impossible.mean():.0%} impossible" in figure.layout.title.text
    hardy = ShiftView(*MODELS, batch, robot="hopper", normaliser=NORMALISER, key=jr.key(3),
                      recorded=HARDY, sticks=True)  # fmt: skip
    assert not hardy.shifted("noise", 1.0).impossible.any()


def test_it_explores_every_kind_at_both_ends_of_both_sliders(batch):
    explorer = explore_shifts(
        *MODELS, batch, robot="hopper", normaliser=NORMALISER, sticks=True, name="commutator"
    )
    assert isinstance(explorer, Explorer)
    name, size, first = (explorer.controls[key] for key in ("name", "size", "first"))
    assert name.value == "commutator"
    for value in name.options:
        name.value = value
        assert explorer.error == "", explorer.error
    for value in (0.001, 1.0):
        size.value = value
        assert explorer.error == "", explorer.error
    for value in (ROWS - SHOWN, 0):
        first.value = value
        assert explorer.error == "", explorer.error


def test_too_few_rows_are_refused(batch):
    few = jax.tree.map(lambda column: column[: SHOWN - 1], batch)
    with pytest.raises(UserError, match="`batch` must hold at least 6 rows, got 5"):
        ShiftView(*MODELS, few, robot="hopper", normaliser=NORMALISER, key=jr.key(0))
