"""Which states a robot cannot be in."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.envs.impossible import DEEPER, FURTHER, impossible, strain
from toolkit.envs.robots import ROBOTS
from toolkit.errors import UserError

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")


FOOT = 0.04  # m between a hopper's foot and the floor in its first pose


def standing(robot: str, count: int = 1) -> np.ndarray:
    """The robot at rest in its first pose, lifted so that it touches nothing."""
    model = ROBOTS[robot].model()
    pose = np.concatenate([model.qpos0[1:], np.zeros(model.nv)])
    pose[0] += 0.3
    return np.tile(pose, (count, 1))


@pytest.mark.parametrize("robot", list(ROBOTS))
def test_a_robot_at_rest_in_the_air_is_not_strained(robot):
    found = strain(robot, standing(robot))
    assert found.depth == 0 and found.excess == 0


def test_depth_is_how_far_a_hopper_is_pushed_into_the_floor():
    states = standing("hopper", 3)
    states[:, 0] -= 0.3 + FOOT + np.array([-0.01, 0.01, 0.03])
    depth = strain("hopper", states).depth
    np.testing.assert_allclose(depth, [0.0, 0.01, 0.03], atol=1e-6)


def test_excess_is_how_far_a_joint_is_beyond_its_limit():
    model = ROBOTS["hopper"].model()
    states = standing("hopper", 2)
    states[:, 2] = model.jnt_range[3, 1] + np.array([0.2, -0.2])  # the thigh
    found = strain("hopper", states)
    np.testing.assert_allclose(found.excess, [0.2, 0.0], atol=1e-9)
    states[:, 2] = model.jnt_range[3, 0] - 0.3
    np.testing.assert_allclose(strain("hopper", states).excess, 0.3, atol=1e-9)


def test_impossible_is_what_no_recorded_state_comes_near():
    model = ROBOTS["hopper"].model()
    recorded = standing("hopper", 2)
    limit = model.jnt_range[3, 1]
    recorded[1, 2] = limit + 0.1
    states = standing("hopper", 5)
    touching = states[0, 0] - 0.3 - FOOT
    states[0, 2] = limit + 0.1 + 0.9 * FURTHER
    states[1, 2] = limit + 0.1 + 1.1 * FURTHER
    states[2, 0], states[3, 0] = touching - 0.9 * DEEPER, touching - 3 * DEEPER
    states[4, 5] = np.nan
    found = impossible(strain("hopper", states), strain("hopper", recorded))
    assert found[0] == "" and found[2] == ""
    assert found[1] == f"joint {np.degrees(0.1 + 1.1 * FURTHER):.0f}° off"
    assert found[3] == "overlap of 3 cm"
    assert found[4] == "not a number"


def test_a_fall_is_told_apart():
    states = standing("hopper", 2)
    states[1, 0] = 0.5
    assert strain("hopper", states).fallen.tolist() == [False, True]
    assert not strain("halfcheetah", standing("halfcheetah")).fallen.any()


def test_states_of_another_robot_are_refused():
    with pytest.raises(UserError, match=r"`obs` of hopper must be \(states, 11\), got \(1, 17\)"):
        strain("hopper", standing("walker2d"))
