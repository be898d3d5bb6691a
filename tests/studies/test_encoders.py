"""An encoder that is watched while it learns: stacks and their truth, and what is measured."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.agents.self_prediction import SelfPrediction
from toolkit.agents.spr import KoopmanSPR
from toolkit.envs.swings import draw_pendulum, record_swings
from toolkit.errors import UserError
from toolkit.evaluation.probes import effective_rank, singular_values
from toolkit.studies.encoders import stacks_of, watch_encoder

SWINGS = record_swings(4, 10, size=16, seed=0)
AGENT = KoopmanSPR(
    image_size=16, stack=2, filters=6, features=5, batch_size=6, horizon=3, dynamics_hidden=7,
    modes=3, action_hidden=4, augment=False, learning_rate=1e-2,
)  # fmt: skip


def test_stacks_end_with_the_picture_that_is_true():
    stacks = stacks_of(SWINGS, 3, 4 * 9)  # all that there are
    assert stacks.images.shape == (36, 16, 16, 9)
    angle = np.arctan2(stacks.truth["sine"], stacks.truth["cosine"])
    again = draw_pendulum(angle, blue=stacks.truth["blue"], red=stacks.truth["red"], size=16)
    np.testing.assert_array_equal(stacks.last, again)
    assert (
        len({(r, b) for r, b in zip(stacks.truth["rate"], stacks.truth["blue"], strict=True)}) == 36
    )
    for rows in (0, 37):
        with pytest.raises(UserError, match=f"from 1 to 36, the stacks that there are, got {rows}"):
            stacks_of(SWINGS, 3, rows)
    with pytest.raises(UserError, match="`rows` must be from 1 to 0"):
        stacks_of(SWINGS, 12, 1)


def test_a_history_begins_before_the_first_update_and_ends_with_the_model():
    seen, held_out = stacks_of(SWINGS, 2, 20), stacks_of(SWINGS, 2, 15, seed=1)
    run = watch_encoder(
        SelfPrediction(AGENT), SWINGS, seen, held_out, num_updates=6, points=2, seed=3
    )
    np.testing.assert_array_equal(run.updates, [0, 3, 6])
    assert np.isnan(run.loss[0]) and np.isfinite(run.loss[1:]).all()
    assert set(run.probes) == set(SWINGS.truth) and all(len(v) == 3 for v in run.probes.values())
    assert run.features.shape == (15, 5)
    assert run.rank[-1] == pytest.approx(effective_rank(run.features))
    assert run.spread[-1] == pytest.approx(run.features.std(axis=0).mean())
    np.testing.assert_allclose(run.singular, singular_values(run.features))
    np.testing.assert_allclose(
        run.features, run.model.encoder(jnp.asarray(held_out.images)), atol=1e-5
    )
    assert run.spread[0] != run.spread[1] != run.spread[2]
    with pytest.raises(UserError, match="from 1 to the 6 of `num_updates`, got 7"):
        watch_encoder(SelfPrediction(AGENT), SWINGS, seen, held_out, num_updates=6, points=7)
