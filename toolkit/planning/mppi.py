"""Model predictive path integral control, as TD-MPC plans with it (arXiv:2203.04955 §3)."""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Int

from toolkit.errors import UserError
from toolkit.planning.interface import AbstractProblem
from toolkit.types import Action, Key, Scalar

Mean = Float[Array, "horizon action"]


class Plan(eqx.Module):
    """What came out of planning: the action to take, the mean of the sequences and its spread,
    and the value of the best sequence of the last iteration.
    """

    action: Action
    mean: Mean
    std: Float[Array, "horizon action"]
    value: Scalar

    def shifted(self) -> Mean:
        """Where planning begins one step later: the mean without its first action, then 0."""
        return jnp.concatenate([self.mean[1:], jnp.zeros_like(self.mean[:1])])


class Iteration(eqx.Module):
    """What an iteration of a plan looked at, and what it made of it.

    `candidates` are the sequences drawn and those proposed, `elites` the numbers of the best ones
    among them, the best first; `mean` and `std` are what was fitted to them. Several iterations
    have a leading axis.
    """

    candidates: Float[Array, "*iterations horizon candidates action"]
    values: Float[Array, "*iterations candidates"]
    elites: Int[Array, "*iterations elites"]
    weights: Float[Array, "*iterations elites"]
    mean: Float[Array, "*iterations horizon action"]
    std: Float[Array, "*iterations horizon action"]


class MPPI(eqx.Module):
    """Sample sequences around a mean, move it to the weighted elites, repeat.

    An elite of value V has the weight exp(τ·(V − V_max)). The mean keeps the share `momentum` of
    itself, the standard deviation is that of the weighted elites, between a floor and `max_std`.
    The problem's proposals compete with the samples of every iteration.

    Source: arXiv:2203.04955 §3 and its code, whose values the defaults are.
    """

    horizon: int = 5
    """Steps planned ahead."""
    iterations: int = 6
    """Times that the mean and the spread are fitted to the elites."""
    samples: int = 512
    """Sequences drawn in each iteration."""
    proposals: int = 25
    """Sequences that the problem may propose."""
    elites: int = 64
    """Best sequences, which the mean and the spread are fitted to."""
    temperature: float = 0.5
    """τ: how much the better of the elites outweigh the others."""
    momentum: float = 0.1
    """Share of the old mean in the new one."""
    max_std: float = 2.0
    """Standard deviation at the start, and its ceiling."""
    min_std: float = 0.05
    """Floor of the standard deviation."""
    executes: Literal["elite", "mean"] = "elite"
    """What is acted on: an elite drawn by its weight, as published, or the mean."""

    def check(self) -> None:
        """Refuse settings that no plan can be made with.

        Raises:
            UserError: naming the setting.
        """
        for name in ("horizon", "iterations", "samples", "elites"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if self.elites > self.samples:
            raise UserError(
                f"`elites` must be at most `samples` {self.samples}, got {self.elites}."
            )
        if not 0 < self.min_std <= self.max_std:
            raise UserError(
                f"`min_std` must lie above 0 and not above `max_std` {self.max_std:g}, "
                f"got {self.min_std:g}."
            )
        if not 0 <= self.momentum < 1:
            raise UserError(f"`momentum` must lie in [0, 1), got {self.momentum:g}.")
        if self.executes not in ("elite", "mean"):
            raise UserError(f"`executes` must be 'elite' or 'mean', got {self.executes!r}.")

    def fresh_mean(self, action_dim: int) -> Mean:
        """Where planning begins when nothing was planned before."""
        return jnp.zeros((self.horizon, action_dim))

    @eqx.filter_jit
    def plan(
        self,
        problem: AbstractProblem,
        start: Any,
        mean: Mean,
        *,
        key: Key,
        length: Int[Array, ""] | None = None,
        min_std: Scalar | None = None,
        explore: bool = False,
    ) -> Plan:
        """Plan from `start`, beginning at `mean`.

        Only the first `length` steps are planned (default: all of the horizon), with `min_std` as
        the floor of the spread (default: the planner's own). With `explore` noise of the final
        spread is added to the action.
        """
        found = self.iterate(problem, start, mean, key=key, length=length, min_std=min_std)
        *_, draw_key, noise_key = jr.split(key, 4)
        last = jax.tree.map(lambda each: each[-1], found)
        first_actions = last.candidates[0, last.elites]
        drawn = first_actions[jr.categorical(draw_key, jnp.log(last.weights))]
        action = drawn if self.executes == "elite" else last.mean[0]
        if explore:
            action = action + last.std[0] * jr.normal(noise_key, action.shape)
        value = last.values[last.elites[0]]
        return Plan(jnp.clip(action, -1.0, 1.0), last.mean, last.std, value)

    @eqx.filter_jit
    def iterate(
        self,
        problem: AbstractProblem,
        start: Any,
        mean: Mean,
        *,
        key: Key,
        length: Int[Array, ""] | None = None,
        min_std: Scalar | None = None,
    ) -> Iteration:
        """Every iteration of the plan that `plan` makes of the same arguments."""
        length = jnp.asarray(self.horizon if length is None else length, jnp.int32)
        floor = jnp.asarray(self.min_std if min_std is None else min_std, jnp.float32)
        proposal_key, loop_key, *_ = jr.split(key, 4)
        proposed = problem.proposals(start, self.horizon, self.proposals, key=proposal_key)
        proposed_values = _finite(problem.values(start, proposed, length))
        counted = (jnp.arange(self.horizon) < length)[:, None]

        def improve(carry: tuple[Array, Array], key: Key):
            mean, std = carry
            noise = jr.normal(key, (self.horizon, self.samples, problem.action_dim))
            drawn = jnp.clip(mean[:, None] + std[:, None] * noise, -1.0, 1.0)
            drawn_values = _finite(problem.values(start, drawn, length))
            candidates = jnp.concatenate([drawn, proposed], axis=1)
            values = jnp.concatenate([drawn_values, proposed_values])
            best, chosen = lax.top_k(values, self.elites)
            weights = elite_weights(best, self.temperature)
            centre, spread = weighted_moments(candidates[:, chosen], weights)
            mean = jnp.where(counted, self.momentum * mean + (1 - self.momentum) * centre, 0.0)
            std = jnp.clip(spread, floor, self.max_std)
            return (mean, std), Iteration(candidates, values, chosen, weights, mean, std)

        initial = (jnp.where(counted, mean, 0.0), jnp.full_like(mean, self.max_std))
        return lax.scan(improve, initial, jr.split(loop_key, self.iterations))[1]


def elite_weights(values: Float[Array, " elites"], temperature: float) -> Float[Array, " elites"]:
    """exp(τ·(V − V_max)), scaled to the sum 1 (arXiv:2203.04955 Eq. 4)."""
    return jax.nn.softmax(temperature * values)


def weighted_moments(
    elites: Float[Array, "horizon elites action"], weights: Float[Array, " elites"]
) -> tuple[Mean, Float[Array, "horizon action"]]:
    """Weighted mean and standard deviation of the elites (arXiv:2203.04955 Eq. 4)."""
    mean = jnp.einsum("e,hea->ha", weights, elites)
    variance = jnp.einsum("e,hea->ha", weights, jnp.square(elites - mean[:, None]))
    return mean, jnp.sqrt(variance)


def _finite(values: Array) -> Array:
    """Sequences on which the model ran away are the worst there are."""
    return jnp.where(jnp.isfinite(values), values, -1e9)
