"""What the online loop needs to know of an agent: it acts, observes and updates."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx

from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.training.learner import AbstractUpdater, State
from toolkit.types import Action, Key, Obs

Memory = Any  # what a policy carries from one step of an episode to the next


class AbstractPolicy(eqx.Module):
    """Chooses actions in [−1, 1] for one environment; copies are handled by `vmap`."""

    def memory(self) -> Memory:
        """What is carried through an episode, at its start. Most policies need nothing."""
        return None

    @abstractmethod
    def __call__(self, obs: Obs, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        """The action for an observation, and the memory after it."""


class AbstractOnlineAgent(AbstractUpdater):
    """Hyperparameters in the object, everything learned in the state, experience in the replay.

    `state` is a pytree with an integer `update_count`; `replay` is whatever the agent samples its
    batches from.
    """

    num_envs: eqx.AbstractVar[int]
    updates_per_step: eqx.AbstractVar[float]
    random_steps: eqx.AbstractVar[int]

    @abstractmethod
    def init(self, spec: EnvSpec, *, key: Key) -> State:
        """The state before the first update, sized for the environment."""

    @abstractmethod
    def empty_replay(self, spec: EnvSpec, batch: int) -> Any:
        """A replay without experience, to which `batch` transitions are added at a time."""

    @abstractmethod
    def policy(self, state: State, *, explore: bool) -> AbstractPolicy:
        """What acts, when collecting experience (`explore`) or when being scored."""

    @abstractmethod
    def observe(self, replay: Any, steps: Transitions) -> Any:
        """The replay with new experience: steps of every copy, oldest first, copies innermost."""
