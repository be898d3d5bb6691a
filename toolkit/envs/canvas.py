"""Pictures without a screen: which of MuJoCo's backends draws here, and what it draws on."""

from __future__ import annotations

import atexit
import functools
import importlib
import os
import subprocess
import sys
import weakref
from contextlib import ExitStack
from typing import Any

import numpy as np

from toolkit.envs.requirements import import_mujoco
from toolkit.errors import UserError

_PROBE = """
import importlib, sys, mujoco
window = importlib.import_module("mujoco." + sys.argv[1]).GLContext(64, 64)
window.make_current()
model = mujoco.MjModel.from_xml_string("<mujoco/>")
mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100).free()
window.free()
"""
_REMEDY = (
    "install Debian's libegl1 libgl1 libgles2 libegl-mesa0 (MUJOCO_GL=egl) or "
    "libosmesa6 (MUJOCO_GL=osmesa)"
)


@functools.cache
def can_render(backend: str) -> bool:
    """Whether this backend of MuJoCo draws here, tried once in a process that may crash."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, backend], env=os.environ | {"MUJOCO_GL": backend},
            capture_output=True, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def choose_backend() -> str:
    """The module of MuJoCo that draws here: what `MUJOCO_GL` says, else the first that works.

    Raises:
        UserError: none works.
    """
    said = os.environ.get("MUJOCO_GL", "").lower().strip()
    said = "" if said in ("enable", "enabled", "on", "true", "1") else said
    if not said:
        by_system = {"linux": ("egl", "osmesa"), "darwin": ("cgl", "glfw")}
        candidates = by_system.get(sys.platform, ("glfw",))
    else:
        candidates = ({"glx": "glfw", "wgl": "glfw"}.get(said, said),)
    for backend in candidates:
        if can_render(backend):
            return backend
    tried = (
        f"with MUJOCO_GL={said}; unset it or" if said else f"(tried {' and '.join(candidates)});"
    )
    raise UserError(f"MuJoCo cannot draw here {tried} {_REMEDY}.")


class Canvas:
    """An off-screen picture that scenes of one model are drawn on.

    `mujoco.Renderer` has the backend that was chosen when `mujoco` was first imported; this one
    opens its own, so it works in a process that imported MuJoCo long before.
    """

    _opened: ExitStack | None = None

    def __init__(self, model: Any, height: int, width: int):
        """Open a picture of `height` × `width` pixels; the model is as large as it was after it.

        Raises:
            UserError: nothing can draw on this machine.
        """
        mujoco = import_mujoco()
        backend = choose_backend()
        os.environ["MUJOCO_GL"] = backend  # MuJoCo's C library reads it when it loads OpenGL
        self._pixels = np.empty((height, width, 3), np.uint8)
        self._area = mujoco.MjrRect(0, 0, width, height)
        size = model.vis.global_
        with ExitStack() as opened:
            self._window = importlib.import_module(f"mujoco.{backend}").GLContext(width, height)
            opened.callback(self._window.free)
            self._window.make_current()
            usual = size.offheight, size.offwidth
            size.offheight, size.offwidth = height, width  # a larger buffer takes longer to clear
            try:
                self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
            finally:
                size.offheight, size.offwidth = usual
            opened.callback(self._context.free)
            mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
            self._opened = opened.pop_all()
        _OPEN.add(self)
        atexit.unregister(_close_all)  # so that it comes before EGL's own end, whoever began it
        atexit.register(_close_all)

    @property
    def is_open(self) -> bool:
        """Whether it can still be drawn on."""
        return self._opened is not None

    def draw(self, model: Any, data: Any, scene: Any, option: Any, camera: Any) -> np.ndarray:
        """The scene in this state, as the camera sees it: `(height, width, 3)`, uint8."""
        mujoco = import_mujoco()
        self._window.make_current()
        mujoco.mjv_updateScene(model, data, option, None, camera, mujoco.mjtCatBit.mjCAT_ALL, scene)
        mujoco.mjr_render(self._area, scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._area, self._context)
        return self._pixels[::-1].copy()  # OpenGL's rows start at the bottom

    def close(self) -> None:
        """Give the picture's memory back; closing twice is fine."""
        if self._opened is not None:
            self._window.make_current()
            self._opened.close()
            self._opened = None

    def __del__(self) -> None:
        self.close()


_OPEN: weakref.WeakSet[Canvas] = weakref.WeakSet()


def _close_all() -> None:
    for canvas in list(_OPEN):
        canvas.close()
