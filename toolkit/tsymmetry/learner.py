"""How representations are fitted: held-out episodes say when to stop, and which model is kept."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Int

from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler, transitions_at
from toolkit.data.subsampling import split_episodes
from toolkit.errors import UserError
from toolkit.training.learner import AbstractLearner, Metrics
from toolkit.training.optimise import gradient_step, start, when
from toolkit.tsymmetry.losses import TDMTerms, l1_penalty, published_terms, tdm_terms
from toolkit.tsymmetry.tdm import TDM
from toolkit.types import Key, Scalar

Activation = Literal["relu", "silu", "tanh"]
ACTIVATIONS = {"relu": jax.nn.relu, "silu": jax.nn.silu, "tanh": jnp.tanh}

#: Held-out transitions that a check looks at, at most.
HELD_OUT_ROWS = 2048


class HeldOut(eqx.Module):
    """What batches are drawn from, and the transitions of other episodes that checks look at."""

    train: TransitionSampler
    validation: Transitions | None


class RepresentationState(eqx.Module):
    """The model in training, the best one by its loss on held-out episodes, and the optimiser."""

    model: TDM
    best: TDM
    opt_state: Any
    best_loss: Scalar
    validation_loss: Scalar  # at the last check
    checks_since_best: Int[Array, ""]
    update_count: Int[Array, ""]


class RepresentationLearner(AbstractLearner):
    """Adam on a loss of transitions, stopped by the loss on held-out episodes.

    The first `pretrain_share` of the run trains a part of the loss. After it, the model is checked
    every `check_every` updates on episodes that it is not trained on; the best one is kept, and
    after `patience` checks without a better one nothing changes any more. States are normalised
    by the statistics of all episodes, which agents share.
    """

    activation: eqx.AbstractVar[Activation]
    batch_size: eqx.AbstractVar[int]
    learning_rate: eqx.AbstractVar[float]
    num_updates: eqx.AbstractVar[int]
    pretrain_share: eqx.AbstractVar[float]
    validation_share: eqx.AbstractVar[float]
    check_every: eqx.AbstractVar[int]
    patience: eqx.AbstractVar[int]

    @abstractmethod
    def loss(self, model: TDM, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """The loss of a batch, and its terms; `started` is 0 in pre-training, then 1."""

    def prepare(self, dataset: Dataset) -> HeldOut:
        """Draws rows with a recorded successor; terminal rows without one teach no dynamics.

        Raises:
            UserError: a setting is out of range, there is a single episode to hold out from, or
                fewer transitions than a batch.
        """
        if self.batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, got {self.batch_size}.")
        for name in ("pretrain_share", "validation_share"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise UserError(f"`{name}` must lie in 0..1, below 1, got {value}.")
        validation = None
        if self.validation_share:
            if dataset.num_episodes < 2:
                raise UserError(
                    f"{dataset.source.name!r} has a single episode, so none can be held out to "
                    "say when to stop; `validation_share` 0 trains without."
                )
            dataset, held_out = split_episodes(dataset, self.validation_share)
            validation = _some_rows(held_out)
        sampler = TransitionSampler(dataset, successors_only=True)
        if sampler.rows.size < self.batch_size:
            raise UserError(
                f"`batch_size` is {self.batch_size}, but {dataset.source.name!r} has only "
                f"{sampler.rows.size} transitions with a successor to train on."
            )
        return HeldOut(sampler, validation)

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        """The untrained model."""
        return TDM(
            dataset.obs_dim, dataset.action_dim, activation=ACTIVATIONS[self.activation], key=key
        )

    def init(self, dataset: Dataset, *, key: Key) -> RepresentationState:
        model = self.network(dataset, key=key)
        worst = jnp.asarray(jnp.finfo(jnp.float32).max)
        zero, count = jnp.zeros(()), jnp.zeros((), jnp.int32)
        best = jax.tree.map(lambda x: x.copy() if eqx.is_array(x) else x, model)
        return RepresentationState(
            model, best, start(self._adam(), model), worst, zero, count, count
        )

    def sample(self, sampler: HeldOut, *, key: Key) -> tuple[Transitions, Transitions | None]:
        return sampler.train.sample(self.batch_size, key=key), sampler.validation

    def update(
        self,
        state: RepresentationState,
        batch: tuple[Transitions, Transitions | None],
        *,
        key: Key,
    ) -> tuple[RepresentationState, Metrics]:
        drawn, validation = batch
        metrics = jax.tree.map(jnp.zeros_like, self._shapes(state, drawn))

        def train(carry: tuple[RepresentationState, Metrics]) -> Any:
            state, _ = carry
            started = (state.update_count >= self._num_pretraining()).astype(jnp.float32)
            (_, metrics), grads = eqx.filter_value_and_grad(self.loss, has_aux=True)(
                state.model, drawn, started
            )
            model, opt_state = gradient_step(self._adam(), state.model, grads, state.opt_state)
            return replace(state, model=model, opt_state=opt_state), metrics

        state, metrics = when(~self.stopped(state), train, (state, metrics))
        state = replace(state, update_count=state.update_count + 1)
        if validation is None:
            return replace(state, best=state.model), metrics
        due = self._check_is_due(state) & ~self.stopped(state)
        state = when(due, lambda state: self._check(state, validation), state)
        return state, metrics | {"loss/held_out": state.validation_loss}

    def stopped(self, state: RepresentationState) -> Bool[Array, ""]:
        """Whether held-out episodes have stopped the training."""
        if not (self.patience and self.validation_share):
            return jnp.zeros((), bool)
        return state.checks_since_best >= self.patience

    def _check_is_due(self, state: RepresentationState) -> Bool[Array, ""]:
        """At the end of pre-training, every few updates after it, and at the very end."""
        since = state.update_count - self._num_pretraining()
        regular = (since >= 0) & (since % self.check_every == 0)
        return regular | (state.update_count == self.num_updates)

    def _check(self, state: RepresentationState, validation: Transitions) -> RepresentationState:
        """The loss on held-out episodes; the model is kept if none was better."""
        loss, _ = self.loss(state.model, validation, jnp.ones(()))
        better = loss < state.best_loss

        def choose(new: Any, old: Any) -> Any:
            return jnp.where(better, new, old) if eqx.is_array(new) else new

        return replace(
            state,
            best=jax.tree.map(choose, state.model, state.best),
            best_loss=choose(loss, state.best_loss),
            validation_loss=loss,
            checks_since_best=jnp.where(better, 0, state.checks_since_best + 1),
        )

    def _num_pretraining(self) -> int:
        return round(self.pretrain_share * self.num_updates)

    def _shapes(self, state: RepresentationState, batch: Transitions) -> Any:
        return eqx.filter_eval_shape(self.loss, state.model, batch, jnp.ones(()))[1]

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


class TDMLearner(RepresentationLearner):
    """The T-symmetry enforced dynamics model: Eq. 8, after some reconstruction alone.

    The weights are those of the paper's Table 6; its Table 3 has 1 for the symmetry term, and the
    published code 0.1. `variant="published"` is that code: decoding by the decoder's Jacobian,
    symmetry about the encoded next state, Eq. 13 always on, and pre-training with everything but
    the chain-rule terms.

    Source: arXiv:2306.04220 §3, App. A, Tables 2, 3 and 6.
    """

    variant: Literal["paper", "published"] = "paper"
    """The paper's terms, or those of the code published with it."""
    enhanced: bool = False
    """Add the term of Eq. 13, for data on which the reverse model degenerates."""
    chain_weight: float = 0.1
    """Weight of ℓ_fwd and ℓ_rvs (Eq. 4 and 6)."""
    symmetry_weight: float = 0.1
    """Weight of ℓ_Tsym (Eq. 7), and of what Eq. 13 adds."""
    l1_weight: float = 1e-5
    """λ_L1 on the numbers of f and g (Eq. 8)."""
    activation: Activation = "relu"
    """Between the layers of every network."""
    width: int = 512
    """Units of the widest layers: of the dynamics, and the encoder's first (Table 3)."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, pre-training included, in updates."""
    pretrain_share: float = 0.1
    """Share of the run that trains the reconstruction alone (Table 2: 200 of 2000 epochs)."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int = 500
    """Updates between two looks at the held-out episodes."""
    patience: int = 8
    """Looks without a better model after which the training stops; 0 never stops."""

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        """The untrained model: the proportions of Table 3 at this width.

        Raises:
            UserError: the width is too small to be quartered.
        """
        if self.width < 4:
            raise UserError(f"`width` must be at least 4, got {self.width}.")
        return TDM(
            dataset.obs_dim, dataset.action_dim,
            encoder_widths=(self.width, self.width // 2, self.width // 4),
            dynamics_widths=(self.width,) * 3, activation=ACTIVATIONS[self.activation], key=key,
        )  # fmt: skip

    def loss(self, model: TDM, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """Eq. 8 (13 where `enhanced`) with its weights."""
        terms = self.terms(model, batch)
        published = self.variant == "published"
        symmetry = terms.symmetry
        if self.enhanced or published:
            symmetry = symmetry + terms.at_next
        decoded, symmetry = terms.decoded_rate, self.symmetry_weight * symmetry
        chain = self.chain_weight * (terms.forward + terms.reverse)
        penalty = self.l1_weight * l1_penalty(model)
        later = chain if published else chain + decoded + symmetry + penalty
        always = decoded + symmetry + penalty if published else jnp.zeros(())
        total = terms.reconstruction + always + started * later
        return total, {"loss/total": total} | {
            f"loss/{name}": value for name, value in vars(terms).items()
        }

    def terms(self, model: TDM, batch: Transitions) -> TDMTerms:
        """Each term's mean over a batch of transitions."""
        one = published_terms if self.variant == "published" else tdm_terms
        each = jax.vmap(lambda s, a, s2: one(model, s, a, s2))
        return jax.tree.map(jnp.mean, each(batch.obs, batch.action, batch.next_obs))


def _some_rows(dataset: Dataset) -> Transitions:
    """At most `HELD_OUT_ROWS` transitions, spread evenly over the rows with a successor."""
    usable = np.flatnonzero(np.asarray(dataset.valid_next))
    if usable.size == 0:
        raise UserError(f"{dataset.source.name!r} has no held-out row with a known successor.")
    at = usable[np.linspace(0, usable.size - 1, min(usable.size, HELD_OUT_ROWS)).astype(int)]
    return transitions_at(dataset, jnp.asarray(at, jnp.int32))
