"""The falls that compiled code sees, against the simulator's own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.envs.requirements import make_gymnasium
from toolkit.envs.robots import ROBOTS
from toolkit.envs.termination import has_fallen

SIZES = {"hopper": (6, 6), "walker2d": (9, 9), "halfcheetah": (9, 9)}


def near_the_limits(name, rows=4000):
    """Joint states around every limit of health, with velocities that are observed unclipped."""
    drawn = np.random.default_rng(0)
    positions, velocities = SIZES[name]
    qpos = drawn.normal(size=(rows, positions))
    qpos[:, 1] = drawn.uniform(0.5, 2.2, rows)
    qpos[:, 2] = drawn.uniform(-1.0, 1.0, rows) * (0.3 if name == "hopper" else 1.3)
    far = drawn.random(rows) < 0.2
    qpos[far, 3:] *= 60
    return qpos, drawn.uniform(-10, 10, (rows, velocities))


@pytest.mark.parametrize("name", ["hopper", "walker2d", "halfcheetah"])
def test_a_fall_is_what_the_robots_call_one(name):
    qpos, qvel = near_the_limits(name)
    qpos = qpos.astype(np.float32).astype(float)  # what float32 observations can tell apart
    robot = ROBOTS[name]
    obs = jnp.asarray(robot.observe(qpos, qvel), jnp.float32)
    found = np.asarray(jax.jit(has_fallen, static_argnums=0)(name, obs))
    limits = [np.float32(x) for x in (*(robot.height or ()), robot.angle) if x is not None]
    on_edge = np.isin(qpos[:, 1].astype(np.float32), limits)
    np.testing.assert_array_equal(found[~on_edge], robot.fallen(qpos, qvel)[~on_edge])
    assert found.any() == robot.falls and not found.all()
    np.testing.assert_array_equal(has_fallen(name, obs[:6].reshape(2, 3, -1)).ravel(), found[:6])


@pytest.mark.parametrize("name", ["hopper", "walker2d"])
def test_a_fall_is_what_gymnasium_calls_one(name):
    pytest.importorskip("mujoco")
    pytest.importorskip("gymnasium")
    env = make_gymnasium(ROBOTS[name].env_id, str).unwrapped
    qpos, qvel = near_the_limits(name, 300)
    fell = []
    for position, velocity in zip(qpos, qvel, strict=True):
        env.set_state(position, velocity)
        fell.append(bool(has_fallen(name, jnp.asarray(env._get_obs(), jnp.float32))))
        assert fell[-1] != env.is_healthy
    assert 30 < sum(fell) < 299
    env.close()


def test_each_condition_of_health_counts_by_itself():
    stands = np.zeros(11, np.float32)
    stands[0] = 1.25
    cases = {(0, 0.69): True, (0, 5.0): False, (1, 0.21): True, (1, -0.21): True,
             (1, 0.19): False, (4, 100.5): True, (10, -101.0): True, (4, 99.0): False,
             (3, np.nan): True}  # fmt: skip
    for (at, value), fallen in cases.items():
        obs = stands.copy()
        obs[at] = value
        assert bool(has_fallen("hopper", jnp.asarray(obs))) == fallen, (at, value)
    walker = np.zeros(17, np.float32)
    for height, fallen in [(0.79, True), (0.81, False), (1.99, False), (2.01, True)]:
        walker[0] = height
        assert bool(has_fallen("walker2d", jnp.asarray(walker))) == fallen
