"""Soft actor-critic (arXiv:1801.01290, arXiv:1812.05905)."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.interface import AbstractOnlineAgent, AbstractPolicy, Memory
from toolkit.agents.networks import GaussianActor, TwinCritic, polyak
from toolkit.agents.replay import Replay
from toolkit.agents.td3 import critic_loss
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.nn import fresh_copy
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start
from toolkit.types import Action, Key, Obs, Scalar


class SACState(eqx.Module):
    """Actor, critics, their target, the temperature, and an optimiser for each."""

    actor: GaussianActor
    critic: TwinCritic
    target: TwinCritic
    log_temperature: Float[Array, ""]
    opt_states: tuple[Any, Any, Any]
    update_count: Int[Array, ""]


class SAC(AbstractOnlineAgent):
    """Soft actor-critic with clipped double Q-learning and a tuned temperature."""

    hidden: int = 256
    """Width of the actor's and the critics' hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam, for actor, critics and temperature."""
    discount: float = 0.99
    """γ per environment step."""
    target_rate: float = 0.005
    """Share of the critics that goes into their target at each update."""
    initial_temperature: float = 1.0
    """α before the first update."""
    entropy_per_action: float = -1.0
    """Target entropy H̄ per action coordinate, in nats (arXiv:1812.05905, App. D)."""
    num_envs: int = 16
    """Copies of the environment that act side by side."""
    updates_per_step: float = 1.0
    """Updates per environment step, all copies counted."""
    random_steps: int = 10_000
    """Environment steps with uniform actions, before the first update."""
    replay_capacity: int = 1_000_000
    """Transitions kept, the oldest overwritten first."""
    num_env_steps: int = 1_000_000
    """Length of the run, in environment steps."""

    def init(self, spec: EnvSpec, *, key: Key) -> SACState:
        actor_key, critic_key = jr.split(key)
        sizes = (spec.obs_dim, spec.action_dim, self.hidden, self.layers)
        actor = GaussianActor(*sizes, key=actor_key)
        critic = TwinCritic(*sizes, key=critic_key)
        log_temperature = jnp.log(jnp.asarray(self.initial_temperature, jnp.float32))
        adam = optax.adam(self.learning_rate)
        opt_states = (start(adam, actor), start(adam, critic), start(adam, log_temperature))
        count = jnp.zeros((), jnp.int32)
        return SACState(actor, critic, fresh_copy(critic), log_temperature, opt_states, count)

    def empty_replay(self, spec: EnvSpec, batch: int) -> Replay:
        capacity = -(-self.replay_capacity // batch) * batch
        return Replay.empty(capacity, spec.obs_dim, spec.action_dim)

    def policy(self, state: SACState, *, explore: bool) -> AbstractPolicy:
        return ActorPolicy(state.actor, explore)

    def sample(self, replay: Replay, *, key: Key) -> Transitions:
        return replay.sample(self.batch_size, key=key)

    def update(self, state: SACState, batch: Transitions, *, key: Key) -> tuple[SACState, Metrics]:
        target_key, actor_key = jr.split(key)
        temperature = jnp.exp(state.log_temperature)
        adam = optax.adam(self.learning_rate)
        opt_actor, opt_critic, opt_temperature = state.opt_states

        y = soft_target(
            state.actor, state.target, batch, temperature, self.discount, key=target_key
        )
        critic_value, grads = eqx.filter_value_and_grad(critic_loss)(state.critic, batch, y)
        critic, opt_critic = gradient_step(adam, state.critic, grads, opt_critic)

        (actor_value, log_prob), grads = eqx.filter_value_and_grad(actor_loss, has_aux=True)(
            state.actor, critic, batch.obs, temperature, key=actor_key
        )
        actor, opt_actor = gradient_step(adam, state.actor, grads, opt_actor)

        target_entropy = self.entropy_per_action * batch.action.shape[1]
        slope = jax.grad(temperature_loss)(state.log_temperature, log_prob, target_entropy)
        log_temperature, opt_temperature = gradient_step(
            adam, state.log_temperature, slope, opt_temperature
        )
        metrics = {
            "loss/critic": critic_value,
            "loss/actor": actor_value,
            "value": jnp.mean(y),
            "temperature": temperature,
            "entropy": -jnp.mean(log_prob),
        }
        after = SACState(
            actor, critic, polyak(state.target, critic, self.target_rate), log_temperature,
            (opt_actor, opt_critic, opt_temperature), state.update_count + 1,
        )  # fmt: skip
        return after, metrics


def soft_target(
    actor: GaussianActor,
    target: TwinCritic,
    batch: Transitions,
    temperature: Scalar,
    discount: float,
    *,
    key: Key,
) -> Float[Array, " batch"]:
    """y = r + γ(1 − d)(min_j Q̄_j(s', a') − α log π(a'|s')), a' ~ π (arXiv:1812.05905, Eq. 2–3)."""
    action, log_prob = draw(actor, batch.next_obs, key=key)
    value = target.least(batch.next_obs, action) - temperature * log_prob
    return batch.reward + discount * jnp.where(batch.terminal, 0.0, value)


def actor_loss(
    actor: GaussianActor,
    critic: TwinCritic,
    obs: Float[Array, "batch obs"],
    temperature: Scalar,
    *,
    key: Key,
) -> tuple[Scalar, Float[Array, " batch"]]:
    """mean(α log π(ã|s) − min_j Q_j(s, ã)), ã ~ π (arXiv:1812.05905 Eq. 7), and log-densities."""
    action, log_prob = draw(actor, obs, key=key)
    return jnp.mean(temperature * log_prob - critic.least(obs, action)), log_prob


def temperature_loss(
    log_temperature: Scalar, log_prob: Float[Array, " batch"], target_entropy: float
) -> Scalar:
    """mean −α(log π + H̄) as a function of log α (arXiv:1812.05905, Eq. 18)."""
    return -jnp.exp(log_temperature) * jnp.mean(log_prob + target_entropy)


def draw(
    actor: GaussianActor, obs: Float[Array, "batch obs"], *, key: Key
) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
    """One action for each state, and its log-density."""
    keys = jr.split(key, len(obs))
    return jax.vmap(lambda o, k: actor(o).sample_with_log_prob(key=k))(obs, keys)


class ActorPolicy(AbstractPolicy):
    """A Gaussian actor that samples when it explores and takes the mode when it is scored."""

    actor: GaussianActor
    explore: bool = eqx.field(static=True)

    def __call__(self, obs: Obs, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        distribution = self.actor(obs)
        return (distribution.sample(key=key) if self.explore else distribution.mode), memory
