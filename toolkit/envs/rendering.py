"""The robots as frames, drawn without a screen."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.envs.canvas import Canvas
from toolkit.envs.requirements import import_mujoco
from toolkit.envs.robots import Robot
from toolkit.errors import UserError

BACKGROUND = (243, 246, 250)
TILES = (222, 228, 235), (203, 212, 222)
TILE = 0.5  # m
_NEAR, _FAR = (0, 114, 178), (213, 94, 0)  # legs on two sides, told apart by every colour vision


class Renderer:
    """Draws one robot from the side, the camera beside its torso. A context manager.

    The floor's tiles are 0.5 m wide. The camera moves forward with the torso and not up and down,
    so that hops show.
    """

    def __init__(self, robot: Robot, *, size: tuple[int, int] = (240, 320)):
        """Open an off-screen picture of `size` (height, width) pixels.

        Raises:
            UserError: nothing can draw on this machine, or the size is not positive.
        """
        height, width = size
        if min(size) < 1 or max(size) > 4096:
            raise UserError(f"`size` must be (height, width) from 1 to 4096 pixels, got {size}.")
        mujoco, self.robot = import_mujoco(), robot
        self._model = _restyled(robot.model())
        self._data = mujoco.MjData(self._model)
        self._scene = mujoco.MjvScene(self._model, maxgeom=200)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = 1
        self._option = mujoco.MjvOption()
        self._camera, self._start = _side_view(self._model, self._data, width / height)
        self._canvas = Canvas(self._model, height, width)

    def frame(self, qpos: np.ndarray, qvel: np.ndarray | None = None) -> np.ndarray:
        """The robot in a joint state, `(nq,)` and `(nv,)`: pixels `(height, width, 3)`, uint8.

        Raises:
            UserError: the state has another shape or is not finite, or the renderer is closed.
        """
        mujoco, data = import_mujoco(), self._data
        if not self._canvas.is_open:
            raise UserError(f"The renderer of {self.robot.env_id} is closed; open a new one.")
        data.qpos[:] = self._checked("qpos", qpos, self._model.nq)
        data.qvel[:] = 0 if qvel is None else self._checked("qvel", qvel, self._model.nv)
        mujoco.mj_forward(self._model, data)
        self._camera.lookat[0] = self._start + data.qpos[0]
        return self._canvas.draw(self._model, data, self._scene, self._option, self._camera)

    def _checked(self, name: str, values: np.ndarray, count: int) -> np.ndarray:
        values = np.asarray(values, float)
        if values.shape != (count,):
            raise UserError(
                f"`{name}` of {self.robot.env_id} has shape ({count},), got {values.shape}."
            )
        if not np.isfinite(values).all():
            raise UserError(f"`{name}` of {self.robot.env_id} is not finite.")
        return values

    def close(self) -> None:
        """Give the picture's memory back; closing twice is fine."""
        self._canvas.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _restyled(model):
    """Light background, a floor without end and without mirror, limbs in two colours."""
    mujoco = import_mujoco()
    model.vis.quality.offsamples, model.vis.quality.shadowsize = 4, 1024  # twice as fast as 4096
    model.stat.extent = 3.0  # m; shadows are sharp within it
    model.vis.rgba.haze = [*(np.array(BACKGROUND) / 255), 1]
    model.vis.headlight.ambient, model.vis.headlight.diffuse = [0.5] * 3, [0.25] * 3
    model.vis.headlight.specular = [0.05] * 3
    _paint(model, mujoco.mjtTexture.mjTEXTURE_SKYBOX, lambda rows, columns: BACKGROUND)
    _paint(model, mujoco.mjtTexture.mjTEXTURE_2D, _checkered)
    floor = model.geom("floor").id
    model.geom_size[floor, :2], model.geom_rgba[floor] = 0, 1  # size 0 is drawn without end
    tiles = model.geom_matid[floor]
    model.mat_reflectance[tiles] = model.mat_specular[tiles] = 0
    model.mat_texuniform[tiles], model.mat_texrepeat[tiles] = 1, 1 / TILE  # repeats in 2 m
    for geom in np.flatnonzero(model.geom_bodyid > 0).tolist():
        model.geom_matid[geom] = -1
        model.geom_rgba[geom, :3] = limb_colour(model, geom)
    # One sun over the camera's shoulder that travels with the torso, and its shadow with it.
    model.light_bodyid[0], model.light_mode[0] = 1, mujoco.mjtCamLight.mjCAMLIGHT_TRACK
    model.light_pos0[0], model.light_dir0[0] = [-1.2, -1.5, 4.0], np.array([0.28, 0.35, -0.89])
    model.light_diffuse[0], model.light_specular[0] = 0.4, 0.15
    return model


