"""TD-MPC (arXiv:2203.04955), and Koopman TD-MPC (arXiv:2306.11941 §4.2.1)."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.agents.latent_problem import LatentProblem
from toolkit.agents.networks import polyak
from toolkit.agents.sequence_replay import SequenceReplay, Sequences
from toolkit.agents.tdmpc_losses import (
    Chosen,
    Target,
    policy_loss,
    state_weights,
    td_target,
    terms_of,
)
from toolkit.agents.world_model import (
    AbstractLatentDynamics,
    KoopmanLatentDynamics,
    LatentPolicy,
    LiftedLatentDynamics,
    TOLDDynamics,
    WorldModel,
)
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.nn import fresh_copy
from toolkit.planning import MPPI, PlanningPolicy
from toolkit.spectral.spectrum import RealPart
from toolkit.training.learner import Metrics
from toolkit.training.optimise import gradient_step, start, when
from toolkit.types import Key, Scalar


class TDMPCState(eqx.Module):
    """Model, its slow target, policy, two optimisers, and the errors of the last batch."""

    model: WorldModel
    target: Target
    policy: LatentPolicy
    opt_states: tuple[Any, Any]
    errors: Float[Array, " batch"]
    update_count: Int[Array, ""]


class AbstractTDMPC(AbstractOnlineAgent):
    """Planning in a latent model that is learned for it, with the settings as published.

    Deviations: updates follow every 64 steps and not every episode, and do not make up for the
    random ones; sequences that an episode's end cuts short count up to it; the value behind a
    plan is that of the policy without noise. Steps are decisions: of an action that is held for
    4 control steps there are 125,000 in the 500,000 of the paper.
    """

    latent: int = 50
    """Coordinates of the latent state."""
    hidden: int = 512
    """Width of dynamics, reward, values and policy."""
    encoder_hidden: int = 256
    """Width of the encoder."""
    horizon: int = 5
    """Steps that are unrolled in an update."""
    plan_horizon: int = 0
    """Steps planned ahead at the end of the schedule; 0: as many as are unrolled."""
    decoded_steps: int = 0
    """Steps of an unrolled sequence whose losses are computed, drawn in proportion to their weights
    ρᵗ to stand for all of them; 0: all. Ours."""
    batch_size: int = 512
    """Sequences per update."""
    learning_rate: float = 1e-3
    """Rate of Adam, for the model and for the policy."""
    discount: float = 0.99
    """γ per decision."""
    time_rate: float = 0.5
    """ρ: the loss t steps ahead weighs ρᵗ."""
    reward_weight: float = 0.5
    """Weight of the reward loss."""
    value_weight: float = 0.1
    """Weight of the value loss."""
    consistency_weight: float = 2.0
    """Weight of the consistency loss."""
    max_gradient_norm: float = 10.0
    """Gradients are scaled down to this norm."""
    target_rate: float = 0.01
    """Share of the model that goes into its target when that is due."""
    target_interval: int = 2
    """Updates from one change of the target to the next."""
    priority_exponent: float = 0.6
    """α: how much a large error makes a sequence likelier; 0 draws uniformly."""
    priority_correction: float = 0.4
    """β: how much the loss corrects for it."""
    policy_noise: float = 0.05
    """Standard deviation of the policy's noise, in targets and proposals."""
    iterations: int = 6
    """Planner: times that mean and spread are fitted."""
    samples: int = 512
    """Planner: sequences drawn in each iteration."""
    proposals: int = 25
    """Planner: sequences of the policy."""
    elites: int = 64
    """Planner: best sequences, which mean and spread are fitted to."""
    temperature: float = 0.5
    """Planner: how much the better elites outweigh the others."""
    momentum: float = 0.1
    """Planner: share of the old mean in the new one."""
    max_std: float = 2.0
    """Planner: standard deviation at the start."""
    first_min_std: float = 0.5
    """Planner: floor of the standard deviation at the start of the schedule."""
    min_std: float = 0.05
    """Planner: floor of the standard deviation at its end."""
    schedule_steps: int = 25_000
    """Steps in which the floor falls and the planned steps grow from 1 to all."""
    num_envs: int = 1
    """Copies of the environment that act side by side."""
    updates_per_step: float = 1.0
    """Updates per step, all copies counted."""
    random_steps: int = 5_000
    """Steps with uniform actions, before the first update."""
    replay_capacity: int = 250_000
    """Transitions kept, the oldest overwritten first."""
    num_env_steps: int = 125_000
    """Length of the run, in decisions."""

    @abstractmethod
    def dynamics(self, action_dim: int, *, key: Key) -> tuple[AbstractLatentDynamics, int]:
        """The latent dynamics, and how many real coordinates they have."""

    def init(self, spec: EnvSpec, *, key: Key) -> TDMPCState:
        if self.horizon > spec.max_episode_steps:
            raise UserError(
                f"`horizon` must not exceed the {spec.max_episode_steps} steps of an episode of "
                f"{spec.env_id}, got {self.horizon}."
            )
        if not 0 <= self.decoded_steps <= self.horizon:
            raise UserError(
                f"`decoded_steps` must lie in 0..{self.horizon}, the steps of `horizon`, got "
                f"{self.decoded_steps}."
            )
        self.planner().check()
        dynamics_key, model_key, policy_key = jr.split(key, 3)
        dynamics, size = self.dynamics(spec.action_dim, key=dynamics_key)
        model = WorldModel(
            spec.obs_dim, spec.action_dim, size, dynamics, hidden=self.hidden,
            encoder_hidden=self.encoder_hidden, key=model_key,
        )  # fmt: skip
        policy = LatentPolicy(size, spec.action_dim, self.hidden, key=policy_key)
        opt_states = (start(self.optimiser(), model), start(self.optimiser(), policy))
        return TDMPCState(
            model, fresh_copy(Target.of(model)), policy, opt_states, jnp.zeros(self.batch_size),
            jnp.zeros((), jnp.int32),
        )  # fmt: skip

    def empty_replay(self, spec: EnvSpec, batch: int) -> SequenceReplay:
        capacity = -(-self.replay_capacity // batch) * batch
        if capacity < self.horizon * self.num_envs:
            raise UserError(
                f"`replay_capacity` must hold a sequence of `horizon` {self.horizon} steps of "
                f"{self.num_envs} copies, got {self.replay_capacity}."
            )
        return SequenceReplay.empty(capacity, spec.obs_dim, spec.action_dim, self.num_envs)

    def planner(self) -> MPPI:
        """The planner with this agent's settings."""
        return MPPI(
            self.plan_horizon or self.horizon, self.iterations, self.samples, self.proposals,
            self.elites, self.temperature, self.momentum, self.max_std, self.min_std,
        )  # fmt: skip

    def policy(self, state: TDMPCState, *, explore: bool) -> PlanningPolicy:
        length, floor = self.schedule(state.update_count)
        problem = LatentProblem(state.model, state.policy, self.discount, self.policy_noise)
        return PlanningPolicy(problem, self.planner(), length, floor, explore)

    def schedule(self, update_count: Int[Array, ""]) -> tuple[Int[Array, ""], Scalar]:
        """Steps planned ahead, and the floor of the spread, after so many updates."""
        steps = self.random_steps + update_count.astype(jnp.float32) / self.updates_per_step
        done = jnp.minimum(steps / self.schedule_steps, 1.0)
        length = jnp.floor(1 + done * (self.planner().horizon - 1)).astype(jnp.int32)
        return length, self.first_min_std + done * (self.min_std - self.first_min_std)

    def sample(self, replay: SequenceReplay, *, key: Key) -> Sequences:
        return replay.sample(
            self.batch_size, self.horizon, correction=self.priority_correction, key=key
        )

    def priorities(self, replay: SequenceReplay) -> Any:
        return replay.priorities

    def reprioritise(
        self, replay: SequenceReplay, batch: Sequences, state: TDMPCState
    ) -> Float[Array, " capacity"]:
        return replay.reprioritised(batch.index, state.errors, self.priority_exponent)

    def choose_steps(self, key: Key) -> Chosen | None:
        """The steps whose losses are computed, or None for all."""
        if self.decoded_steps in (0, self.horizon):
            return None
        return Chosen.draw(self.time_rate, self.horizon, self.decoded_steps, key=key)

    def optimiser(self) -> optax.GradientTransformation:
        """Adam behind a bound on the gradient's norm."""
        return optax.chain(
            optax.clip_by_global_norm(self.max_gradient_norm), optax.adam(self.learning_rate)
        )

    def update(
        self, state: TDMPCState, batch: Sequences, *, key: Key
    ) -> tuple[TDMPCState, Metrics]:
        target_key, policy_key, steps_key = jr.split(key, 3)
        opt_model, opt_policy = state.opt_states
        steps = self.choose_steps(steps_key)
        seen = batch if steps is None else batch.at(steps.at)
        y = td_target(
            state.model, state.target, state.policy, seen, self.discount, self.policy_noise,
            key=target_key,
        )  # fmt: skip
        next_latents = jax.vmap(jax.vmap(state.target.encoder))(seen.next_obs)

        def model_loss(model: WorldModel) -> tuple[Scalar, Any]:
            terms = terms_of(model, batch, next_latents, y, self.time_rate, steps)
            total = (
                self.consistency_weight * terms.consistency
                + self.reward_weight * terms.reward
                + self.value_weight * terms.value
            )
            return jnp.mean(batch.weight * total) / self.horizon, terms

        (_, terms), grads = eqx.filter_value_and_grad(model_loss, has_aux=True)(state.model)
        model, opt_model = gradient_step(self.optimiser(), state.model, grads, opt_model)

        policy_value, grads = eqx.filter_value_and_grad(policy_loss)(
            state.policy, model.values, terms.latents, state_weights(batch, self.time_rate, steps),
            self.policy_noise, key=policy_key,
        )  # fmt: skip
        policy, opt_policy = gradient_step(self.optimiser(), state.policy, grads, opt_policy)

        target = when(
            state.update_count % self.target_interval == 0,
            lambda target: polyak(target, Target.of(model), self.target_rate), state.target,
        )  # fmt: skip
        metrics = {
            "loss/consistency": jnp.mean(terms.consistency),
            "loss/reward": jnp.mean(terms.reward),
            "loss/value": jnp.mean(terms.value),
            "loss/policy": policy_value,
            "value": jnp.mean(y),
        }
        after = TDMPCState(
            model, target, policy, (opt_model, opt_policy), terms.error, state.update_count + 1
        )
        return after, metrics


class TDMPC(AbstractTDMPC):
    """TD-MPC with TOLD: the latent follows an MLP, step after step (arXiv:2203.04955)."""

    def dynamics(self, action_dim: int, *, key: Key) -> tuple[AbstractLatentDynamics, int]:
        return TOLDDynamics(self.latent, action_dim, self.hidden, key=key), self.latent


class KoopmanTDMPC(AbstractTDMPC):
    """TD-MPC with a diagonal complex spectrum for dynamics, unrolled in one propagation.

    The latent is lifted to modes and read back from them, as the paper does with the features of
    pictures (App. C.2). Without `lifted` the latent itself is made of modes, the literal reading
    of §4.2.1: then no action can do in one state what it does not do in every other.

    Source: arXiv:2306.11941 §4.2.1 and App. C.1. The width of the latent is not given there.
    """

    horizon: int = 20
    """Steps that are unrolled in an update."""
    plan_horizon: int = 5
    """Steps planned ahead at the end of the schedule. The paper names one horizon, 20."""
    modes: int = 96
    """Complex modes."""
    lifted: bool = True
    """Lift a latent of `latent` coordinates to the modes; else the encoder makes the modes."""
    lift_hidden: int = 128
    """Width of the lift and of the decoder."""
    action_hidden: int = 64
    """Width of the action encoder."""
    real_part: RealPart = "spread"
    """Scheme of the real parts; the paper's are `constant`."""
    frequency_scale: float = 0.1
    """The spectrum's first frequencies as shares of the paper's, whose fastest mode turns by half a
    turn in a step."""

    def dynamics(self, action_dim: int, *, key: Key) -> tuple[AbstractLatentDynamics, int]:
        spectral_key, lift_key = jr.split(key)
        modes = KoopmanLatentDynamics(
            self.modes, action_dim, self.action_hidden, real_part=self.real_part,
            frequency_scale=self.frequency_scale, key=spectral_key,
        )  # fmt: skip
        if not self.lifted:
            return modes, 2 * self.modes
        return LiftedLatentDynamics(self.latent, modes, self.lift_hidden, key=lift_key), self.latent
