"""Sabotages of what is learned step by step: an encoder that predicts itself, a reverse model."""

from __future__ import annotations

from dataclasses import dataclass

import equinox as eqx
import jax
import numpy as np

from toolkit.agents.self_prediction import SelfPrediction
from toolkit.agents.spr import KoopmanSPR
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions, TransitionSampler
from toolkit.data.simulation import simulate
from toolkit.envs.swings import record_swings
from toolkit.evaluation.prediction import normalised
from toolkit.studies.encoders import stacks_of, watch_encoder
from toolkit.training.loop import init_states, select_seed, train
from toolkit.tsymmetry.degenerate import memorise
from toolkit.tsymmetry.learner import TDMLearner
from toolkit.tsymmetry.tdm import TDM

_SIZE = 20  # pixels of a picture on each side


@dataclass(frozen=True)
class EncoderReadings:
    """What self-prediction says of itself, and what an encoder's features say on held-out stacks.

    `spread` is the mean over features of their standard deviation, `rank` their effective rank,
    `singular` their standard deviations along principal axes.

    Shapes: `updates`, `loss (points,)`; `singular (features,)`.
    """

    updates: np.ndarray
    loss: np.ndarray
    singular: np.ndarray
    spread: float
    rank: float


def encoder_readings(
    *, stop_gradient: bool = True, num_updates: int = 600, points: int = 6, seed: int = 0
) -> EncoderReadings:
    """A small encoder that predicts itself on pictures of a pendulum.

    Its targets are its own features, so that the stop-gradient is all that holds them.

    Raises:
        UserError: there are fewer updates than points.
    """
    swings, others = (record_swings(40, 40, size=_SIZE, seed=seed + n) for n in (0, 1))
    agent = KoopmanSPR(
        image_size=_SIZE, stack=2, filters=8, features=16, batch_size=32, dynamics_hidden=128,
        augment=False, encoder_rate=1.0, modes=16, action_hidden=16, frequency_scale=0.2,
        stop_gradient=stop_gradient,
    )  # fmt: skip
    run = watch_encoder(
        SelfPrediction(agent, encoder_pace=0.3), swings, stacks_of(swings, 2, 250),
        stacks_of(others, 2, 250), num_updates=num_updates, points=points, seed=seed,
    )  # fmt: skip
    return EncoderReadings(
        run.updates[1:], run.loss[1:], run.singular, float(run.spread[-1]), float(run.rank[-1])
    )


@dataclass(frozen=True)
class ReverseReadings:
    """Two monitors of a reverse model g beside its forward model f, means over recorded rows.

    `symmetry` is |f + g(z + f)|² (Eq. 7 of arXiv:2306.04220), where the forward model leads;
    `at_next` is |f + g(z′)|², which Eq. 13 adds, where the recorded next state is.
    """

    symmetry: float
    at_next: float


def train_reverse(*, num_updates: int = 400, seed: int = 0) -> tuple[TDMLearner, TDM, Transitions]:
    """A small TDM of a pendulum, what trained it, and 500 of its normalised transitions."""
    data = simulate("pendulum", num_episodes=20, episode_steps=50, seed=seed)
    data = normalised(data, Normaliser.fit(data.observations))
    learner = TDMLearner(
        width=32, batch_size=64, num_updates=num_updates, learning_rate=3e-3, activation="tanh",
        check_every=100, chain_weight=1.0, symmetry_weight=1.0,
    )  # fmt: skip
    updates = train(
        learner, init_states(learner, data, [seed]), learner.prepare(data), seeds=[seed],
        num_updates=num_updates, chunk_updates=num_updates,
    )  # fmt: skip
    ((state, _),) = updates  # one chunk
    rows = TransitionSampler(data, successors_only=True).everything()
    some = jax.tree.map(lambda leaf: leaf[::2], rows)
    return learner, select_seed(state, 0).best, some


def reverse_readings(
    learner: TDMLearner, model: TDM, rows: Transitions, *, degenerate: bool = False
) -> ReverseReadings:
    """Both monitors; `degenerate` puts a table in place of the reverse model.

    The table answers −f exactly where f leads from these rows, and nothing anywhere else.
    """
    judged = memorise(model, rows) if degenerate else model
    measured = eqx.filter_jit(learner.measured)(judged, rows)
    return ReverseReadings(float(measured["loss/symmetry"]), float(measured["loss/at_next"]))
