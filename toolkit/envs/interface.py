"""What the online loop, the data factory and the evaluation need to know of environments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from toolkit.errors import UserError

Snapshot = dict[str, np.ndarray]


@dataclass(frozen=True)
class EnvSpec:
    """One environment in numbers. `dt` in seconds per step, where known.

    With an `image_size`, observations are square pictures of that height, and `obs_dim` counts
    their numbers.
    """

    env_id: str
    obs_dim: int
    action_dim: int
    max_episode_steps: int
    dt: float | None = None
    image_size: int | None = None


@dataclass(frozen=True)
class Steps:
    """One step of every environment. Shapes: `(envs, …)`; observations and rewards are float32,
    pictures `(envs, height, width, 3)` in uint8.

    `next_obs` is the true successor, also where the episode ended and a new one has begun.
    """

    obs: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_obs: np.ndarray
    terminal: np.ndarray
    timeout: np.ndarray

    @property
    def ended(self) -> np.ndarray:
        """Which episodes ended with this step: `(envs,)` booleans."""
        return self.terminal | self.timeout


class AbstractEnvs(ABC):
    """Several copies of an environment on the host, stepped together and restarted by themselves.

    Actions lie in [−1, 1]; an implementation maps them to its own bounds. `obs` is what the next
    action is chosen from, `(num_envs, obs_dim)` float32 or pictures.
    """

    spec: EnvSpec
    num_envs: int
    obs: np.ndarray

    @abstractmethod
    def _advance(self, action: np.ndarray) -> Steps:
        """Step every copy and restart those that ended."""

    @property
    def restorable(self) -> bool:
        """Whether `snapshot` can save everything, so that training can be resumed."""
        return True

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Everything that the future depends on: simulator states, counters, generators.

        Raises:
            UserError: the environment is not `restorable`.
        """

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; what follows is bit-identical to what followed it."""

    def close(self) -> None:  # noqa: B027 (most hold nothing)
        """Give back what the simulator holds."""

    def step(self, action: np.ndarray) -> Steps:
        """One step of all copies with actions `(num_envs, action_dim)`.

        Raises:
            UserError: the actions have another shape or are not finite, or the simulation broke.
        """
        action = np.asarray(action, np.float32)
        expected = (self.num_envs, self.spec.action_dim)
        if action.shape != expected:
            raise UserError(
                f"{self.spec.env_id} needs actions of shape {expected}, got {action.shape}."
            )
        if not np.isfinite(action).all():
            bad = int(np.flatnonzero(~np.isfinite(action).all(axis=1))[0])
            raise UserError(f"{self.spec.env_id}: the action of copy {bad} is not finite.")
        steps = self._advance(action)
        if not (np.isfinite(steps.next_obs).all() and np.isfinite(steps.reward).all()):
            raise UserError(f"{self.spec.env_id}: the simulation broke; a number is not finite.")
        return steps
