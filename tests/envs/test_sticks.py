"""Robots drawn without a renderer."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.envs import ROBOTS
from toolkit.envs.sticks import stick_frames
from toolkit.errors import UserError

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")
pytest.importorskip("PIL")


def body(frame: np.ndarray) -> np.ndarray:
    """Where the picture is colourful: sky and floor are nearly grey."""
    return np.argwhere(np.ptp(frame.astype(int), axis=-1) > 60)


@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_is_seen_whole_and_large(name):
    frames = stick_frames(name, ROBOTS[name].model().qpos0[None], size=(120, 160))
    assert frames.shape == (1, 120, 160, 3) and frames.dtype == np.uint8
    rows, columns = body(frames[0]).T
    assert rows.min() > 5 and rows.max() < 115
    assert columns.min() > 5 and columns.max() < 155
    assert max(np.ptp(rows) / 120, np.ptp(columns) / 160) > 0.5


def test_it_hops_in_the_picture_and_the_floor_passes_under_it():
    near, high, on, round_ = np.repeat(ROBOTS["hopper"].model().qpos0[None], 4, axis=0)
    high[1], on[0], round_[0] = 1.45, 0.5, 1.0
    frames = stick_frames("hopper", np.stack([near, high, on, round_]), size=(120, 160))
    middle = [body(frame).mean(axis=0) for frame in frames]
    assert middle[1][0] < middle[0][0] - 8
    np.testing.assert_allclose(middle[2], middle[0])
    assert (frames[2] != frames[0]).any()  # other tiles
    np.testing.assert_array_equal(frames[3], frames[0])  # the same again after two of them


def test_a_joint_that_moves_is_seen():
    qpos = np.repeat(ROBOTS["walker2d"].model().qpos0[None], 2, axis=0)
    qpos[1, 6] = -0.8  # the left thigh, in orange
    frames = stick_frames("walker2d", qpos).astype(int)
    orange = (frames[..., 0] > frames[..., 2] + 60).sum(axis=(1, 2))
    assert orange[1] > orange[0] + 100


def test_wrong_sizes_and_states_are_named():
    qpos = ROBOTS["hopper"].model().qpos0[None]
    with pytest.raises(UserError, match=r"from 1 to 4096 pixels, got \(0, 20\)"):
        stick_frames("hopper", qpos, size=(0, 20))
    with pytest.raises(UserError, match="must be finite"):
        stick_frames("hopper", qpos * np.nan)
