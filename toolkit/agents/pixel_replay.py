"""Replay of pictures: every frame once, losslessly compressed, in the host's memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, UInt8

from toolkit.agents.host_replay import AbstractHostReplay
from toolkit.envs.interface import Snapshot, Steps
from toolkit.errors import UserError
from toolkit.types import Key

_LEVEL = 6  # of zlib: a tenth smaller than level 1, and no slower to undo
_PER_FRAME = 41  # bytes of Python's own: the object's head and its place in the list


class PixelWindows(eqx.Module):
    """A batch of windows, each around one transition and those that follow it.

    The frames are those of the stack before the start, of the start, and of the steps after it; a
    step is `valid` if it belongs to the start's episode. The first always does. Before an
    episode's first frame there is that frame again, behind its last one the last.
    """

    frames: UInt8[Array, "batch frames height width 3"]  # frames = stack + time
    action: Float[Array, "time batch action"]
    reward: Float[Array, " batch"]  # of the first step
    terminal: Bool[Array, " batch"]  # after the first step
    valid: Bool[Array, "time batch"]


class PixelReplay(AbstractHostReplay):
    """A ring of frames for each copy of an environment, the oldest overwritten first.

    A row is a frame and the action taken at it; the last frame of an episode has a row of its own
    without an action. Stacks and successors are rows beside it, found when a batch is drawn.

    Frames of 84 × 84 pixels of DeepMind Control, 21,168 bytes raw, take 6,300 (ball_in_cup) to
    8,600 (walker), so 100,000 of them at most 0.9 GB. Undoing one takes 0.07 ms; several threads
    share the work while the device computes.

    Raises:
        UserError: the capacity does not hold a stack of each copy.
    """

    def __init__(self, capacity: int, num_envs: int, action_dim: int, *, stack: int):
        """Room for `capacity` frames of `num_envs` copies together.

        Raises:
            UserError: a copy's share does not hold a stack and its successor.
        """
        self.rows, self.stack = capacity // num_envs, stack
        if self.rows < stack + 1:
            raise UserError(
                f"`replay_capacity` must hold a stack of {stack} frames and one more for each of "
                f"{num_envs} copies, got {capacity}."
            )
        shape = num_envs, self.rows
        self._frames: list[list[bytes]] = [[b""] * self.rows for _ in range(num_envs)]
        self._image: tuple[int, ...] = (0, 0, 3)
        self._action = np.zeros((*shape, action_dim), np.float32)
        self._reward, self._terminal = np.zeros(shape, np.float32), np.zeros(shape, bool)
        self._acts = np.zeros(shape, bool)  # whether an action was taken at this frame
        self._age = np.zeros(shape, np.int32)  # frames of the episode before this one
        self._count = np.zeros(num_envs, np.int64)  # rows ever added
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    @property
    def num_frames(self) -> int:
        """Frames that are stored now."""
        return int(np.minimum(self._count, self.rows).sum())

    @property
    def nbytes(self) -> int:
        """Bytes of everything that is stored."""
        frames = sum(len(frame) + _PER_FRAME for ring in self._frames for frame in ring)
        arrays = (self._action, self._reward, self._terminal, self._acts, self._age)
        return frames + sum(array.nbytes for array in arrays)

    def add(self, collected: Sequence[Steps]) -> None:
        """Compress first and then write, so that hardly any interruption leaves half a round."""
        new = [[_compressed(frame) for frame in steps.obs] for steps in collected]
        last = [
            {
                copy: _compressed(steps.next_obs[copy])
                for copy in np.flatnonzero(steps.ended).tolist()
            }
            for steps in collected
        ]
        for steps, frames, closing in zip(collected, new, last, strict=True):
            self._image = steps.obs.shape[1:]
            for copy, frame in enumerate(frames):
                step = steps.action[copy], steps.reward[copy], steps.terminal[copy]
                self._append(copy, frame, step)
                if copy in closing:
                    self._append(copy, closing[copy], None)

    def _append(self, copy: int, frame: bytes, step: tuple | None) -> None:
        at, before = self._count[copy] % self.rows, (self._count[copy] - 1) % self.rows
        self._frames[copy][at] = frame
        self._age[copy, at] = self._age[copy, before] + 1 if self._acts[copy, before] else 0
        self._acts[copy, at] = step is not None
        if step is not None:
            self._action[copy, at], self._reward[copy, at], self._terminal[copy, at] = step
        self._count[copy] += 1

    def sample(self, batch_size: int, horizon: int, *, key: Key) -> PixelWindows:
        """`batch_size` windows of `horizon` steps, their starts uniform with replacement.

        Raises:
            UserError: no transition is complete yet.
        """
        starts = np.flatnonzero(self._startable())
        if not len(starts):
            raise UserError(
                "The replay holds no frame with its successor yet; more `random_steps` fill it "
                "before the first update."
            )
        rng = np.random.default_rng(np.asarray(jr.key_data(key)))
        copy, start = np.divmod(rng.choice(starts, batch_size), self.rows)
        return self._windows(copy, start, horizon)

    def _startable(self) -> np.ndarray:
        """Rows with an action, a stored successor, and all the frames of their stack."""
        newest = (self._count - 1) % self.rows
        oldest = np.where(self._count > self.rows, self._count % self.rows, 0)
        before = (np.arange(self.rows)[None] - oldest[:, None]) % self.rows
        stacked = np.minimum(self._age, self.stack - 1) <= before
        return self._acts & stacked & (np.arange(self.rows)[None] != newest[:, None])

    def _windows(self, copy: np.ndarray, start: np.ndarray, horizon: int) -> PixelWindows:
        newest = (self._count[copy] - 1) % self.rows
        left = (newest - start) % self.rows  # rows that are stored behind the start
        valid = np.ones((horizon, len(start)), bool)
        for step in range(1, horizon):
            acts = self._acts[copy, (start + step) % self.rows]
            valid[step] = valid[step - 1] & acts & (left > step)
        back = np.minimum(np.arange(self.stack - 1, -1, -1)[:, None], self._age[copy, start])
        at = np.concatenate([start - back, start + np.cumsum(valid, axis=0)]) % self.rows
        steps = (start + np.arange(horizon)[:, None]) % self.rows
        return PixelWindows(
            jnp.asarray(self._decoded(copy, at)), jnp.asarray(self._action[copy, steps]),
            jnp.asarray(self._reward[copy, start]), jnp.asarray(self._terminal[copy, start]),
            jnp.asarray(valid),
        )  # fmt: skip

    def _decoded(self, copy: np.ndarray, at: np.ndarray) -> np.ndarray:
        """The frames of rows `(frames, batch)`: `(batch, frames, height, width, 3)`."""
        made = np.empty((len(copy), len(at), *self._image), np.uint8)

        def decode(window: int) -> None:
            ring, rows = self._frames[copy[window]], at[:, window]
            for place, row in enumerate(rows):
                if place and row == rows[place - 1]:
                    made[window, place] = made[window, place - 1]
                else:
                    frame = np.frombuffer(zlib.decompress(ring[row]), np.uint8)
                    made[window, place] = frame.reshape(self._image)

        for _ in self._pool.map(decode, range(len(copy))):
            pass
        return made

    def snapshot(self) -> Snapshot:
        """The compressed frames of all copies in a row, and the arrays."""
        frames = [frame for ring in self._frames for frame in ring]
        return {
            "frames": np.frombuffer(b"".join(frames), np.uint8),
            "sizes": np.array([len(frame) for frame in frames], np.int64),
            "image": np.array(self._image), "count": self._count.copy(),
            **{name: getattr(self, f"_{name}").copy() for name in _ARRAYS},
        }  # fmt: skip

    def restore(self, snapshot: Snapshot) -> None:
        """See the interface; the snapshot is one of a replay of the same sizes."""
        ends = np.cumsum(snapshot["sizes"])
        begins, whole = ends - snapshot["sizes"], snapshot["frames"]
        frames = [whole[a:b].tobytes() for a, b in zip(begins, ends, strict=True)]
        starts = range(0, len(frames), self.rows)
        self._frames = [frames[first : first + self.rows] for first in starts]
        self._image = tuple(snapshot["image"].tolist())
        self._count = snapshot["count"].copy()
        for name in _ARRAYS:
            setattr(self, f"_{name}", snapshot[name].copy())


def _compressed(frame: np.ndarray) -> bytes:
    return zlib.compress(frame.tobytes(), _LEVEL)


_ARRAYS = ("action", "reward", "terminal", "acts", "age")
