"""Planning in any dynamics model with a reward head, trained offline or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from toolkit.planning.interface import AbstractProblem, discounts
from toolkit.types import Obs

#: Rewards of the transitions to these states under these actions.
Objective = Callable[[Float[Array, "horizon obs"], Float[Array, "horizon action"]], Array]


class ModelProblem(AbstractProblem):
    """Discounted rewards that a model predicts: its own, or those of an `objective`.

    `model` is an `AbstractDynamics` or a `TrainedDynamics`, in whose units observations and
    rewards are. A candidate is one call of its `predict`, so a model that is linear in time goes
    through it in one propagation. The model does not know about falling: what ends an episode
    must show in the rewards.

    Source: arXiv:2306.11941 Eq. 3, without the expectation: the model is deterministic.
    """

    model: Any
    action_dim: int = eqx.field(static=True)
    discount: float = eqx.field(static=True, default=1.0)
    objective: Objective | None = eqx.field(static=True, default=None)

    def start(self, obs: Obs) -> Obs:
        return obs

    def values(
        self, start: Obs, actions: Float[Array, "horizon candidates action"],
        length: Int[Array, ""],
    ) -> Float[Array, " candidates"]:  # fmt: skip
        def rewards(sequence: Float[Array, "horizon action"]) -> Float[Array, " horizon"]:
            predicted = self.model.predict(start, sequence)
            if self.objective is None:
                return predicted.reward
            return self.objective(predicted.obs[1:], sequence)

        each = jax.vmap(rewards, in_axes=1, out_axes=1)(actions)
        return jnp.sum(discounts(self.discount, len(actions), length)[:, None] * each, axis=0)
