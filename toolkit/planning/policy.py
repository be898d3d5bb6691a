"""Acting by planning anew at every step."""

from __future__ import annotations

import equinox as eqx
from jaxtyping import Array, Int

from toolkit.agents.interface import AbstractPolicy
from toolkit.planning.interface import AbstractProblem
from toolkit.planning.mppi import MPPI, Mean
from toolkit.types import Action, Key, Obs, Scalar


class PlanningPolicy(AbstractPolicy):
    """Plans at every step and takes the first action: model predictive control.

    The memory is where the next plan begins: the mean of the last one, a step on. At the start of
    an episode it is 0.
    """

    problem: AbstractProblem
    planner: MPPI
    length: Int[Array, ""] | None = None
    min_std: Scalar | None = None
    explore: bool = eqx.field(static=True, default=False)

    def memory(self) -> Mean:
        return self.planner.fresh_mean(self.problem.action_dim)

    def __call__(self, obs: Obs, memory: Mean, *, key: Key) -> tuple[Action, Mean]:
        plan = self.planner.plan(
            self.problem, self.problem.start(obs), memory, key=key, length=self.length,
            min_std=self.min_std, explore=self.explore,
        )  # fmt: skip
        return plan.action, plan.shifted()
