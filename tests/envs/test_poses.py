"""Poses against MuJoCo itself: points of the body, distance travelled, states that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.data import load
from toolkit.envs import ROBOTS, Physics
from toolkit.envs.poses import body_points, poses_of, robot_of
from toolkit.errors import UserError

mujoco = pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")


def run(name: str, num_steps: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """True joint states of the simulator under random actions, falls included."""
    physics, rng = Physics(ROBOTS[name], threads=1), np.random.default_rng(3)
    states = [robot_state[None] for robot_state in ROBOTS[name].reset(physics.model, rng)]
    qpos, qvel = [states[0]], [states[1]]
    for _ in range(num_steps):
        after = physics.step(qpos[-1], qvel[-1], rng.uniform(-1, 1, (1, physics.nu)))
        qpos.append(after[0].copy())
        qvel.append(after[1].copy())
    physics.close()
    return np.concatenate(qpos), np.concatenate(qvel)


@pytest.mark.parametrize("name", ROBOTS)
def test_points_are_where_mujoco_puts_the_capsules(name):
    model = ROBOTS[name].model()
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    qpos = model.qpos0 + rng.uniform(-0.8, 0.8, (5, model.nq))
    points = body_points(name, qpos)
    assert points.shape == (5, 2 * (model.ngeom - 1), 3)  # all but the floor
    for state, found in zip(qpos, points, strict=True):
        data.qpos[:] = state
        mujoco.mj_forward(model, data)
        for limb, geom in enumerate(range(1, model.ngeom)):
            for end, side in enumerate((-1, 1)):
                local = np.array([0, 0, side * model.geom_size[geom, 1]])
                expected = data.geom_xmat[geom].reshape(3, 3) @ local + data.geom_xpos[geom]
                expected[0] -= state[0]
                np.testing.assert_allclose(found[2 * limb + end], expected, atol=1e-9)


def test_a_standing_hopper_has_the_measures_of_its_drawing():
    upright = ROBOTS["hopper"].model().qpos0[None]
    bent = upright.copy()
    bent[0, 3] = -np.pi / 2  # the thigh lies flat
    torso, thigh = body_points("hopper", upright)[0, :4].reshape(2, 2, 3)
    np.testing.assert_allclose(np.sort(torso[:, 2]), [1.05, 1.45], atol=1e-9)
    np.testing.assert_allclose(np.sort(thigh[:, 2]), [0.6, 1.05], atol=1e-9)
    flat = body_points("hopper", bent)[0, 2:4]
    np.testing.assert_allclose(flat[:, 2], 1.05, atol=1e-9)
    assert np.ptp(flat[:, 0]) == pytest.approx(0.45)


def test_how_far_the_robot_came_does_not_count():
    near = ROBOTS["walker2d"].model().qpos0[None]
    far = near.copy()
    far[0, 0] = 123.0
    np.testing.assert_array_equal(body_points("walker2d", near), body_points("walker2d", far))


@pytest.mark.parametrize(("name", "metres"), [("hopper", 0.002), ("walker2d", 0.005),
                                              ("halfcheetah", 0.05)])  # fmt: skip
def test_integrated_x_follows_the_true_one(name, metres):
    qpos, qvel = run(name)
    poses = poses_of(name, ROBOTS[name].observe(qpos, qvel))
    true_x = qpos[:, 0] - qpos[0, 0]
    assert np.ptp(true_x) > 2 * metres  # it did move
    np.testing.assert_allclose(poses.qpos[:, 0], true_x, atol=metres)
    np.testing.assert_allclose(poses.qpos[:, 1:], qpos[:, 1:])
    assert not (poses.clipped | poses.missing).any()


def test_a_constant_speed_is_integrated_exactly():
    obs = np.zeros((5, 11))
    obs[:, 0], obs[:, 5] = 1.25, [1, 1, 1, 3, 3]
    np.testing.assert_allclose(poses_of("hopper", obs, dt=0.1).qpos[:, 0], [0, 0.1, 0.2, 0.4, 0.7])
    assert poses_of("hopper", obs).qpos[1, 0] == pytest.approx(0.008)


@pytest.mark.parametrize("name", ["hopper-medium", "hopper-medium-replay", "walker2d-medium"])
def test_no_real_state_is_changed(name):
    obs = np.asarray(load(f"toolkit/{name}").observations, float)
    poses = poses_of(name, obs)
    assert not (poses.clipped | poses.missing).any()
    np.testing.assert_array_equal(np.concatenate([poses.qpos[:, 1:], poses.qvel], axis=1), obs)


def test_what_no_robot_can_take_is_cut_to_its_limits():
    obs = np.zeros((4, 11))
    obs[:, 0] = 1.25
    obs[1, 4], obs[2, 0], obs[3, 5] = 1e30, -1e30, 1e30
    poses = poses_of("hopper", obs)
    assert poses.clipped.tolist() == [False, True, True, True]
    assert not poses.missing.any()
    assert poses.qpos[1, 5] == pytest.approx(np.pi / 4 + 1.0)
    assert poses.qpos[2, 1] == 0  # the torso lies in the floor
    assert np.isfinite(body_points("hopper", poses.qpos)).all()
    assert np.abs(poses.qpos).max() < 10


def test_what_is_not_finite_keeps_the_last_pose():
    obs = np.zeros((5, 11))
    obs[:, 0], obs[:, 5], obs[:, 2] = 1.25, 1.0, -0.1 * np.arange(5)
    obs[2, 3], obs[3] = np.nan, np.inf
    poses = poses_of("hopper", obs)
    assert poses.missing.tolist() == [False, False, True, True, False]
    assert not poses.clipped.any()
    np.testing.assert_array_equal(poses.qpos[2:4, 1:], poses.qpos[[1, 1], 1:])
    assert poses.qpos[3, 0] == poses.qpos[2, 0] < poses.qpos[4, 0]  # it stands still meanwhile
    nothing = poses_of("hopper", np.full((2, 11), np.nan))
    np.testing.assert_array_equal(nothing.qpos[1], ROBOTS["hopper"].model().qpos0)


@pytest.mark.parametrize(
    "name", ["hopper", "Hopper-v4", "Hopper-v5", "toolkit/hopper-medium", "hopper-medium-v2-10k"]
)
def test_a_robot_is_found_by_every_name_it_goes_by(name):
    assert robot_of(name) is robot_of(ROBOTS["hopper"]) is ROBOTS["hopper"]


def test_wrong_input_is_named():
    with pytest.raises(UserError, match=r"one of hopper, walker2d, halfcheetah .* got 'Ant-v4'"):
        robot_of("Ant-v4")
    with pytest.raises(UserError, match=r"`mine` of hopper must be \(time, 11\), .* \(3, 17\)"):
        poses_of("hopper", np.zeros((3, 17)), name="mine")
    with pytest.raises(UserError, match=r"must be \(time, 11\), got the shape \(0, 11\)"):
        poses_of("hopper", np.zeros((0, 11)))
    with pytest.raises(UserError, match="`obs` must hold numbers, got str"):
        poses_of("hopper", "nothing")
    with pytest.raises(UserError, match=r"`dt` must be positive, got 0\.0"):
        poses_of("hopper", np.zeros((3, 11)), dt=0.0)
    with pytest.raises(UserError, match=r"`qpos` of hopper must be \(time, 6\), .* \(2, 9\)"):
        body_points("hopper", np.zeros((2, 9)))
    with pytest.raises(UserError, match="`qpos` of hopper must be finite"):
        body_points("hopper", np.full((2, 6), np.nan))
