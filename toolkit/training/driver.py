"""Driving the loop: rows, checkpoints, and a last save however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from toolkit.errors import UserError
from toolkit.training.experiment import Experiment
from toolkit.training.learner import State
from toolkit.training.loop import ChunkMetrics, train
from toolkit.training.records import Row
from toolkit.training.run import Run

CHECKPOINT_SECONDS = 10.0


def fit(
    run: Run,
    experiment: Experiment,
    state: State,
    *,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    on_chunk: Callable[[Row], None] = lambda row: None,
    measure: Callable[[State], Row] | None = None,
    measure_every: int = 0,
) -> State:
    """Train to the end; one row of metrics per chunk, a checkpoint at most every few seconds.

    `state` is the experiment's first one, or the run's own to continue. However the loop ends (a
    KeyboardInterrupt and a divergence included), the last finite state is saved. A row is
    written before the checkpoint that includes it, so a killed run has too many rows, never too
    few. `measure` adds to the row of every chunk that ends at a multiple of `measure_every`.

    Raises:
        TrainingDiverged: a number stopped being finite.
        UserError: the disk is full; the last checkpoint is untouched.
    """
    rows = run.rewind(int(state.update_count[0]))
    spent = rows[-1]["seconds"] if rows else 0.0
    keeper = _Keeper(run, experiment, checkpoint_seconds, state)
    last, began = state, time.monotonic()
    chunks = train(
        experiment.learner, state, experiment.sampler, seeds=run.config.seeds,
        num_updates=run.config.num_updates, chunk_updates=run.config.chunk_updates,
    )  # fmt: skip
    try:
        for state, metrics in chunks:
            seconds = time.monotonic() - began
            row = _row(int(state.update_count[0]), metrics, seconds, spent)
            if measure and measure_every and row["update"] % measure_every == 0:
                row |= measure(state)
            began, spent = time.monotonic(), row["seconds"]
            run.append(row)
            last = state
            on_chunk(row)
            keeper.save_if_due(last)
    finally:
        keeper.save(last)
    return last


class _Keeper:
    """Saves at most every `interval` seconds, and no state twice."""

    def __init__(self, run: Run, experiment: Experiment, interval: float, first: State):
        self.run, self.experiment, self.interval = run, experiment, interval
        self.saved_at = time.monotonic()
        self.saved_update = int(first.update_count[0]) if run.has_checkpoint else -1

    def save_if_due(self, state: State) -> None:
        if time.monotonic() - self.saved_at >= self.interval:
            self.save(state)

    def save(self, state: State) -> None:
        update = int(state.update_count[0])
        if update != self.saved_update:
            self.run.save(state, self.experiment)
            self.saved_at, self.saved_update = time.monotonic(), update


def _row(update: int, metrics: ChunkMetrics, seconds: float, spent: float) -> Row:
    """One chunk in plain numbers: each metric's mean per seed, and how long it took."""
    length = len(next(iter(metrics.values())))
    means = {
        name: np.mean(values, axis=0, dtype=float).tolist() for name, values in metrics.items()
    }
    return {
        "update": update,
        **means,
        "seconds": round(spent + seconds, 4),
        "updates_per_second": round(length / max(seconds, 1e-9), 3),
    }


def already_there(folder: str | Path) -> UserError:
    """What to say about a folder whose run was not meant to be continued."""
    return UserError(
        f"{folder} already holds a run; `--resume` continues it, another `--out` starts beside it."
    )


def start_or_continue(
    folder: str | Path, experiment: Experiment, *, resume: bool
) -> tuple[Run, State]:
    """The run of a folder and the state to go on from.

    With `resume` an existing run must be the same one; a folder without a run starts from the
    beginning, as does a run that was stopped before its first checkpoint.

    Raises:
        UserError: the folder holds a run and `resume` is false, or its settings differ, or its
            checkpoint is damaged or another model's, or the folder cannot be written.
    """
    if not Run.exists(folder):
        state = experiment.init()
        return Run.create(folder, experiment.config), state
    if not resume:
        raise already_there(folder)
    run = Run.open(folder)
    difference = experiment.config.difference(run.config)
    if difference:
        raise UserError(f"{folder} holds another run, so it cannot be resumed: {difference}.")
    state = experiment.init()
    return run, run.state(state) if run.has_checkpoint else state
