"""Robots drawn as plain limbs, for machines on which MuJoCo cannot render."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.envs.poses import body_points, limbs, robot_of
from toolkit.envs.rendering import BACKGROUND, TILE, TILES, limb_colour
from toolkit.envs.robots import Robot
from toolkit.errors import UserError

_EDGE = (255, 255, 255)
_FINER = 2  # drawn this much larger, then shrunk, for smooth edges


def stick_frames(
    robot: Robot | str, qpos: np.ndarray, *, size: tuple[int, int] = (240, 320)
) -> np.ndarray:
    """Pictures of joint states `(time, nq)` from the side, without OpenGL.

    The frame is that of a rendered picture: it moves forward with the torso and not up and down.

    Shapes: frames `(time, height, width, 3)`, uint8; `size` is (height, width).
    Raises:
        UserError: the states have another shape or are not finite, the size is not positive, or
            MuJoCo, Gymnasium or Pillow is not installed.
    """
    robot = robot_of(robot)
    if min(size) < 1 or max(size) > 4096:
        raise UserError(f"`size` must be (height, width) from 1 to 4096 pixels, got {size}.")
    try:
        import PIL.Image
        import PIL.ImageDraw
    except ImportError as error:
        raise UserError(f"Pillow cannot be imported ({error}); pip install pillow.") from None
    ends = body_points(robot, qpos)[..., [0, 2]].reshape(len(qpos), -1, 2, 2)  # x and height
    height, width = size[0] * _FINER, size[1] * _FINER
    looks = _looks(robot)
    scale, middle = _view(robot, width, height)
    ground = 0.9 * height
    frames = np.empty((len(qpos), *size, 3), np.uint8)
    for row, body in enumerate(ends):
        image = PIL.Image.new("RGB", (width, height), BACKGROUND)
        draw = PIL.ImageDraw.Draw(image)
        _draw_floor(draw, float(qpos[row, 0]) + middle, scale, ground, (width, height))
        for limb, (radius, colour) in list(zip(body, looks, strict=True))[::-1]:
            line = [(width / 2 + (x - middle) * scale, ground - z * scale) for x, z in limb]
            _draw_limb(draw, line, radius * scale + 1.5 * _FINER, _EDGE)
            _draw_limb(draw, line, radius * scale, colour)
        frames[row] = np.asarray(image.resize((size[1], size[0]), PIL.Image.Resampling.LANCZOS))
    return frames


def _view(robot: Robot, width: int, height: int) -> tuple[float, float]:
    """Pixels per metre with room for a hop, and how far the middle is ahead of the torso."""
    standing = body_points(robot, robot.model().qpos0[None])[0]
    low, high = standing.min(axis=0), standing.max(axis=0)
    span = max(1.5 * high[2], 1.6 * (high[0] - low[0]) * height / width)  # m, from edge to edge
    return height / span, (low[0] + high[0]) / 2


def _draw_floor(draw: Any, x: float, scale: float, ground: float, size: tuple[int, int]) -> None:
    """Tiles of half a metre that pass under the robot; `x` is in the middle of the picture."""
    width, height = size
    draw.rectangle((0, ground, width, height), fill=TILES[0])
    left = x - width / 2 / scale
    tile = int(np.floor(left / TILE))
    while (begin := (tile * TILE - left) * scale) < width:
        if tile % 2:
            draw.rectangle((begin, ground, begin + TILE * scale, height), fill=TILES[1])
        tile += 1


def _draw_limb(
    draw: Any, line: list[tuple[float, float]], radius: float, colour: tuple[int, ...]
) -> None:
    draw.line(line, fill=colour, width=max(1, round(2 * radius)))
    for x, y in line:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _looks(robot: Robot) -> list[tuple[float, tuple[int, ...]]]:
    """Radius in metres of each limb, and the colour that it has in a rendered picture."""
    model, looks = robot.model(), []
    for geom in limbs(robot):
        ink = (255 * limb_colour(model, int(geom))).round()
        looks.append((float(model.geom_size[geom, 0]), tuple(int(part) for part in ink)))
    return looks
