"""What the loops need to know of agents: they act, and learn from data or from acting."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from toolkit.agents.networks import TwinCritic
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.training.learner import AbstractLearner, AbstractUpdater, Batch, State
from toolkit.types import Action, Key, Obs

#: How far recorded actions may exceed 1 by rounding.
ACTION_TOLERANCE = 1e-3

Memory = Any  # what a policy carries from one step of an episode to the next


class AbstractPolicy(eqx.Module):
    """Chooses actions in [−1, 1] for one environment; copies are handled by `vmap`."""

    def memory(self) -> Memory:
        """What is carried through an episode, at its start. Most policies need nothing."""
        return None

    def sees(self) -> int | None:
        """Height of the square pictures that it is given; none where it is given numbers."""
        return None

    @abstractmethod
    def __call__(self, obs: Obs, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        """The action for an observation, and the memory after it."""


class AbstractOnlineAgent(AbstractUpdater):
    """Hyperparameters in the object, everything learned in the state, experience in the replay.

    `state` is a pytree with an integer `update_count`; `replay` is whatever the agent samples its
    batches from: a pytree on the device, or an `AbstractHostReplay`.
    """

    num_envs: eqx.AbstractVar[int]
    updates_per_step: eqx.AbstractVar[float]
    random_steps: eqx.AbstractVar[int]

    @abstractmethod
    def init(self, spec: EnvSpec, *, key: Key) -> State:
        """The state before the first update, sized for the environment.

        Raises:
            UserError: a hyperparameter is out of its range, or does not fit the environment.
        """

    @abstractmethod
    def empty_replay(self, spec: EnvSpec, batch: int) -> Any:
        """A replay without experience, to which `batch` transitions are added at a time.

        Raises:
            UserError: the replay is too small for a batch.
        """

    @abstractmethod
    def policy(self, state: State, *, explore: bool) -> AbstractPolicy:
        """What acts, when collecting experience (`explore`) or when being scored."""

    def observe(self, replay: Any, steps: Transitions) -> Any:
        """The replay with new experience: steps of every copy, oldest first, copies innermost."""
        return replay.add(steps)

    def sees(self) -> int | None:
        """Height of the square pictures that it learns from; none where it learns from numbers."""
        return None

    def remedy_for_memory(self) -> str:
        """What to do when the device has too little memory for an update."""
        return "reduce `batch_size`"

    def priorities(self, replay: Any) -> Any:
        """The part of the replay that each update changes; most agents have none."""
        return None

    def reprioritise(self, replay: Any, batch: Batch, state: State) -> Any:
        """That part after the update that `batch` led to, with the state after it."""
        return None


class AbstractOfflineAgent(AbstractLearner):
    """Learns to act from a dataset alone; hyperparameters in the object, the rest in the state.

    Observations are normalised, in the dataset as in what the policy is given.
    """

    batch_size: eqx.AbstractVar[int]

    @abstractmethod
    def policy(self, state: State) -> AbstractPolicy:
        """What the state of one seed does, without exploration, on normalised observations."""

    def values(
        self,
        state: State,
        obs: Float[Array, "batch obs"],
        action: Float[Array, "batch action"],
    ) -> Float[Array, " batch"]:
        """The lesser of what one seed's two critics expect: discounted return from here on.

        Raises:
            UserError: the agent has no critics.
        """
        critic = getattr(state, "critic", None)
        if not isinstance(critic, TwinCritic):
            raise UserError(f"{type(self).__name__} has no critics that could be asked.")
        return critic.least(obs, action)

    def fitted_to_model(self, settings: dict[str, Any]) -> AbstractOfflineAgent:
        """The agent with what it must know of the model that it builds on, from the
        hyperparameters with which that was trained.
        """
        return self

    def check_foundation(self, trained: str, parts: frozenset[str]) -> None:
        """Refuse a representation that lacks what this agent would use of it.

        `trained` says what it is, as the beginning of a sentence; `parts` what was trained of it.

        Raises:
            UserError: a part is missing that the agent's settings ask for.
        """

    def prepare(self, dataset: Dataset) -> TransitionSampler:
        return self.transitions(dataset)

    def sample(self, sampler: TransitionSampler, *, key: Key) -> Transitions:
        return sampler.sample(self.batch_size, key=key)

    def transitions(self, dataset: Dataset) -> TransitionSampler:
        """Batches of every transition that an agent can learn from.

        Raises:
            UserError: there are fewer than a batch of them, or an action lies outside [−1, 1].
        """
        sampler = TransitionSampler(dataset)
        if sampler.rows.size < self.batch_size:
            raise UserError(
                f"`batch_size` is {self.batch_size}, but {dataset.source.name!r} has only "
                f"{sampler.rows.size} usable transitions."
            )
        largest = float(abs(dataset.actions).max())
        if largest > 1.0 + ACTION_TOLERANCE:
            raise UserError(
                f"{dataset.source.name!r} has actions up to {largest:.4g}; agents need them "
                "scaled to [-1, 1]."
            )
        return sampler


def check_is_fitted(learner: eqx.Module, *names: str) -> None:
    """Refuse a learner some of whose hyperparameters are still left to the data.

    Raises:
        UserError: one is; the message names it.
    """
    for name in names:
        if getattr(learner, name) is None:
            raise UserError(f"`{name}` is left to the data; `fitted_to(dataset)` fills it in.")
