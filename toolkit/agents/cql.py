"""Conservative Q-learning: SAC whose critics are pushed down off the data (arXiv:2006.04779)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.augmentation import AbstractAugmentation, state_noise
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy
from toolkit.agents.networks import GaussianActor, TwinCritic, polyak
from toolkit.agents.sac import ActorPolicy, actor_loss, draw, temperature_loss
from toolkit.agents.td3 import critic_loss
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.nn import fresh_copy
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Key, Scalar


class CQLState(eqx.Module):
    """Actor, critics with their target, temperature, and an optimiser for each."""

    actor: GaussianActor
    critic: TwinCritic
    target: TwinCritic
    log_temperature: Float[Array, ""]
    opt_states: tuple[Any, Any, Any]
    update_count: Int[Array, ""]
    model: Any = None  # of an agent whose augmentation asks one


class CQL(AbstractOfflineAgent):
    """Conservative Q-learning, CQL(H), on soft actor-critic (arXiv:2006.04779).

    Settings are those of a well-known re-implementation on the MuJoCo sets, without its
    initialisation of the critics.
    """

    conservative_weight: float = 10.0
    """Weight of the conservative term (α of Eq. 4)."""
    num_actions: int = 10
    """Actions drawn from each of three sources for the log-sum-exp."""
    discount: float = 0.99
    """γ per environment step."""
    target_rate: float = 0.005
    """Share of the critics that goes into their target at each update."""
    initial_temperature: float = 1.0
    """Temperature of the entropy before the first update."""
    tune_temperature: bool = True
    """Tune it towards an entropy of −1 per action coordinate."""
    backup_entropy: bool = False
    """Count the entropy of the next action in the target."""
    cloning_updates: int = 0
    """Updates at the beginning in which the actor clones the data."""
    state_noise: float = 0.0
    """Noise on the states that the critics see (S4RL), in standard deviations; 0 for none."""
    hidden: int = 256
    """Width of the hidden layers."""
    layers: int = 3
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam for the critics."""
    actor_learning_rate: float = 3e-5
    """Rate of Adam for the actor and the temperature."""
    num_updates: int = 100_000
    """Length of the run, in updates."""

    def init(self, dataset: Dataset, *, key: Key) -> CQLState:
        actor_key, critic_key = jr.split(key)
        sizes = (dataset.obs_dim, dataset.action_dim, self.hidden, self.layers)
        actor = GaussianActor(*sizes, key=actor_key)
        critic = TwinCritic(*sizes, key=critic_key)
        log_temperature = jnp.log(jnp.asarray(self.initial_temperature, jnp.float32))
        slow, fast = self._adams()
        opt_states = (start(slow, actor), start(fast, critic), start(slow, log_temperature))
        return CQLState(
            actor, critic, fresh_copy(critic), log_temperature, opt_states,
            jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def policy(self, state: CQLState) -> AbstractPolicy:
        return ActorPolicy(state.actor, explore=False)

    def augmentation(self, state: CQLState) -> AbstractAugmentation:
        """What is done to the transitions that the critics see."""
        return state_noise(self.state_noise)

    def update(self, state: CQLState, batch: Transitions, *, key: Key) -> tuple[CQLState, Metrics]:
        augment_key, target_key, sample_key, actor_key = jr.split(key, 4)
        seen = self.augmentation(state).replacing(batch, key=augment_key)
        slow, fast = self._adams()
        opt_actor, opt_critic, opt_temperature = state.opt_states
        temperature = jnp.exp(state.log_temperature)

        next_action, next_log_prob = draw(state.actor, batch.next_obs, key=target_key)
        value = state.target.least(seen.next_obs, next_action)
        if self.backup_entropy:
            value = value - temperature * next_log_prob
        y = seen.reward + self.discount * jnp.where(seen.terminal, 0.0, value)
        proposals = propose(state.actor, batch, self.num_actions, key=sample_key)

        def loss(critic: TwinCritic) -> tuple[Scalar, Scalar]:
            gap = conservative_gap(critic, batch.obs, seen, *proposals)
            return critic_loss(critic, seen, y) + self.conservative_weight * gap, gap

        (loss_critic, gap), grads = eqx.filter_value_and_grad(loss, has_aux=True)(state.critic)
        critic, opt_critic = gradient_step(fast, state.critic, grads, opt_critic)

        cloning = (state.update_count < self.cloning_updates).astype(jnp.float32)
        (loss_actor, log_prob), grads = eqx.filter_value_and_grad(self._actor_loss, has_aux=True)(
            state.actor, critic, batch, temperature, cloning, key=actor_key
        )
        actor, opt_actor = gradient_step(slow, state.actor, grads, opt_actor)

        log_temperature = state.log_temperature
        if self.tune_temperature:
            slope = jax.grad(temperature_loss)(
                log_temperature, log_prob, -float(batch.action.shape[1])
            )
            log_temperature, opt_temperature = gradient_step(
                slow, log_temperature, slope, opt_temperature
            )
        state = replace(
            state, actor=actor, critic=critic,
            target=polyak(state.target, critic, self.target_rate),
            log_temperature=log_temperature, opt_states=(opt_actor, opt_critic, opt_temperature),
            update_count=state.update_count + 1,
        )  # fmt: skip
        return state, {
            "loss/critic": loss_critic, "loss/conservative": gap, "loss/actor": loss_actor,
            "value": jnp.mean(y), "temperature": temperature, "entropy": -jnp.mean(log_prob),
        }  # fmt: skip

    def _actor_loss(
        self,
        actor: GaussianActor,
        critic: TwinCritic,
        batch: Transitions,
        temperature: Scalar,
        cloning: Scalar,
        *,
        key: Key,
    ) -> tuple[Scalar, Float[Array, " batch"]]:
        """SAC's loss, in whose place −log π(a|s) stands where `cloning` is 1."""
        loss, log_prob = actor_loss(actor, critic, batch.obs, temperature, key=key)
        if not self.cloning_updates:
            return loss, log_prob
        recorded = jax.vmap(lambda s, a: actor(s).log_prob(a))(batch.obs, batch.action)
        clone = jnp.mean(temperature * log_prob) - jnp.mean(recorded)
        return cloning * clone + (1.0 - cloning) * loss, log_prob

    def _adams(self) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
        return optax.adam(self.actor_learning_rate), optax.adam(self.learning_rate)


Proposed = Float[Array, "sources batch action"]
LogDensity = Float[Array, "sources batch"]


def propose(
    actor: GaussianActor, batch: Transitions, count: int, *, key: Key
) -> tuple[Proposed, LogDensity]:
    """`count` actions each: uniform, from π(·|s) and from π(·|s′), with their log-densities.

    They are what the log-sum-exp is estimated from, so no gradient goes through them.
    """
    uniform_key, here_key, after_key = jr.split(key, 3)
    shape = (count, *batch.action.shape)
    uniform = jr.uniform(uniform_key, shape, minval=-1.0, maxval=1.0)
    constant = jnp.full(shape[:2], -batch.action.shape[1] * math.log(2.0))

    def several(obs: Array, key: Key) -> tuple[Array, Array]:
        return jax.vmap(lambda k: draw(actor, obs, key=k))(jr.split(key, count))

    here, after = several(batch.obs, here_key), several(batch.next_obs, after_key)
    actions = jnp.concatenate([uniform, here[0], after[0]])
    densities = jnp.concatenate([constant, here[1], after[1]])
    return jax.lax.stop_gradient((actions, densities))


def conservative_gap(
    critic: TwinCritic,
    obs: Float[Array, "batch obs"],
    seen: Transitions,
    actions: Proposed,
    log_densities: LogDensity,
) -> Scalar:
    """Σ_j mean ( log Σ_u exp(Q_j(s, u) − log p(u)) − Q_j(s̃, a) ), u from all proposals.

    What is pushed down are values of the recorded states s, what is pushed up those of the batch as
    the critics see it, s̃: shifted or with noise.

    Source: arXiv:2006.04779 Eq. 4 and App. F (importance sampling of the log-sum-exp);
    arXiv:2111.01365 for s̃.
    """
    sources, rows, _ = actions.shape
    obs = jnp.broadcast_to(obs[None], (sources, *obs.shape))
    flat = critic(obs.reshape(sources * rows, -1), actions.reshape(sources * rows, -1))
    values = flat.reshape(2, sources, rows) - log_densities[None]
    soft = jax.nn.logsumexp(values, axis=1)
    return jnp.sum(jnp.mean(soft - critic(seen.obs, seen.action), axis=1))
