"""TSRL: offline reinforcement learning in the latent of a T-symmetry enforced dynamics model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import optax
from jaxtyping import Array, Bool, Float, Int

from toolkit.agents.augmentation import join
from toolkit.agents.interface import AbstractOfflineAgent, AbstractPolicy, check_is_fitted
from toolkit.agents.networks import TanhActor, TwinCritic
from toolkit.agents.symmetry_filter import SymmetryFilter, latent_statistics, mean_violation
from toolkit.agents.td3 import (
    AbstractTD3State,
    DeterministicPolicy,
    actor_step,
    critic_step,
    normalised_value,
    smoothed,
    td_target,
)
from toolkit.data.dataset import Dataset
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.data.tasks import family_name
from toolkit.errors import UserError
from toolkit.nn import fresh_copy, mean_square
from toolkit.training.learner import Metrics
from toolkit.training.optimise import start, when
from toolkit.tsymmetry import TDM, AbstractAutoencoder, Autoencoder
from toolkit.tsymmetry.learner import ACTIVATIONS, Activation, TDMLearner, encoder_widths
from toolkit.types import Key, Scalar

#: τ and λ₁ where the paper has others than its usual 0.7 and 100 (App. A).
QUANTILES = {"walker2d": 0.5, "pen": 0.5, "hammer": 0.5, "door": 0.5, "relocate": 0.5}
ACTION_WEIGHTS = {"walker2d": 200.0, "pen": 1e4, "hammer": 1e4, "door": 1e4, "relocate": 1e4}


class TSRLState(AbstractTD3State):
    """Actor, critics and targets, beside the frozen model and what it says about the data."""

    actor: TanhActor
    critic: TwinCritic
    target_actor: TanhActor
    target_critic: TwinCritic
    opt_actor: Any
    opt_critic: Any
    update_count: Int[Array, ""]
    actor_metrics: Metrics  # of the last update of the actor
    model: AbstractAutoencoder  # a TDM where the agent uses its dynamics
    noise: Float[Array, " obs"]  # standard deviation of ε in the latent; 0 without dynamics
    threshold: Scalar  # h, the quantile of ℓ_Tsym over the data; 0 without dynamics


class TSRL(AbstractOfflineAgent):
    """TD3 in the frozen latent of a TDM, with its symmetry as constraint and as filter.

    The critics see φ(s, a) (Eq. 9), the actor sees the state. The actor is held to latent actions
    near the recorded ones and to points of small ℓ_Tsym (Eq. 10, as penalties Eq. 11); latent noise
    makes further transitions, of which those are kept whose ℓ_Tsym is within a quantile of the
    data's (Eq. 12).

    Penalties are means over coordinates, as in the published code: the paper's λ are for it. The
    actor climbs the lesser critic, also as in the code; the paper does not say which one.

    Source: arXiv:2306.04220 §4, Algorithm 1, App. A.
    """

    representation: str = ""
    """Folder of a run that trained a TDM, or another representation, on the same data; without
    it, a TDM is trained first."""
    tdm_updates: int = 20_000
    """Longest training of the TDM that is trained first, in updates."""
    model_width: int = 512
    """Units of the widest layers of a TDM that is trained first; that of a named one is its own."""
    model_activation: Activation = "relu"
    """Between the layers of a TDM that is trained first; that of a named one is its own."""
    quantile: float | None = None
    """τ: quantile of ℓ_Tsym over the data within which augmented samples are kept; without it,
    the paper's for the robot (0.5 for walker2d and Adroit, else 0.7)."""
    action_weight: float | None = None
    """λ₁ of the latent action's distance; without it, the paper's for the robot (200 for
    walker2d, 10,000 for Adroit, else 100)."""
    symmetry_weight: float = 100.0
    """λ₂ of the policy's ℓ_Tsym; 0 for a model without reverse dynamics."""
    augment: bool = True
    """Add latent samples that pass the filter; without it, the ablation "no-A"."""
    latent_critic: bool = True
    """Critics see φ(s, a); without it, state and action: with `augment` off, "no-R"."""
    constraint: Literal["latent", "cloning"] = "latent"
    """What holds the actor: Eq. 11, or in "no-P" the cloning term of TD3+BC."""
    noise_share: float = 0.01
    """Standard deviation of ε, as a share of the latent states' own."""
    alpha: float = 2.5
    """α₀, weight of the normalised value (Eq. 11)."""
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
    hidden: int = 512
    """Width of the hidden layers."""
    layers: int = 2
    """Hidden layers of each network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam, for actor and critics."""
    num_updates: int = 100_000
    """Length of the run, in updates, without the TDM's."""

    def foundation(self) -> TDMLearner:
        """What is trained first where no `representation` is named."""
        return TDMLearner(
            num_updates=self.tdm_updates, width=self.model_width, activation=self.model_activation
        )

    def fitted_to_model(self, settings: dict[str, Any]) -> TSRL:
        """With the width and the activation of the model that it builds on."""
        width, activation = settings.get("width", 512), settings["activation"]
        return replace(self, model_width=width, model_activation=activation)

    def fitted_to(self, dataset: Dataset) -> TSRL:
        """With the paper's τ and λ₁ for the robot, where they were left open."""
        robot = family_name(dataset.source) or ""
        quantile, weight = self.quantile, self.action_weight
        if quantile is None:
            quantile = QUANTILES.get(robot, 0.7)
        if weight is None:
            weight = ACTION_WEIGHTS.get(robot, 100.0)
        return replace(self, quantile=quantile, action_weight=weight)

    def prepare(self, dataset: Dataset) -> Any:
        if self.quantile is not None and not 0 <= self.quantile <= 1:
            raise UserError(f"`quantile` must lie in 0..1, got {self.quantile}.")
        if self.action_weight is not None and not self.action_weight >= 0:
            raise UserError(f"`action_weight` must not be negative, got {self.action_weight}.")
        if not 0 <= self.dropout < 1:
            raise UserError(f"`dropout` must lie in 0..1, below 1, got {self.dropout}.")
        if self.augment and not self.latent_critic:
            raise UserError("`augment` makes latent samples, which need `latent_critic`.")
        return super().prepare(dataset)

    @property
    def needs_dynamics(self) -> bool:
        """Whether anything asks the model's forward and reverse dynamics: λ₂, or the filter."""
        return self.augment or (self.constraint == "latent" and self.symmetry_weight > 0)

    def check_foundation(self, trained: str, parts: frozenset[str]) -> None:
        if "encoder" not in parts:
            raise UserError(
                f"{trained}, which has no encoder of states and actions for TSRL to learn in."
            )
        if self.needs_dynamics and not {"forward", "reverse"} <= parts:
            raise UserError(
                f"{trained}, which has no forward and reverse dynamics for TSRL's symmetry penalty "
                "and its augmentation; `--symmetry-weight 0 --augment False` does without them."
            )

    def init(self, dataset: Dataset, *, key: Key) -> TSRLState:
        """The state before the first update, with an untrained model: see `build_on`."""
        actor_key, critic_key, model_key = jr.split(key, 3)
        sizes = (dataset.obs_dim, dataset.action_dim, self.hidden, self.layers)
        actor = TanhActor(*sizes, dropout=self.dropout, key=actor_key)
        critic = TwinCritic(*sizes, key=critic_key)
        model = self.foundation().network(dataset, key=model_key)
        if not self.needs_dynamics:
            widths, activation = encoder_widths(self.model_width), self.model_activation
            model = Autoencoder(
                dataset.obs_dim, dataset.action_dim, encoder_widths=widths,
                activation=ACTIVATIONS[activation], key=model_key,
            )  # fmt: skip
        zero = jnp.zeros(())
        return TSRLState(
            actor, critic, fresh_copy(actor), fresh_copy(critic), start(self._adam(), actor),
            start(self._adam(), critic), jnp.zeros((), jnp.int32),
            dict.fromkeys(ACTOR_METRICS, zero), model, jnp.zeros(dataset.obs_dim), zero,
        )  # fmt: skip

    def build_on(
        self,
        state: TSRLState,
        model: AbstractAutoencoder,
        dataset: Dataset,
        normaliser: Normaliser | None = None,
    ) -> TSRLState:
        """The state with a trained model, and what that model says of the (normalised) data.

        Of a model whose dynamics are not asked, only the encoder and the decoders are kept.
        """
        del normaliser  # model, actor and critics share their units
        if not self.needs_dynamics:
            coders = lambda m: (m.encoder, m.state_decoder, m.action_decoder)
            return replace(state, model=eqx.tree_at(coders, state.model, coders(model)))
        assert isinstance(model, TDM)
        fitted = self.fitted_to(dataset)
        noise, threshold = latent_statistics(
            model, dataset, noise_share=fitted.noise_share, quantile=fitted.quantile
        )
        return replace(state, model=model, noise=noise, threshold=threshold)

    def policy(self, state: TSRLState) -> AbstractPolicy:
        return DeterministicPolicy(state.actor)

    def values(
        self,
        state: TSRLState,
        obs: Float[Array, "batch obs"],
        action: Float[Array, "batch action"],
    ) -> Float[Array, " batch"]:
        if self.latent_critic:
            latent = jax.vmap(state.model.encode)(obs, action)
            obs, action = latent.state, latent.action
        return super().values(state, obs, action)

    def augmentation(self, state: TSRLState) -> SymmetryFilter:
        """Latent noise, filtered by the model's symmetry."""
        assert isinstance(state.model, TDM)
        return SymmetryFilter(state.model, state.noise, state.threshold)

    def update(
        self, state: TSRLState, batch: Transitions, *, key: Key
    ) -> tuple[TSRLState, Metrics]:
        noise_key, augment_key, dropout_key = jr.split(key, 3)
        proposed = state.target_actor.batch(batch.next_obs)
        next_action = smoothed(proposed, self.policy_noise, self.noise_clip, key=noise_key)
        latent, after = self._seen(state, batch, next_action)
        seen, used = latent, jnp.ones(self.batch_size, bool)
        if self.augment:
            made, kept = self.augmentation(state)(latent, key=augment_key)
            seen, used = join(latent, made), jnp.concatenate([used, kept])
            after = jnp.concatenate([after, after])

        y = td_target(state.target_critic, seen, after, self.discount)
        state, loss = critic_step(state, self._adam(), seen, y, used)
        due = state.update_count % self.policy_every == 0
        shift = seen.obs[self.batch_size :] - latent.obs if self.augment else None
        recorded = latent.action
        if not self.latent_critic:  # what the critics see is no latent, what holds the actor is
            recorded = jax.vmap(state.model.encode)(batch.obs, batch.action).action
        state = when(
            due, lambda s: self._improve(s, batch, recorded, shift, used, key=dropout_key), state
        )
        metrics = {"loss/critic": loss, "value": jnp.mean(y)} | state.actor_metrics
        if self.augment:
            metrics["accepted"] = jnp.mean(used[self.batch_size :].astype(jnp.float32))
        return state, metrics

    def _seen(
        self, state: TSRLState, batch: Transitions, next_action: Float[Array, "batch action"]
    ) -> tuple[Transitions, Float[Array, "batch action"]]:
        """The batch in the critics' space, and the next action there."""
        if not self.latent_critic:
            return batch, next_action
        encode = jax.vmap(state.model.encode)
        here, after = encode(batch.obs, batch.action), encode(batch.next_obs, next_action)
        latent = Transitions(here.state, here.action, batch.reward, after.state, batch.terminal)
        return latent, after.action

    def _improve(
        self,
        state: TSRLState,
        batch: Transitions,
        latent_action: Float[Array, "batch action"],
        shift: Float[Array, "batch obs"] | None,
        used: Bool[Array, " both"],
        *,
        key: Key,
    ) -> TSRLState:
        """A step of the actor along Eq. 11, and one of every target after it."""
        if self.constraint == "latent":
            check_is_fitted(self, "action_weight")

        def loss(actor: TanhActor) -> tuple[Scalar, Metrics]:
            action = actor.batch(batch.obs, key=key if self.dropout else None)
            latent = jax.vmap(state.model.encode)(batch.obs, action)
            states, actions = latent.state, latent.action
            if not self.latent_critic:
                states, actions = batch.obs, action
            if shift is not None:
                states = jnp.concatenate([states, states + shift])
                actions = jnp.concatenate([actions, actions])
            values = state.critic.least(states, actions)
            value = normalised_value(values, used)
            if self.constraint == "cloning":
                distance = mean_square(action - batch.action)
                return -self.alpha * value + distance, {"loss/latent_action": distance}
            distance = mean_square(latent.action - latent_action)
            total = -self.alpha * value + self.action_weight * distance
            violation = jnp.zeros(())
            if self.symmetry_weight:
                assert isinstance(state.model, TDM)
                violation = mean_violation(state.model, latent)
                total = total + self.symmetry_weight * violation
            return total, {"loss/latent_action": distance, "loss/symmetry": violation}

        state, terms = actor_step(state, self._adam(), loss, self.target_rate)
        return replace(state, actor_metrics=dict.fromkeys(ACTOR_METRICS, jnp.zeros(())) | terms)

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


ACTOR_METRICS = ("loss/actor", "loss/latent_action", "loss/symmetry")
