"""A dot on a small picture: an environment of pixels without a renderer, and small agents."""

from __future__ import annotations

import numpy as np

from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps

SIZE, LENGTH = 16, 8
SPEC = EnvSpec("Dot-v0", 3 * SIZE * SIZE, 1, LENGTH, None, SIZE)
#: Sizes with which an agent compiles in seconds.
SMALL = {
    "image_size": SIZE, "stack": 2, "filters": 6, "features": 5, "hidden": 8, "layers": 1,
    "batch_size": 6, "shift": 1, "random_steps": 64, "replay_capacity": 300, "num_envs": 2,
    "learning_rate": 1e-2,
}  # fmt: skip
PREDICTING = {"horizon": 3, "dynamics_hidden": 7}
SPR, KOOPMAN = PREDICTING | {"projection": 4}, PREDICTING | {"modes": 3, "action_hidden": 4}


class Dot(AbstractEnvs):
    """x' = x + a/4 on [0, 1], rewarded by x'; starts at random; `LENGTH` steps."""

    def __init__(self, num_envs: int = 2, *, seed: int = 0):
        self.spec, self.num_envs = SPEC, num_envs
        self.words, self.elapsed = np.array([seed, 0]), np.zeros(num_envs, int)
        self.x = self._start()
        self.obs = self._picture()

    def _start(self) -> np.ndarray:
        self.words[1] += 1
        return np.random.default_rng(self.words).uniform(0, 1, self.num_envs)

    def _picture(self) -> np.ndarray:
        frames = np.zeros((self.num_envs, SIZE, SIZE, 3), np.uint8)
        columns = np.arange(SIZE) / (SIZE - 1)
        near = np.clip(1 - np.abs(columns[None] - self.x[:, None]) * 5, 0, 1)
        frames[:, 5:11, :, 0] = (255 * near).astype(np.uint8)[:, None]
        frames[..., 2] = 40
        return frames

    def _advance(self, action: np.ndarray) -> Steps:
        obs = self.obs
        self.x = np.clip(self.x + action[:, 0] / 4, 0, 1)
        reward, after = self.x.astype(np.float32), self._picture()
        self.elapsed += 1
        ended = self.elapsed >= LENGTH
        self.x, self.elapsed = np.where(ended, self._start(), self.x), self.elapsed * ~ended
        self.obs = self._picture()
        return Steps(obs, action, reward, after, np.zeros(self.num_envs, bool), ended)

    def snapshot(self) -> Snapshot:
        names = ("x", "obs", "words", "elapsed")
        return {name: getattr(self, name).copy() for name in names}

    def restore(self, snapshot: Snapshot) -> None:
        for name, values in snapshot.items():
            setattr(self, name, values.copy())
