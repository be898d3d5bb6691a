"""Augmentations as values: from a batch and a key to a batch and an acceptance mask."""

from __future__ import annotations

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool

from toolkit.data.samplers import Transitions
from toolkit.types import Key, Scalar

Accepted = Bool[Array, " batch"]


class AbstractAugmentation(eqx.Module):
    """Makes new transitions from recorded ones, and says which of them may be used.

    It works in whatever space an agent's critics see: states, or the latent of a model. Rewards,
    actions and terminals stay as recorded.
    """

    @abstractmethod
    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        """The new transitions, one for each of the batch, and which are accepted."""

    def replacing(self, batch: Transitions, *, key: Key) -> Transitions:
        """The batch with every accepted transition in place of the one it was made from."""
        made, accepted = self(batch, key=key)
        return select(accepted, made, batch)


def select(chosen: Accepted, first: Transitions, second: Transitions) -> Transitions:
    """The first's transitions where chosen, else the second's."""

    def pick(a: Array, b: Array) -> Array:
        return jnp.where(chosen.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, first, second)


def join(first: Transitions, second: Transitions) -> Transitions:
    """Both batches, one behind the other."""
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)


class NoAugmentation(AbstractAugmentation):
    """The batch as it is."""

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        return batch, jnp.ones(len(batch.reward), bool)


class StateNoise(AbstractAugmentation):
    """s + ε and s′ + ε′ with independent ε, ε′ ~ N(0, scale²·I), as in S4RL-N.

    `scale` is in standard deviations of a coordinate, because states are normalised.
    Source: arXiv:2103.06326; the minimal form in the code published with arXiv:2111.01365.
    """

    scale: float | Scalar

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        here, after = jr.split(key)
        moved = Transitions(
            batch.obs + self.scale * jr.normal(here, batch.obs.shape),
            batch.action,
            batch.reward,
            batch.next_obs + self.scale * jr.normal(after, batch.next_obs.shape),
            batch.terminal,
        )
        return moved, jnp.ones(len(batch.reward), bool)


class CommonNoise(AbstractAugmentation):
    """s + ε and s′ + ε with the same ε: the whole transition is moved, its change is kept."""

    scale: float | Scalar

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        epsilon = self.scale * jr.normal(key, batch.obs.shape)
        moved = Transitions(
            batch.obs + epsilon, batch.action, batch.reward, batch.next_obs + epsilon,
            batch.terminal,
        )  # fmt: skip
        return moved, jnp.ones(len(batch.reward), bool)


def state_noise(scale: float) -> AbstractAugmentation:
    """`StateNoise`, or nothing where the scale is 0."""
    return StateNoise(scale) if scale else NoAugmentation()
