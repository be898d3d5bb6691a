"""An encoder that learns by predicting itself, watched: loss, spread, rank and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.agents.pixels import stacked
from toolkit.agents.self_prediction import (
    PictureEpisodes,
    SelfPrediction,
    SelfPredictionModel,
    encode,
)
from toolkit.envs.swings import Swings
from toolkit.errors import UserError
from toolkit.evaluation.probes import effective_rank, linear_probes, singular_values
from toolkit.training.loop import select_seed, train


@dataclass(frozen=True)
class Stacks:
    """Stacks of frames, and what is true when the last of each was taken.

    Shapes: `images (rows, height, width, channels)`, uint8; each of `truth` `(rows,)`.
    """

    images: np.ndarray
    truth: dict[str, np.ndarray]

    @property
    def last(self) -> np.ndarray:
        """The last frame of each: `(rows, height, width, 3)`."""
        return self.images[..., -3:]


def stacks_of(swings: Swings, stack: int, rows: int, *, seed: int = 0) -> Stacks:
    """`rows` stacks of `stack` frames from anywhere in the episodes, none of them twice.

    Raises:
        UserError: there are not so many, or an episode is shorter than a stack.
    """
    states = swings.frames.shape[1] - stack + 1
    there = len(swings.frames) * max(states, 0)
    if not 1 <= rows <= there:
        raise UserError(f"`rows` must be from 1 to {there}, the stacks that there are, got {rows}.")
    chosen = np.random.default_rng(seed).permutation(there)[:rows]
    episode, first = np.divmod(chosen, states)
    frames = swings.frames[episode[:, None], first[:, None] + np.arange(stack)]
    images = np.asarray(stacked(jnp.asarray(frames), stack)[0])
    return Stacks(images, {name: v[episode, first + stack - 1] for name, v in swings.truth.items()})


@dataclass(frozen=True)
class EncoderHistory:
    """What became of an encoder, at some points of its training and at its end.

    Everything but the loss is measured on held-out stacks. `spread` is the mean over features of
    their standard deviation, `rank` their effective rank, `probes` the R² of linear probes.

    Shapes: `(points,)`, the first before any update, where there is no loss yet;
            `features (rows, features)` and `singular (features,)` are the last ones.
    """

    updates: np.ndarray
    loss: np.ndarray
    spread: np.ndarray
    rank: np.ndarray
    probes: dict[str, np.ndarray]
    singular: np.ndarray
    features: np.ndarray
    model: SelfPredictionModel


def watch_encoder(
    learner: SelfPrediction,
    swings: Swings,
    seen: Stacks,
    held_out: Stacks,
    *,
    num_updates: int,
    points: int = 8,
    seed: int = 0,
) -> EncoderHistory:
    """Train on the swings, and measure `points` times on the way what the features hold.

    Probes are fitted on `seen`, stacks of the same swings, and scored on `held_out`.

    Raises:
        UserError: there are fewer updates than points.
    """
    if not 1 <= points <= num_updates:
        raise UserError(
            f"`points` must be from 1 to the {num_updates} of `num_updates`, got {points}."
        )
    source = PictureEpisodes(jnp.asarray(swings.frames), jnp.asarray(swings.action))
    state = learner.init(swings.spec, key=jr.fold_in(jr.key(seed), 0))
    state = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, state)
    rows = [_measured(select_seed(state, 0).model, seen, held_out)]
    updates, losses = [0], [np.nan]
    chunks = train(
        learner, state, source, seeds=[seed], num_updates=num_updates,
        chunk_updates=num_updates // points,
    )  # fmt: skip
    for state, metrics in chunks:
        updates.append(int(state.update_count[0]))
        losses.append(float(metrics["loss/prediction"].mean()))
        rows.append(_measured(select_seed(state, 0).model, seen, held_out))
    model = select_seed(state, 0).model
    features = np.asarray(encode(model.encoder, jnp.asarray(held_out.images)))
    spread, rank, probes = zip(*rows, strict=True)
    return EncoderHistory(
        np.array(updates), np.array(losses), np.array(spread), np.array(rank),
        {name: np.array([p[name] for p in probes]) for name in probes[0]},
        singular_values(features), features, model,
    )  # fmt: skip


def _measured(
    model: SelfPredictionModel, seen: Stacks, held_out: Stacks
) -> tuple[float, float, dict[str, float]]:
    """Spread, rank and probes."""
    fitted, other = (
        np.asarray(encode(model.encoder, jnp.asarray(stacks.images))) for stacks in (seen, held_out)
    )
    probes = linear_probes(fitted, seen.truth, other, held_out.truth)
    return float(other.std(axis=0).mean()), effective_rank(other), probes
