"""A pendulum on small pictures that need no renderer, before a background that means nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from toolkit.data.simulation import simulate
from toolkit.data.systems import Pendulum
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError

_ARM, _BOB, _ROD = 0.33, 0.14, 1.2  # of the picture: arm and bob; pixels: half the rod's width
_INK = np.array([1.0, 1.0, 0.4])


@dataclass(frozen=True)
class Swings:
    """Episodes of a pendulum that is pushed at random, and what is true in each picture.

    `truth` holds sine, cosine and rate of the pendulum and the two parts of the background: `blue`
    stays as it is for an episode, `red` is drawn anew in every picture.

    Shapes: `frames (episodes, steps + 1, size, size, 3)`, uint8; `action (episodes, steps, 1)`;
            each of `truth` `(episodes, steps + 1)`.
    Units:  rate rad/s, the others none; `dt` seconds per step.
    """

    frames: np.ndarray
    action: np.ndarray
    truth: dict[str, np.ndarray]
    dt: float

    @property
    def spec(self) -> EnvSpec:
        """What an agent has to know of it."""
        states, size = self.frames.shape[1:3]
        return EnvSpec("swings", 3 * size * size, 1, states - 1, None, size)


def record_swings(
    num_episodes: int = 60,
    episode_steps: int = 60,
    *,
    size: int = 20,
    dt: float = 0.1,
    seed: int = 0,
) -> Swings:
    """Pendulums from random starts under random pushes, drawn step by step.

    Raises:
        UserError: a count is below 1, or a picture has fewer than 8 pixels on a side.
    """
    system = Pendulum(dt=dt, num_substeps=max(1, round(dt / 0.0125)))
    data = simulate(system, num_episodes=num_episodes, episode_steps=episode_steps, seed=seed)
    shape = num_episodes, episode_steps
    before = np.asarray(data.observations).reshape(*shape, 3)
    last = np.asarray(data.next_observations).reshape(*shape, 3)[:, -1:]
    cosine, sine, rate = np.moveaxis(np.concatenate([before, last], axis=1), -1, 0)
    rng = np.random.default_rng([seed, 1])
    blue = np.repeat(rng.uniform(size=(num_episodes, 1)), episode_steps + 1, axis=1)
    red = rng.uniform(size=rate.shape)
    return Swings(
        draw_pendulum(np.arctan2(sine, cosine), blue=blue, red=red, size=size),
        np.asarray(data.actions).reshape(*shape, -1),
        {"sine": sine, "cosine": cosine, "rate": rate, "blue": blue, "red": red}, dt,
    )  # fmt: skip


def draw_pendulum(
    angle: np.ndarray,
    *,
    blue: np.ndarray | float = 0.5,
    red: np.ndarray | float = 0.0,
    size: int = 20,
) -> np.ndarray:
    """A yellow pendulum on a background of one colour: `(…, size, size, 3)`, uint8.

    Shapes: `angle`, in radians from hanging, `blue` and `red`, each from 0 to 1, of one shape.
    Raises:
        UserError: the picture has fewer than 8 pixels on a side.
    """
    if size < 8:
        raise UserError(f"`size` must be at least 8 pixels, got {size}.")
    angle, blue, red = np.broadcast_arrays(*(np.asarray(x, float) for x in (angle, blue, red)))
    down, right = (np.mgrid[:size, :size] - (size - 1) / 2).reshape(
        2, *(1,) * angle.ndim, size, size
    )
    per_picture = lambda x: x[..., None, None]
    arm = _ARM * size
    x, y = per_picture(arm * np.sin(angle)), per_picture(arm * np.cos(angle))
    along = np.clip((right * x + down * y) / arm**2, 0, 1)  # of the rod, where it is nearest
    rod = np.clip(_ROD - np.hypot(right - along * x, down - along * y), 0, 1)
    bob = np.clip(_BOB * size + 0.5 - np.hypot(right - x, down - y), 0, 1)
    ink = np.maximum(0.6 * rod, bob)[..., None]
    empty = np.zeros_like(angle)
    background = np.stack([0.5 * red, empty, 0.1 + 0.5 * blue], axis=-1)[..., None, None, :]
    return np.round(255 * (background * (1 - ink) + _INK * ink)).astype(np.uint8)
