"""DeepMind Control's tasks as frames: what agents see that learn from pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.envs.canvas import Canvas
from toolkit.envs.requirements import import_mujoco
from toolkit.errors import UserError

SMALLEST, LARGEST = 8, 512  # pixels

_CANVASES: dict[tuple[str, int], Canvas] = {}


class TaskCamera:
    """A task's first camera, at a square size. Frames have the bits of dm_control's own.

    All copies of a task in this process, those that are scored too, draw on one canvas: it holds
    textures and meshes, in which copies do not differ.
    """

    def __init__(self, task: str, model: Any, size: int):
        """Look at copies of `task`, of which `model` is one.

        Raises:
            UserError: nothing can draw on this machine, or the size is out of range.
        """
        if not SMALLEST <= size <= LARGEST:
            raise UserError(f"`image_size` must be {SMALLEST} to {LARGEST} pixels, got {size}.")
        mujoco = import_mujoco()
        if (task, size) not in _CANVASES:
            _CANVASES[task, size] = Canvas(model, size, size)
        self._canvas = _CANVASES[task, size]
        self._scene, self._option = mujoco.MjvScene(model, maxgeom=1000), mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def frame(self, model: Any, data: Any) -> np.ndarray:
        """A copy in its present state: `(size, size, 3)`, uint8."""
        return self._canvas.draw(model, data, self._scene, self._option, self._camera)
