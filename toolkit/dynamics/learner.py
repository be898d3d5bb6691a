"""Fitting a latent dynamics model to windows: the same for every model that is compared."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from toolkit.data import Dataset, Window, WindowSampler
from toolkit.dynamics.interface import AbstractDynamics, Heads
from toolkit.dynamics.losses import dynamics_terms
from toolkit.dynamics.steps import Steps
from toolkit.errors import UserError
from toolkit.training.learner import AbstractLearner, Metrics
from toolkit.training.optimise import gradient_step
from toolkit.types import Key


class DynamicsState(eqx.Module):
    """A model, its optimiser and the number of updates so far."""

    model: AbstractDynamics
    opt_state: Any
    update_count: Int[Array, ""]


class AbstractDynamicsLearner(AbstractLearner):
    """Adam on Eq. 7 over random windows of normalised data; subclasses say which model.

    Source: arXiv:2306.11941 §3.3.
    """

    hidden: int = 256
    """Width of the state encoder and the decoder."""
    decoder_layers: int = 1
    """Hidden layers of the decoder and of the reward head."""
    action_hidden: int = 64
    """Width of the action encoder."""
    horizon: int = 100
    """Length of the training windows, in environment steps."""
    decoded_steps: int = 30
    """How many steps of each window are decoded in one update."""
    reencode_every: int = 10
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    batch_size: int = 64
    """Windows per update."""
    learning_rate: float = 3e-3
    """Peak rate of Adam; it warms up, then falls to 1 % along a cosine."""
    num_updates: int = 2000
    """Length of the run, in updates."""
    reward_weight: float = 0.1
    """Weight of L_rew in Eq. 7; the paper has 1."""
    consistency_weight: float = 1e-3
    """Weight of L_cons in Eq. 7."""
    weight_decay: float = 0.0
    """Decoupled weight decay, of matrices only: a spectrum and the data's units are no weights."""
    max_gradient_norm: float = 1.0
    """Gradients are scaled down to this norm."""

    @abstractmethod
    def build(self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key) -> AbstractDynamics:
        """The untrained model. `heads_of(latent_dim, hidden, key)` makes the shared heads."""

    def prepare(self, dataset: Dataset) -> WindowSampler:
        if self.batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, got {self.batch_size}.")
        if self.decoded_steps < 1:
            raise UserError(f"`decoded_steps` must be at least 1, got {self.decoded_steps}.")
        if self.reencode_every < 0 or (self.reencode_every and self.horizon % self.reencode_every):
            raise UserError(
                f"`reencode_every` must be 0 or divide `horizon` {self.horizon}, "
                f"got {self.reencode_every}."
            )
        return WindowSampler(dataset, self.horizon)

    def init(self, dataset: Dataset, *, key: Key) -> DynamicsState:
        def heads_of(latent_dim: int, hidden: int, key: Key) -> Heads:
            return Heads(
                dataset.obs_dim, latent_dim, hidden=hidden,
                decoder_layers=self.decoder_layers, key=key,
                reward_mean=float(dataset.rewards.mean()),
                reward_std=max(float(dataset.rewards.std()), 1e-3),
            )  # fmt: skip

        model = self.build(heads_of, dataset.obs_dim, dataset.action_dim, key=key)
        opt_state = self.optimiser().init(eqx.filter(model, eqx.is_inexact_array))
        return DynamicsState(model, opt_state, jnp.zeros((), jnp.int32))

    def sample(self, sampler: WindowSampler, *, key: Key) -> Window:
        return sampler.sample(self.batch_size, key=key)

    def update(
        self, state: DynamicsState, batch: Window, *, key: Key
    ) -> tuple[DynamicsState, Metrics]:
        steps = self.choose_steps(key)
        (_, metrics), grads = eqx.filter_value_and_grad(self.loss, has_aux=True)(
            state.model, batch, steps
        )
        model, opt_state = gradient_step(self.optimiser(), state.model, grads, state.opt_state)
        return DynamicsState(model, opt_state, state.update_count + 1), metrics

    def loss(self, model: AbstractDynamics, batch: Window, steps: Steps) -> tuple[Array, Metrics]:
        """Eq. 7 with its weights, and each term by name."""
        terms = dynamics_terms(model, batch, steps, consistency=self.consistency_weight > 0)
        total = (
            terms.prediction
            + self.reward_weight * terms.reward
            + self.consistency_weight * terms.consistency
        )
        return total, {
            "loss/total": total,
            "loss/prediction": terms.prediction,
            "loss/reward": terms.reward,
            "loss/consistency": terms.consistency,
        }

    def choose_steps(self, key: Key) -> Steps:
        """Evenly spaced steps of a piece with a random offset.

        `Steps.spread` says how often each is met. Where the window has several pieces, their last
        step is always among them.
        """
        length = self.reencode_every or self.horizon
        pieces = self.horizon // length
        if pieces == 1:
            return Steps.spread(length, self.decoded_steps, key=key)
        if length == 1:
            return Steps.every(1)
        count = max(1, self.decoded_steps // pieces - 1)
        return Steps.spread(length - 1, count, key=key).to_end(length)

    def optimiser(self) -> optax.GradientTransformation:
        """Adam with decoupled weight decay, a short warm-up and a cosine to 1 % of the rate."""
        warmup = min(100, max(1, self.num_updates // 10))
        rate = optax.warmup_cosine_decay_schedule(
            0.0, self.learning_rate, warmup, max(self.num_updates, warmup + 1),
            0.01 * self.learning_rate,
        )  # fmt: skip
        return optax.chain(
            optax.clip_by_global_norm(self.max_gradient_norm),
            optax.adamw(rate, weight_decay=self.weight_decay, mask=_are_weights),
        )


def _are_weights(params: Any) -> Any:
    """Which leaves are matrices."""
    return jax.tree.map(lambda leaf: leaf.ndim >= 2, params)
