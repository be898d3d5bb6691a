"""From observed states of a robot to its pose: joint states to draw, and points of its body.

Observations leave out how far the robot has come. It is the same integral of the observed forward
velocity for every sequence, so that a true and a predicted run are drawn by one rule.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.data.tasks import parse_task
from toolkit.envs.requirements import import_mujoco
from toolkit.envs.robots import ROBOTS, Robot
from toolkit.errors import UserError

# What is drawn as it is. Joint limits are soft: in real data a walker's leg is 0.65 rad beyond one.
JOINT_ROOM = 1.0  # rad beyond a joint's limits
HEIGHT_ROOM = 1.0  # m above the height at which the robot stands; below it there is the floor
ANGLE_LIMIT = 100.0  # rad; the torso may turn over many times
VELOCITY_LIMIT = 100.0  # m/s and rad/s


@dataclass(frozen=True)
class Poses:
    """Joint states of one robot, one after another, that can be drawn whatever they came from.

    `clipped` says where a number lay beyond what the robot can do and was set to that limit,
    `missing` where one was not finite and the pose before was kept.

    Shapes: `qpos (time, nq)`, `qvel (time, nv)`; `clipped` and `missing` `(time,)` booleans.
    Units:  metres and radians, per second for `qvel`; `dt` in seconds.
    """

    robot: Robot
    qpos: np.ndarray
    qvel: np.ndarray
    clipped: np.ndarray
    missing: np.ndarray
    dt: float


def robot_of(name: str | Robot) -> Robot:
    """A robot by its name, an environment's id in any version, or a dataset's name.

    Raises:
        UserError: it is none of the robots that can be drawn.
    """
    if isinstance(name, Robot):
        return name
    task, env = parse_task(name), name.split("/")[-1].rsplit("-v", 1)[0].lower()
    for robot in ROBOTS.values():
        if robot.name in (env, task.family if task else ""):
            return robot
    raise UserError(f"`robot` must be one of {', '.join(ROBOTS)} or its environment, got {name!r}.")


def poses_of(robot: Robot | str, obs: Any, *, dt: float | None = None, name: str = "obs") -> Poses:
    """Joint states of observations `(time, nq − 1 + nv)`.

    x is not observed: it starts at 0 and x_{k+1} = x_k + dt·(ẋ_k + ẋ_{k+1})/2. `dt` is the time
    between observations in seconds, by default the environment's own. `name` is what an error
    calls the observations.

    Raises:
        UserError: the observations have another shape or are not numbers, `dt` is not positive,
            or MuJoCo or Gymnasium is not installed.
    """
    robot = robot_of(robot)
    model, _ = _simulator(robot)
    dt = float(model.opt.timestep * robot.frame_skip if dt is None else dt)
    if not 0 < dt < np.inf:
        raise UserError(f"`dt` must be positive, got {dt}.")
    rows = _observations(name, obs, robot)
    missing = np.asarray(~np.isfinite(rows).all(axis=1))
    low, high = _limits(robot)
    drawn = np.clip(_held(rows, missing, robot), low, high)
    clipped = np.asarray(~missing & (drawn != rows).any(axis=1))
    split = model.nq - 1
    pace = np.where(missing, 0.0, drawn[:, split])  # a robot of which nothing is known stands still
    x = np.concatenate([[0.0], np.cumsum(dt * (pace[1:] + pace[:-1]) / 2)])
    qpos = np.concatenate([x[:, None], drawn[:, :split]], axis=1)
    return Poses(robot, qpos, drawn[:, split:], clipped, missing, dt)


def body_points(robot: Robot | str, qpos: np.ndarray) -> np.ndarray:
    """Both ends of every limb (a capsule), by MuJoCo's forward kinematics.

    x counts from the torso. x is no part of the observed state, and a camera that follows the
    torso does not show it: with it, the points of two robots in the same posture would drift
    apart with every error in the speed, for ever. Height and posture are what a picture shows.

    Shapes: `qpos (time, nq)` to `(time, 2·limbs, 3)`; rows 2i and 2i + 1 are the ends of limb i.
    Units:  metres.
    Raises:
        UserError: the joint states have another shape or are not finite, or MuJoCo or Gymnasium
            is not installed.
    """
    robot = robot_of(robot)
    (model, data), mujoco = _simulator(robot), import_mujoco()
    qpos = np.asarray(qpos, float)
    if qpos.ndim != 2 or qpos.shape[1] != model.nq or not len(qpos):
        raise UserError(
            f"`qpos` of {robot.name} must be (time, {model.nq}), got the shape {qpos.shape}."
        )
    if not np.isfinite(qpos).all():
        raise UserError(f"`qpos` of {robot.name} must be finite; `poses_of` makes such states.")
    geoms = limbs(robot)
    points = np.empty((len(qpos), len(geoms), 2, 3))
    for row, state in enumerate(qpos):
        data.qpos[:] = state
        data.qpos[0] = 0.0  # the torso's x
        mujoco.mj_kinematics(model, data)
        middle, axis = data.geom_xpos[geoms], data.geom_xmat[geoms].reshape(-1, 3, 3)[:, :, 2]
        reach = model.geom_size[geoms, 1, None] * axis
        points[row, :, 0], points[row, :, 1] = middle - reach, middle + reach
    return points.reshape(len(qpos), -1, 3)


def limbs(robot: Robot) -> np.ndarray:
    """Numbers of the geoms that make the robot's body: `(limbs,)`, in the order of the points."""
    model, _ = _simulator(robot)
    return np.flatnonzero(model.geom_bodyid > 0)


@functools.cache
def _simulator(robot: Robot) -> tuple[Any, Any]:
    """Model and working memory of the kinematics; the model is only read."""
    model = robot.model()
    return model, import_mujoco().MjData(model)


@functools.cache
def _limits(robot: Robot) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest number that is drawn as it is, per coordinate observed."""
    model, _ = _simulator(robot)
    low, high = np.full((2, model.nq - 1 + model.nv), VELOCITY_LIMIT) * [[-1.0], [1.0]]
    height, angle = model.qpos0[1], 1
    low[0], high[0] = height - model.body_pos[1, 2], height + HEIGHT_ROOM
    low[angle], high[angle] = -ANGLE_LIMIT, ANGLE_LIMIT
    joints = model.jnt_range[3:]  # behind the torso's x, height and angle; all have limits
    low[2 : model.nq - 1] = joints[:, 0] - JOINT_ROOM
    high[2 : model.nq - 1] = joints[:, 1] + JOINT_ROOM
    return low, high


def _held(rows: np.ndarray, missing: np.ndarray, robot: Robot) -> np.ndarray:
    """Rows that are missing repeat the one before them; without one, the robot stands."""
    model, _ = _simulator(robot)
    standing = np.concatenate([model.qpos0[1:], np.zeros(model.nv)])
    last = np.maximum.accumulate(np.where(missing, -1, np.arange(len(rows))))
    return np.where((last >= 0)[:, None], rows[np.maximum(last, 0)], standing)


def _observations(name: str, values: Any, robot: Robot) -> np.ndarray:
    model, _ = _simulator(robot)
    width = model.nq - 1 + model.nv
    try:
        rows = np.asarray(values, float)
    except (TypeError, ValueError):
        raise UserError(f"`{name}` must hold numbers, got {type(values).__name__}.") from None
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise UserError(
            f"`{name}` of {robot.name} must be (time, {width}), got the shape {rows.shape}."
        )
    return rows
