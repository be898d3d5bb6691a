"""Rollouts of a policy in a learned model that is paid for certainty (arXiv:2005.13239 §4)."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Bool, Float

from toolkit.agents.ensemble import Ensemble, outcomes
from toolkit.agents.networks import GaussianActor
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.envs.termination import has_fallen
from toolkit.types import Key

#: Whose falls end a rollout.
Ending = Literal["hopper", "walker2d", "never"]


def uncertainty(
    log_var: Float[Array, "elites batch outcome"], scale: Float[Array, " outcome"]
) -> Float[Array, " batch"]:
    """max_i ‖std_i‖₂ over the elites, each coordinate in units of `scale` (arXiv:2005.13239 §4.3).

    The published λ are for standard deviations in the data's own units.
    """
    std = jnp.exp(0.5 * log_var) * scale[None, None]
    return jnp.max(jnp.sqrt(jnp.sum(jnp.square(std), axis=2)), axis=0)


def rollouts(
    model: Ensemble,
    actor: GaussianActor,
    starts: Float[Array, "batch obs"],
    normaliser: Normaliser,
    *,
    horizon: int,
    penalty_weight: float,
    ending: Ending,
    key: Key,
) -> tuple[Transitions, Bool[Array, " rows"], Float[Array, " rows"]]:
    """Follow the policy in the model from (normalised) states.

    Transitions of all steps, oldest first, with penalised rewards; which of them come before the
    end of their rollout; and the uncertainty of each. rows = horizon · batch.

    Source: arXiv:2005.13239 Algorithm 2, lines 5–9.
    """
    elites, batch = model.elites(), starts.shape[0]
    scale = jnp.append(normaliser.std, 1.0)  # the reward is in its own units already

    def step(carry: Any, key: Key) -> Any:
        obs, alive = carry
        action_key, elite_key, noise_key = jr.split(key, 3)
        action = jax.vmap(lambda o, k: actor(o).sample(key=k))(obs, jr.split(action_key, batch))
        mean, log_var = outcomes(elites, obs, action)
        own = jr.randint(elite_key, (batch,), 0, model.num_elites), jnp.arange(batch)
        noise = jr.normal(noise_key, mean.shape[1:])
        outcome = mean[own] + jnp.exp(0.5 * log_var[own]) * noise
        unsure = uncertainty(log_var, scale)
        after, reward = obs + outcome[:, :-1], outcome[:, -1] - penalty_weight * unsure
        fallen = jnp.zeros(batch, bool)
        if ending != "never":
            fallen = has_fallen(ending, normaliser.denormalise(after))
        made = Transitions(obs, action, reward, after, fallen)
        return (after, alive & ~fallen), (made, alive, unsure)

    first = (starts, jnp.ones(batch, bool))
    _, steps = lax.scan(step, first, jr.split(key, horizon))
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), steps)
