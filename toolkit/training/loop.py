"""The one training loop: compile a chunk of updates, hand control back, repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array

from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.training.learner import AbstractLearner, AbstractUpdater, Sampler, State
from toolkit.types import Key

#: Metric name → one number per update and seed, `(updates, seeds)`.
ChunkMetrics = dict[str, np.ndarray]


class TrainingDiverged(RuntimeError):
    """A metric or a parameter stopped being finite; the message names the update and the leaf."""


def init_states(learner: AbstractLearner, dataset: Dataset, seeds: Sequence[int]) -> State:
    """One state per seed, stacked along a leading axis of every array.

    Each seed is initialised as it would be alone, so a seed's result does not depend on which
    others it is trained with.

    Raises:
        UserError: there is no seed, or one is given twice.
    """
    if len(seeds) == 0 or len(set(seeds)) != len(seeds):
        raise UserError(f"`seeds` must be one or more different integers, got {list(seeds)}.")
    states = [learner.init(dataset, key=jr.fold_in(jr.key(seed), 0)) for seed in seeds]
    arrays, static = zip(*(eqx.partition(state, eqx.is_array) for state in states), strict=True)
    return eqx.combine(jax.tree.map(_stack, *arrays), static[0])


def _stack(*leaves: Array) -> Array:
    """The leaves along a new first axis, strongly typed like the leaves of every later state.

    A leaf made from a Python number is weakly typed until the first update, and would make the
    first chunk another program than all others.
    """
    return jnp.asarray(jnp.stack(leaves), leaves[0].dtype)


def select_seed(state: State, index: int) -> State:
    """The state of one seed out of a stack."""
    arrays, static = eqx.partition(state, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: leaf[index], arrays), static)


def train(
    learner: AbstractUpdater,
    state: State,
    sampler: Sampler,
    *,
    seeds: Sequence[int],
    num_updates: int,
    chunk_updates: int = 100,
) -> Iterator[tuple[State, ChunkMetrics]]:
    """Train every seed to `num_updates` updates in all; yield after each compiled chunk.

    Drawing, saving and stopping belong to the caller, who may leave at any time: what was yielded
    last stays usable, also after a KeyboardInterrupt (for this the buffers of a yielded state are
    not donated to the next chunk; the price is one copy of the state). The key of update n is
    `fold_in(root, n)`, so a run continued from a saved state equals an unbroken one, bit for bit,
    on the same machine.

    Shapes: `state` carries a leading seed axis (`init_states`); metrics are `(updates, seeds)`.
    Raises:
        TrainingDiverged: a number stopped being finite; nothing is yielded for that chunk.
    """
    roots = jnp.stack([jr.fold_in(jr.key(seed), 1) for seed in seeds])
    done = int(state.update_count[0])
    while done < num_updates:
        # Chunks end at multiples of `chunk_updates`, so that a resumed run runs the same programs.
        length = min(chunk_updates - done % chunk_updates, num_updates - done)
        after, metrics = advance(learner, sampler, state, roots, length)
        metrics = {name: np.asarray(values).T for name, values in metrics.items()}
        if not _all_finite(after, metrics):
            raise TrainingDiverged(_first_non_finite(learner, sampler, state, roots, length))
        state, done = after, done + length
        yield state, metrics


@eqx.filter_jit
def advance(
    learner: AbstractUpdater, sampler: Sampler, state: State, roots: Any, length: int
) -> tuple[State, Any]:
    """`length` updates of every seed.

    Seeds run side by side on an accelerator and one after another on a CPU, where a single seed
    already fills the cores and its working set the cache.
    """
    arrays, static = eqx.partition(state, eqx.is_array)

    def one_seed(arrays: Any, root: Any):
        state = eqx.combine(arrays, static)
        state, metrics = scan_updates(learner, sampler, state, root, length)
        return eqx.filter(state, eqx.is_array), metrics

    if jax.default_backend() == "cpu":
        arrays, metrics = lax.map(lambda pair: one_seed(*pair), (arrays, roots))
    else:
        arrays, metrics = _side_by_side(one_seed, arrays, roots)
    return eqx.combine(arrays, static), metrics


def _side_by_side(one_seed: Any, arrays: Any, roots: Any) -> Any:
    """`one_seed` for all seeds at once.

    Their update count is one number and not one per seed, so that what is due every few updates
    stays a condition: of a condition that differed between seeds both sides would be computed.
    """
    count = arrays.update_count[0]
    of = lambda state: state.update_count
    axes = eqx.tree_at(of, jax.tree.map(lambda _: 0, arrays), None)
    single = eqx.tree_at(of, arrays, count)
    arrays, metrics = jax.vmap(one_seed, in_axes=(axes, 0))(single, roots)
    return arrays, metrics


def scan_updates(
    learner: AbstractUpdater, source: Any, state: State, root: Key, length: int
) -> tuple[State, dict[str, Array]]:
    """`length` updates of one state inside compiled code: the state after them, and its metrics.

    Each update draws its own batch from `source`. The keys of update n follow from
    `fold_in(root, n)`, so it does not matter where a run was taken up again.

    Shapes: metrics are `(length,)`.
    """
    arrays, static = eqx.partition(state, eqx.is_array)

    def body(arrays: Any, _: None):
        state = eqx.combine(arrays, static)
        sample_key, update_key = jr.split(jr.fold_in(root, state.update_count))
        batch = learner.sample(source, key=sample_key)
        state, metrics = learner.update(state, batch, key=update_key)
        return eqx.filter(state, eqx.is_array), metrics

    arrays, metrics = lax.scan(body, arrays, length=length)
    return eqx.combine(arrays, static), metrics


def _all_finite(state: State, metrics: ChunkMetrics) -> bool:
    numbers = [*metrics.values(), *jax.tree.leaves(eqx.filter(state, eqx.is_inexact_array))]
    return all(bool(jnp.isfinite(leaf).all()) for leaf in numbers)


def _first_non_finite(
    learner: AbstractUpdater, sampler: Sampler, state: State, roots: Any, length: int
) -> str:
    """Repeat the chunk one update at a time and say where it broke."""
    for _ in range(length):
        state, metrics = advance(learner, sampler, state, roots, 1)
        culprit = _non_finite_name(state, metrics)
        if culprit is not None:
            return (
                f"Training stopped at update {int(state.update_count[0])}: {culprit} is not "
                "finite; the last checkpoint is from before. A lower `learning_rate` or a check "
                "of the data usually helps."
            )
    return (
        f"Training stopped before update {int(state.update_count[0])}: a number was not finite, "
        "but a repetition update by update stayed finite, so it is on the edge of overflow."
    )


def _non_finite_name(state: State, metrics: Any) -> str | None:
    """The first leaf of the state, else the first metric, that holds a NaN or an infinity."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(eqx.filter(state, eqx.is_inexact_array)):
        if not bool(jnp.isfinite(leaf).all()):
            return f"`{jax.tree_util.keystr(path).lstrip('.')}`"
    bad = (name for name, values in metrics.items() if not bool(jnp.isfinite(values).all()))
    return next((f"metric `{name}`" for name in bad), None)
