"""What a violation goes with: values per row, neighbours, rank correlation, the share above."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data.samplers import Transitions
from toolkit.evaluation.violation import (
    Neighbours,
    rate_errors,
    share_larger,
    violations,
)
from toolkit.tsymmetry import TDM, decoded_rate_loss, symmetry_violation


def transitions(rows=6):
    keys = jr.split(jr.key(0), 3)
    return Transitions(
        jr.normal(keys[0], (rows, 3)), jr.uniform(keys[1], (rows, 1)), jnp.zeros(rows),
        jr.normal(keys[2], (rows, 3)), jnp.zeros(rows, bool),
    )  # fmt: skip


def test_each_row_gets_its_own_loss():
    model = TDM(3, 1, encoder_widths=(8,), dynamics_widths=(8,), key=jr.key(1))
    rows = transitions()
    found = violations(model, rows.obs, rows.action)
    errors = rate_errors(model, rows.obs, rows.action, rows.next_obs)
    for i, (s, a, s2) in enumerate(zip(rows.obs, rows.action, rows.next_obs, strict=True)):
        np.testing.assert_allclose(
            found[i], symmetry_violation(model, model.encode(s, a)), rtol=1e-5
        )
        np.testing.assert_allclose(errors[i], decoded_rate_loss(model, s, a, s2), rtol=1e-5)


def test_the_nearest_row_is_found_over_states_and_actions():
    rows = transitions()
    places = rows.obs + 0.01
    distance, row = Neighbours(rows).nearest(places, rows.action - 0.02)
    both = np.concatenate([rows.obs, rows.action], 1)
    asked = np.concatenate([places, rows.action - 0.02], 1)
    apart = np.linalg.norm(asked[:, None] - both[None], axis=2)
    np.testing.assert_array_equal(row, apart.argmin(1))
    np.testing.assert_allclose(distance, apart.min(1), rtol=1e-5)


def test_the_share_that_is_larger_counts_pairs():
    rng = np.random.default_rng(0)
    values, reference = rng.integers(0, 6, 40), rng.integers(0, 5, 30)
    pairs = (values[:, None] > reference).mean() + 0.5 * (values[:, None] == reference).mean()
    assert share_larger(values, reference) == pytest.approx(pairs)
    assert share_larger(reference, reference) == pytest.approx(0.5)
