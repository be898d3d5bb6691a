"""Small pictures of a pendulum: where the bob is, what the background does, what is recorded."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.data.systems import Pendulum, advance
from toolkit.envs.swings import draw_pendulum, record_swings
from toolkit.errors import UserError


@pytest.mark.parametrize("angle", [0.0, 0.5 * np.pi, np.pi, -2.0])
def test_the_bob_hangs_where_its_angle_says(angle):
    green = draw_pendulum(np.array(angle), size=40)[..., 1].astype(float)  # the pendulum alone
    bright = green > 200
    rows, columns = np.nonzero(bright)
    down, right = rows.mean() - 19.5, columns.mean() - 19.5
    assert np.arctan2(right, down) == pytest.approx(
        angle if angle != np.pi else np.pi, abs=0.03
    ) or (angle == np.pi and abs(abs(np.arctan2(right, down)) - np.pi) < 0.03)
    assert np.hypot(down, right) == pytest.approx(0.33 * 40, abs=0.6)


def test_the_background_has_the_two_colours():
    picture = draw_pendulum(np.zeros(3), blue=np.array([0.0, 0.5, 1.0]), red=0.2)
    corner = picture[:, 0, 0]
    np.testing.assert_array_equal(corner[:, 0], 26)
    np.testing.assert_array_equal(corner[:, 2], np.round(255 * np.array([0.1, 0.35, 0.6])))
    with pytest.raises(UserError, match="`size` must be at least 8 pixels, got 7"):
        draw_pendulum(np.zeros(1), size=7)


def test_swings_hold_what_is_true_of_their_pictures():
    swings = record_swings(3, 5, seed=4)
    truth, angle = swings.truth, np.arctan2(swings.truth["sine"], swings.truth["cosine"])
    again = draw_pendulum(angle, blue=truth["blue"], red=truth["red"])
    np.testing.assert_array_equal(swings.frames, again)
    assert swings.frames.shape == (3, 6, 20, 20, 3) and swings.action.shape == (3, 5, 1)
    assert (np.ptp(truth["blue"], axis=1) == 0).all() and (np.ptp(truth["red"], axis=1) > 0).all()
    system = Pendulum(dt=swings.dt, num_substeps=8)
    for step in range(5):
        state = jnp.array([angle[1, step], truth["rate"][1, step]], jnp.float32)
        after = advance(system, state, jnp.asarray(swings.action[1, step]))
        assert truth["rate"][1, step + 1] == pytest.approx(float(after[1]), abs=1e-3)
        assert np.cos(angle[1, step + 1]) == pytest.approx(float(np.cos(after[0])), abs=1e-3)
    assert swings.spec.max_episode_steps == 5 and swings.spec.action_dim == 1
    np.testing.assert_array_equal(record_swings(3, 5, seed=4).frames, swings.frames)
    assert (record_swings(3, 5, seed=5).frames != swings.frames).any()