def _paint(model, kind, colour: Callable[[np.ndarray, np.ndarray], Any]) -> None:
    """Fill every texture of a kind with `colour` of its rows `(h, 1)` and columns `(1, w)`."""
    for texture in np.flatnonzero(model.tex_type == kind):
        shape = (model.tex_height[texture], model.tex_width[texture], 3)
        start = model.tex_adr[texture]
        rows, columns = np.ogrid[: shape[0], : shape[1]]
        pixels = np.broadcast_to(colour(rows, columns), shape)
        model.tex_data[start : start + pixels.size] = pixels.ravel()


def _checkered(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.where(((2 * rows // rows.size) == (2 * columns // columns.size))[..., None], *TILES)


def limb_colour(model, geom: int) -> np.ndarray:
    """Orange for left and back legs, blue for the rest; each segment lighter than its parent."""
    body, depth = model.geom_bodyid[geom], 0
    name = model.body(body).name
    colour = np.array(_FAR if name.endswith("_left") or name.startswith("b") else _NEAR) / 255
    while model.body_parentid[body] > 0:
        body, depth = model.body_parentid[body], depth + 1
    return 1 - (1 - colour) * 0.85**depth


def _side_view(model, data, aspect: float):
    """A camera that sees the whole robot with room for a hop, and how far it is ahead of `qpos`."""
    mujoco = import_mujoco()
    mujoco.mj_forward(model, data)
    robot = model.geom_bodyid > 0
    reach = model.geom_rbound[robot, None]
    low = (data.geom_xpos[robot] - reach).min(axis=0)
    high = (data.geom_xpos[robot] + reach).max(axis=0)
    span = max(1.45 * high[2], 1.25 * (high[0] - low[0]) / aspect)  # m, from edge to edge
    camera = mujoco.MjvCamera()
    camera.type, camera.azimuth, camera.elevation = mujoco.mjtCamera.mjCAMERA_FREE, 90.0, -7.0
    camera.distance = span / (2 * math.tan(math.radians(model.vis.global_.fovy) / 2))
    camera.lookat[:] = (low[0] + high[0]) / 2, 0.0, 0.45 * span
    return camera, camera.lookat[0] - data.qpos[0]


def render_episode(
    robot: Robot,
    qpos: np.ndarray,
    qvel: np.ndarray | None = None,
    *,
    every: int = 1,
    size: tuple[int, int] = (240, 320),
) -> np.ndarray:
    """Every `every`-th of stored joint states `(steps, nq)`, `(steps, nv)`: frames.

    Shapes: frames `(frames, height, width, 3)`, uint8; `size` is (height, width).

    Raises:
        UserError: nothing can draw here, no states came, or a state has another shape or is not
            finite.
    """
    if every < 1 or np.ndim(qpos) != 2 or len(qpos) == 0:
        raise UserError("An episode is drawn from joint states (steps, nq) with `every` at least "
                        f"1, got shape {np.shape(qpos)} and {every}.")  # fmt: skip
    if qvel is not None and len(qvel) != len(qpos):
        raise UserError(f"`qvel` has {len(qvel)} rows where `qpos` has {len(qpos)}.")
    with Renderer(robot, size=size) as renderer:
        rows = range(0, len(qpos), every)
        return np.stack([
            renderer.frame(qpos[row], None if qvel is None else qvel[row]) for row in rows
        ])  # fmt: skip
