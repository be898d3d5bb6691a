"""The planner's X-ray: what a plan looked at, iteration by iteration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Array, Float

from toolkit.data.simulation import roll_out
from toolkit.data.systems import AbstractSystem
from toolkit.figures.planning import plan_figure
from toolkit.planning import Iteration, PlanningPolicy
from toolkit.planning.control import Episode
from toolkit.types import Obs
from toolkit.widgets.controls import Slider
from toolkit.widgets.explore import explore


class PlanView:
    """Figure of one iteration of one decision of an episode.

    Called with the step of the episode and the iteration. The plan is made again from what the
    policy remembered and drew with; `policy` plans in a `ModelProblem` and `episode` is of
    `control` with this policy in the `system`. `coordinate` makes of an observation the angle to
    draw, in radians, and `goal` is that angle where the system should go.
    """

    def __init__(
        self,
        system: AbstractSystem,
        policy: PlanningPolicy,
        episode: Episode,
        coordinate: Callable[[Obs], Any],
        *,
        goal: float | None = None,
        quantity: str = "angle, rad",
    ):
        self.system, self.policy, self.episode = system, policy, episode
        self.coordinate, self.goal, self.quantity = jax.vmap(coordinate), goal, quantity
        self._plan = functools.lru_cache(maxsize=64)(self._iterations)

    def _iterations(self, step: int) -> Iteration:
        memory = jax.tree.map(lambda each: each[step], self.episode.memories)
        policy, obs = self.policy, self.episode.obs[step]
        return policy.planner.iterate(
            policy.problem, policy.problem.start(obs), memory, key=self.episode.keys[step],
            length=policy.length, min_std=policy.min_std,
        )  # fmt: skip

    def __call__(self, step: int, iteration: int) -> go.Figure:
        found = jax.tree.map(lambda each: each[iteration - 1], self._plan(step))
        obs = self.episode.obs[step]
        sequences = jnp.moveaxis(found.candidates, 1, 0)
        paths = _predicted(self.policy.problem.model, obs, sequences, self.coordinate)
        believed = _predicted(self.policy.problem.model, obs, found.mean[None], self.coordinate)
        true = roll_out(self.system, self.episode.states[step], found.mean)
        happened = np.unwrap(np.asarray(self.coordinate(jax.vmap(self.system.observe)(true))))
        elite = np.zeros(len(sequences), bool)
        elite[np.asarray(found.elites)] = True
        off = abs(float(believed[0, -1]) - happened[-1])
        worth = float(found.values[found.elites].mean())
        title = (
            f"Step {step}, iteration {iteration}: elites worth {worth:.1f} on average<br>"
            f"<sup>at its end the plan as believed is {off:.2f} from what happened</sup>"
        )
        return plan_figure(
            paths, elite, np.asarray(found.values), dt=self.system.dt, believed=believed[0],
            happened=happened, goal=self.goal, title=title, quantity=self.quantity,
        )  # fmt: skip


def _predicted(
    model: Any, obs: Obs, sequences: Float[Array, "count horizon action"], coordinate: Any
) -> np.ndarray:
    """The coordinate along each sequence as the model has it: `(count, horizon + 1)`."""
    return np.unwrap(np.asarray(_paths(model, obs, sequences, coordinate)), axis=1)


@eqx.filter_jit
def _paths(
    model: Any, obs: Obs, sequences: Float[Array, "count horizon action"], coordinate: Any
) -> Float[Array, "count states"]:
    return jax.vmap(lambda actions: coordinate(model.predict(obs, actions).obs))(sequences)


def explore_plan(
    system: AbstractSystem,
    policy: PlanningPolicy,
    episode: Episode,
    coordinate: Callable[[Obs], Any],
    *,
    step: int = 0,
    **options: Any,
) -> Any:
    """Sliders for step and iteration above the planner's X-ray (see `PlanView`).

    Without the widget packages, the first figure.
    """
    view = PlanView(system, policy, episode, coordinate, **options)
    return explore(
        view,
        step=Slider(step, 0, len(episode.actions) - 1, label="step"),
        iteration=Slider(1, 1, policy.planner.iterations, label="iteration"),
    )
