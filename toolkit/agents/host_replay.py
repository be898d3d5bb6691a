"""Experience that stays in the host's memory, because the device has no room for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from toolkit.envs.interface import Snapshot, Steps


class AbstractHostReplay(ABC):
    """A replay of NumPy arrays that changes in place; batches are drawn between updates."""

    @abstractmethod
    def add(self, collected: Sequence[Steps]) -> None:
        """Take over steps of every copy, oldest first."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Everything it holds, in arrays whose shapes may differ from one time to the next."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Hold what a snapshot holds."""
