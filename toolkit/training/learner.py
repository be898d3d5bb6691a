"""What the one training loop needs to know about anything that learns."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from toolkit.data import Dataset
from toolkit.types import Key

State = Any  # a pytree with an integer array `update_count`
Batch = Any
Sampler = Any
Metrics = dict[str, Float[Array, ""]]


class AbstractUpdater(eqx.Module):
    """What compiled updates need: a batch out of `source`, and what is learned from it.

    `state` is a pytree with an integer `update_count`.
    """

    @abstractmethod
    def sample(self, source: Any, /, *, key: Key) -> Batch:
        """One batch. Runs inside compiled code."""

    @abstractmethod
    def update(self, state: State, batch: Batch, *, key: Key) -> tuple[State, Metrics]:
        """One update: the state after it (`update_count` one higher) and its scalar metrics."""


class AbstractLearner(AbstractUpdater):
    """Hyperparameters in the object, everything learned in the state.

    A learner is constant during training; `state` is a pytree with the parameters, targets,
    optimiser states and an integer `update_count`.
    """

    def fitted_to(self, dataset: Dataset) -> AbstractLearner:
        """The learner with every hyperparameter filled in that was left to the data."""
        return self

    @abstractmethod
    def prepare(self, dataset: Dataset) -> Sampler:
        """What batches are drawn from. Runs once on the host; data that do not fit fail here.

        Raises:
            UserError: a hyperparameter is out of its range, or the data do not fit.
        """

    @abstractmethod
    def init(self, dataset: Dataset, *, key: Key) -> State:
        """The state before the first update, sized for the dataset."""
