"""Spectral TSRL: TSRL with a spectral core in place of the TDM."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Float, Int

from toolkit.agents.augmentation import AbstractAugmentation, Accepted, join
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy, check_is_fitted
from toolkit.agents.networks import TanhActor, TwinCritic
from toolkit.agents.symmetry_filter import STATISTICS_ROWS
from toolkit.agents.td3 import (
    AbstractTD3State,
    DeterministicPolicy,
    actor_step,
    critic_step,
    normalised_value,
    smoothed,
    td_target,
)
from toolkit.agents.tsrl import QUANTILES
from toolkit.data.dataset import Dataset
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.data.tasks import family_name
from toolkit.errors import UserError
from toolkit.nn import fresh_copy, mean_square
from toolkit.symmetry.core import SpectralCore
from toolkit.symmetry.learners import SpectralCoreLearner
from toolkit.training.learner import Metrics
from toolkit.training.optimise import start, when
from toolkit.types import Key, Scalar


class SpectralTSRLState(AbstractTD3State):
    """Actor, critics and targets, beside the frozen core and what it says about the data."""

    actor: TanhActor
    critic: TwinCritic
    target_actor: TanhActor
    target_critic: TwinCritic
    opt_actor: Any
    opt_critic: Any
    update_count: Int[Array, ""]
    actor_metrics: Metrics  # of the last update of the actor
    model: SpectralCore
    spread: Scalar  # mean |c(a) − c̄|² over the data
    threshold: Scalar  # quantile of the round trip over the data


class SpectralTSRL(AbstractOfflineAgent):
    """TD3 in the latent of a diagonal Koopman model, with TSRL's constraints and its augmentation.

    What TSRL learns is exact here: the reverse dynamics are the inverse of the forward ones. Three
    things take the place of what it uses them for:

    - the latent action is c(a), what the action adds to the latent state: the actor is held to
      actions that *do* the same as the recorded ones, as a share of how much those vary;
    - reliability is the round trip through the state space (`SpectralCore.round_trip`), where
      ℓ_Tsym would be zero: it is a penalty of the actor and the filter of what is made;
    - what is made are shifts along symmetries, z̃ = z + σz and z̃′ = z′ + σ(z′ − c), in place of
      noise whose effect a network would have to predict.

    Source: arXiv:2306.04220 §4 on the dynamics of arXiv:2306.11941, with the symmetries of
    arXiv:2111.01365; the combination is ours, and so are its weights.
    """

    representation: str = ""
    """Folder of a run that trained a spectral core on the same data; without it, one is trained
    first."""
    core_updates: int = 20_000
    """Longest training of the core that is trained first, in updates."""
    modes: int = 32
    """Complex modes of a core that is trained first; those of a named one are its own."""
    core_hidden: int = 256
    """Width of a core that is trained first; that of a named one is its own."""
    quantile: float | None = None
    """τ: quantile of the round trip over the data within which shifted samples are kept; without
    it, TSRL's for the robot (0.5 for walker2d and Adroit, else 0.7)."""
    action_weight: float = 10.0
    """λ₁ of the distance of what the actions do, over the spread of that in the data."""
    symmetry_weight: float = 0.1
    """λ₂ of the policy's round trip, over its quantile in the data."""
    augment: bool = True
    """Add shifted samples that pass the filter."""
    shift: float = 0.01
    """Size of a shift, as a share of each mode."""
    alpha: float = 2.5
    """α₀, weight of the normalised value."""
    dropout: float = 0.1
    """Dropout behind the actor's hidden layers while it trains."""
    discount: float = 0.99
    """γ per environment step."""
    target_rate: float = 0.005
    """Share of the networks that goes into their targets, each time the actor moves."""
    policy_noise: float = 0.2
    """Standard deviation of the noise on target actions."""
    noise_clip: float = 0.5
    """Bound of that noise."""
    policy_every: int = 2
    """Updates of the critics per update of the actor."""
    hidden: int = 256
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam, for actor and critics."""
    num_updates: int = 100_000
    """Length of the run, in updates, without the core's."""

    def foundation(self) -> SpectralCoreLearner:
        """What is trained first where no `representation` is named."""
        return SpectralCoreLearner(
            num_updates=self.core_updates, modes=self.modes, hidden=self.core_hidden
        )

    def fitted_to_model(self, settings: dict[str, Any]) -> SpectralTSRL:
        """With the sizes of the core that it builds on."""
        return replace(self, modes=settings["modes"], core_hidden=settings["hidden"])

    def fitted_to(self, dataset: Dataset) -> SpectralTSRL:
        """With TSRL's τ for the robot, where it was left open."""
        if self.quantile is not None:
            return self
        return replace(self, quantile=QUANTILES.get(family_name(dataset.source) or "", 0.7))

    def prepare(self, dataset: Dataset) -> Any:
        if self.quantile is not None and not 0 <= self.quantile <= 1:
            raise UserError(f"`quantile` must lie in 0..1, got {self.quantile}.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"`dropout` must lie in 0..1, below 1, got {self.dropout}.")
        if not self.action_weight >= 0:
            raise UserError(f"`action_weight` must not be negative, got {self.action_weight}.")
        return super().prepare(dataset)

    def check_foundation(self, trained: str, parts: frozenset[str]) -> None:
        if "diagonal" not in parts:
            raise UserError(
                f"{trained}, which has no diagonal spectrum; `toolkit train spectral-core` trains "
                "a model that has."
            )

    def init(self, dataset: Dataset, *, key: Key) -> SpectralTSRLState:
        """The state before the first update, with an untrained core: see `build_on`."""
        actor_key, critic_key, model_key = jr.split(key, 3)
        action_dim, sizes = dataset.action_dim, (self.hidden, self.layers)
        actor = TanhActor(dataset.obs_dim, action_dim, *sizes, dropout=self.dropout, key=actor_key)
        critic = TwinCritic(2 * self.modes, action_dim, *sizes, key=critic_key)
        zero = jnp.zeros(())
        return SpectralTSRLState(
            actor, critic, fresh_copy(actor), fresh_copy(critic), start(self._adam(), actor),
            start(self._adam(), critic), jnp.zeros((), jnp.int32),
            dict.fromkeys(ACTOR_METRICS, zero),
            self.foundation().network(dataset, key=model_key), zero + 1, zero,
        )  # fmt: skip

    def build_on(
        self,
        state: SpectralTSRLState,
        model: SpectralCore,
        dataset: Dataset,
        normaliser: Normaliser | None = None,
    ) -> SpectralTSRLState:
        """The state with a trained core, and what that says of the (normalised) data."""
        del normaliser  # core, actor and critics share their units
        fitted = self.fitted_to(dataset)
        check_is_fitted(fitted, "quantile")
        spread, threshold = core_statistics(model, dataset, quantile=fitted.quantile)
        return replace(state, model=model, spread=spread, threshold=threshold)

    def policy(self, state: SpectralTSRLState) -> AbstractPolicy:
        return DeterministicPolicy(state.actor)

    def values(
        self,
        state: SpectralTSRLState,
        obs: Float[Array, "batch obs"],
        action: Float[Array, "batch action"],
    ) -> Float[Array, " batch"]:
        return super().values(state, jax.vmap(state.model.encode)(obs), action)

    def augmentation(self, state: SpectralTSRLState) -> SpectralFilter:
        """Shifts of latent transitions along symmetries, filtered by the round trip."""
        return SpectralFilter(state.model, state.threshold, self.shift)

    def update(
        self, state: SpectralTSRLState, batch: Transitions, *, key: Key
    ) -> tuple[SpectralTSRLState, Metrics]:
        noise_key, augment_key, dropout_key = jr.split(key, 3)
        proposed = state.target_actor.batch(batch.next_obs)
        next_action = smoothed(proposed, self.policy_noise, self.noise_clip, key=noise_key)
        latent = self._encoded(state, batch)
        seen, used = latent, jnp.ones(self.batch_size, bool)
        if self.augment:
            made, kept = self.augmentation(state)(latent, key=augment_key)
            seen, used = join(latent, made), jnp.concatenate([used, kept])
            next_action = jnp.concatenate([next_action, next_action])

        y = td_target(state.target_critic, seen, next_action, self.discount)
        state, loss = critic_step(state, self._adam(), seen, y, used)
        due = state.update_count % self.policy_every == 0
        state = when(due, lambda s: self._improve(s, batch, latent.obs, key=dropout_key), state)
        metrics = {"loss/critic": loss, "value": jnp.mean(y)} | state.actor_metrics
        if self.augment:
            metrics["accepted"] = jnp.mean(used[self.batch_size :].astype(jnp.float32))
        return state, metrics

    def _encoded(self, state: SpectralTSRLState, batch: Transitions) -> Transitions:
        """The batch with latent states in the place of states."""
        both = jax.vmap(state.model.encode)(jnp.concatenate([batch.obs, batch.next_obs]))
        here, after = jnp.split(both, 2)
        return Transitions(here, batch.action, batch.reward, after, batch.terminal)

    def _improve(
        self,
        state: SpectralTSRLState,
        batch: Transitions,
        latent: Float[Array, "batch latent"],
        *,
        key: Key,
    ) -> SpectralTSRLState:
        """A step of the actor, and one of every target after it."""
        model = state.model

        def loss(actor: TanhActor) -> tuple[Scalar, Metrics]:
            action = actor.batch(batch.obs, key=key if self.dropout else None)
            values = state.critic.least(latent, action)
            value = normalised_value(values, jnp.ones(len(values), bool))
            control = jax.vmap(model.control)
            apart = jnp.sum(jnp.square(control(action) - control(batch.action)), axis=1)
            distance = jnp.mean(apart) / state.spread
            total = -self.alpha * value + self.action_weight * distance
            violation = jnp.zeros(())
            if self.symmetry_weight:
                trips = jax.vmap(model.round_trip)(latent, action)
                violation = jnp.mean(trips) / state.threshold
                total = total + self.symmetry_weight * violation
            return total, {"loss/latent_action": distance, "loss/symmetry": violation}

        state, terms = actor_step(state, self._adam(), loss, self.target_rate)
        return replace(state, actor_metrics=terms)

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


ACTOR_METRICS = ("loss/actor", "loss/latent_action", "loss/symmetry")


class SpectralFilter(AbstractAugmentation):
    """(z, a) → (z + σz, a) → z′ + σ(z′ − c(a)), kept where the round trip is within a threshold."""

    model: SpectralCore
    threshold: Scalar
    size: float | Scalar

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        keys = jr.split(key, len(batch.reward))
        here, there = jax.vmap(
            lambda z, after, a, k: self.model.displacements(z, after, a, "spectral", key=k)
        )(batch.obs, batch.next_obs, batch.action, keys)
        moved = batch.obs + self.size * here
        made = Transitions(
            moved, batch.action, batch.reward, batch.next_obs + self.size * there, batch.terminal
        )
        trips = jax.vmap(self.model.round_trip)(moved, batch.action)
        return made, trips <= self.threshold


@eqx.filter_jit
def core_statistics(
    model: SpectralCore, dataset: Dataset, *, quantile: float
) -> tuple[Scalar, Scalar]:
    """Mean |c(a) − c̄|², and the quantile of the round trip, over normalised data."""
    rows = dataset.observations.shape[0]
    at = jnp.linspace(0, rows - 1, min(rows, STATISTICS_ROWS)).astype(jnp.int32)
    obs, actions = jnp.asarray(dataset.observations)[at], jnp.asarray(dataset.actions)[at]
    control = jax.vmap(model.control)(actions)
    spread = control.shape[1] * mean_square(control - jnp.mean(control, axis=0)[None])
    trips = jax.vmap(model.round_trip)(jax.vmap(model.encode)(obs), actions)
    return jnp.maximum(spread, 1e-12), jnp.maximum(jnp.quantile(trips, quantile), 1e-12)
