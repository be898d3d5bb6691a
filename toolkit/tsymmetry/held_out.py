"""Learners that hold out episodes: these say which model is kept, and when to stop."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler, transitions_at
from toolkit.data.subsampling import split_episodes
from toolkit.errors import UserError
from toolkit.nn import fresh_copy
from toolkit.training.learner import AbstractLearner, Metrics
from toolkit.training.optimise import gradient_step, start, when
from toolkit.tsymmetry.autoencoders import Part
from toolkit.types import Key, Scalar

#: Held-out transitions that a check looks at, at most.
HELD_OUT_ROWS = 2048


class HeldOut(eqx.Module):
    """What batches are drawn from, and the transitions of other episodes that checks look at."""

    train: TransitionSampler
    validation: Transitions | None


class HeldOutState(eqx.Module):
    """The model in training, the best one by its error on held-out episodes, and the optimiser.

    Shapes: `best_loss` is `pieces`, one error per piece of the model that is judged by itself.
    """

    model: Any
    best: Any
    opt_state: Any
    best_loss: Float[Array, "*pieces"]
    validation_loss: Scalar  # at the last check, mean over the pieces
    checks_since_best: Int[Array, ""]
    metrics: Metrics  # of the last update that changed the model
    update_count: Int[Array, ""]


class HeldOutLearner(AbstractLearner):
    """Adam on a loss of transitions, stopped by the error on held-out episodes.

    The model is checked every `check_every` updates on episodes that it is not trained on; the
    best one is kept, and after `patience` checks without a better one nothing changes any more.
    States are normalised by the statistics of all episodes, which agents share.

    A model may consist of pieces that are judged one by one, such as the members of an ensemble:
    every array of it then leads with the axes `pieces`, and the best of each is kept.
    """

    parts: ClassVar[frozenset[Part]] = frozenset()
    """What this learner trains of what agents may build on."""

    batch_size: eqx.AbstractVar[int]
    learning_rate: eqx.AbstractVar[float]
    num_updates: eqx.AbstractVar[int]
    validation_share: eqx.AbstractVar[float]
    check_every: eqx.AbstractVar[Any]  # an integer, once fitted to data
    patience: eqx.AbstractVar[int]

    @abstractmethod
    def network(self, dataset: Dataset, *, key: Key) -> Any:
        """The untrained model."""

    @abstractmethod
    def loss(self, model: Any, batch: Any, started: Scalar) -> tuple[Scalar, Metrics]:
        """The loss of a batch, and its terms; `started` is 0 in pre-training, then 1."""

    @property
    def pieces(self) -> tuple[int, ...]:
        """The axes along which pieces of the model are judged one by one; none if it is one."""
        return ()

    @property
    def rows_per_update(self) -> int:
        """Transitions that an update draws: a batch for every piece."""
        return math.prod(self.pieces) * self.batch_size

    @property
    def num_pretraining(self) -> int:
        """Updates before the first check."""
        return 0

    def views(self, batch: Transitions, *, key: Key) -> Any:
        """What the loss is given of a batch: the batch itself, unless a learner adds noise."""
        return batch

    def measured(self, model: Any, rows: Transitions) -> Metrics:
        """What is reported of a trained model, as means over transitions: the loss's terms."""
        return self.loss(model, self.views(rows, key=_check_key()), jnp.ones(()))[1]

    def held_out_error(self, model: Any, validation: Transitions) -> Float[Array, "*pieces"]:
        """What decides which model is kept, and when to stop."""
        return self.loss(model, self.views(validation, key=_check_key()), jnp.ones(()))[0]

    def is_better(
        self, error: Float[Array, "*pieces"], best: Float[Array, "*pieces"]
    ) -> Bool[Array, "*pieces"]:
        """Whether an error improves enough on the best one so far."""
        return error < best

    def arranged(self, best: Any, best_loss: Float[Array, "*pieces"]) -> Any:
        """The best model after a check, with whatever it is to know of its pieces' errors."""
        return best

    def prepare(self, dataset: Dataset) -> HeldOut:
        """Draws rows with a recorded successor; terminal rows without one teach no dynamics.

        Raises:
            UserError: a setting is out of range, there is a single episode to hold out from, or
                fewer transitions than a batch.
        """
        if self.batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, got {self.batch_size}.")
        if self.check_every is not None and self.check_every < 1:
            raise UserError(f"`check_every` must be at least 1, got {self.check_every}.")
        check_share("validation_share", self.validation_share)
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

    def init(self, dataset: Dataset, *, key: Key) -> HeldOutState:
        model = self.network(dataset, key=key)
        worst = jnp.full(self.pieces, jnp.finfo(jnp.float32).max)
        zero, count = jnp.zeros(()), jnp.zeros((), jnp.int32)
        rows = transitions_at(dataset, jnp.zeros(self.rows_per_update, jnp.int32))
        shapes = eqx.filter_eval_shape(
            lambda: self.loss(model, self.views(rows, key=_check_key()), zero)[1]
        )
        metrics = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return HeldOutState(
            model, fresh_copy(model), start(self._adam(), model), worst, zero, count, metrics, count
        )

    def sample(self, sampler: HeldOut, *, key: Key) -> tuple[Transitions, Transitions | None]:
        """A batch for every piece, one behind the other, and the held-out transitions."""
        return sampler.train.sample(self.rows_per_update, key=key), sampler.validation

    def update(
        self,
        state: HeldOutState,
        batch: tuple[Transitions, Transitions | None],
        *,
        key: Key,
    ) -> tuple[HeldOutState, Metrics]:
        drawn, validation = self.views(batch[0], key=key), batch[1]

        def train(state: HeldOutState) -> HeldOutState:
            started = (state.update_count >= self.num_pretraining).astype(jnp.float32)
            (_, metrics), grads = eqx.filter_value_and_grad(self.loss, has_aux=True)(
                state.model, drawn, started
            )
            model, opt_state = gradient_step(self._adam(), state.model, grads, state.opt_state)
            return replace(state, model=model, opt_state=opt_state, metrics=metrics)

        # the count stays out of what may differ between seeds: see `_side_by_side`
        count = state.update_count + 1
        stopped = self.stopped(state)
        state = replace(when(~stopped, train, state), update_count=count)
        if validation is None:
            return replace(state, best=state.model), state.metrics
        # of a stopped model a check finds nothing new, and so changes nothing
        due = self._check_is_due(state)
        state = when(due, lambda state: self._check(state, validation), state)
        return state, state.metrics | {
            "loss/held_out": state.validation_loss, "stopped": stopped.astype(jnp.float32),
        }  # fmt: skip

    def stopped(self, state: HeldOutState) -> Bool[Array, ""]:
        """Whether held-out episodes have stopped the training."""
        if not (self.patience and self.validation_share):
            return jnp.zeros((), bool)
        return state.checks_since_best >= self.patience

    def _check_is_due(self, state: HeldOutState) -> Bool[Array, ""]:
        """At the end of pre-training, every few updates after it, and at the very end."""
        since = state.update_count - self.num_pretraining
        regular = (since >= 0) & (since % self.check_every == 0)
        return regular | (state.update_count == self.num_updates)

    def _check(self, state: HeldOutState, validation: Transitions) -> HeldOutState:
        """The error on held-out episodes; what is better than all before it is kept."""
        error = self.held_out_error(state.model, validation)
        better = self.is_better(error, state.best_loss)

        def choose(new: Any, old: Any) -> Any:
            if not eqx.is_array(new):
                return new
            return jnp.where(
                better.reshape(better.shape + (1,) * (new.ndim - better.ndim)), new, old
            )

        best_loss = choose(error, state.best_loss)
        return replace(
            state,
            best=self.arranged(jax.tree.map(choose, state.model, state.best), best_loss),
            best_loss=best_loss,
            validation_loss=jnp.mean(error),
            checks_since_best=jnp.where(jnp.any(better), 0, state.checks_since_best + 1),
        )

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)


def check_share(name: str, value: float) -> None:
    """Refuse what is no share below the whole.

    Raises:
        UserError: it does not lie in 0..1, below 1.
    """
    if not 0 <= value < 1:
        raise UserError(f"`{name}` must lie in 0..1, below 1, got {value}.")


def _check_key() -> Key:
    """The key of every check, so that no model is kept because its noise was lucky."""
    return jr.key(0)


def _some_rows(dataset: Dataset) -> Transitions:
    """At most `HELD_OUT_ROWS` transitions, spread evenly over the rows with a successor."""
    usable = np.flatnonzero(np.asarray(dataset.valid_next))
    if usable.size == 0:
        raise UserError(f"{dataset.source.name!r} has no held-out row with a known successor.")
    at = usable[np.linspace(0, usable.size - 1, min(usable.size, HELD_OUT_ROWS)).astype(int)]
    return transitions_at(dataset, jnp.asarray(at, jnp.int32))
