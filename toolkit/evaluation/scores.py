"""From a finished run to its scores: evaluate every seed, and write them with their passport."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.data import Dataset, Source, load
from toolkit.data.samplers import run_lengths
from toolkit.errors import UserError
from toolkit.evaluation.prediction import PredictionErrors, TrainedDynamics, prediction_errors
from toolkit.evaluation.rollouts import Rollouts
from toolkit.training.loop import select_seed
from toolkit.training.passport import environment
from toolkit.training.run import FORMAT, Run, provenance, write_json

HORIZON = 100
RULE = "last update, never the best"


@dataclass(frozen=True)
class Evaluation:
    """Prediction errors of every seed on the same windows of the same data."""

    errors: tuple[PredictionErrors, ...]
    source: Source
    horizon: int
    reencode_every: int


def evaluate(
    run: Run,
    test: Dataset | None = None,
    *,
    horizon: int = HORIZON,
    reencode_every: int | None = None,
) -> Evaluation:
    """Errors of every seed of a run, on its held-out episodes or on other raw data.

    `reencode_every` is the model's own interval unless it is given.

    Raises:
        UserError: no episode is as long as `horizon`, the dimensions differ, a number is
            negative, or the run's checkpoint cannot be loaded.
    """
    if reencode_every is not None and reencode_every < 0:
        raise UserError(f"`reencode_every` must not be negative, got {reencode_every}.")
    test = run.test_data() if test is None else test
    state, normaliser = run.state(), run.normaliser()
    errors = tuple(
        prediction_errors(
            TrainedDynamics(select_seed(state, index).model, normaliser), test,
            horizon=horizon, reencode_every=reencode_every,
        )
        for index in range(len(run.config.seeds))
    )  # fmt: skip
    every = state.model.reencode_every if reencode_every is None else reencode_every
    return Evaluation(errors, test.source, horizon, every)


def reachable_horizon(test: Dataset, wanted: int = HORIZON) -> int:
    """`wanted`, or the longest window that the data have if that is shorter.

    Raises:
        UserError: the data have no window at all.
    """
    longest = int(run_lengths(test).max())
    if longest < 1:
        raise UserError(f"{test.source.name!r} has no transition with a known successor.")
    return min(wanted, longest)


def load_test_data(name_or_file: str) -> Dataset:
    """Another dataset to evaluate on, every episode of it."""
    dataset = load(name_or_file)
    return dataset.take_episodes(np.arange(dataset.num_episodes), "evaluated on as a whole")


def write_result(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """Put the scores and their passport into the run's `result.json`, and return them."""
    result = make_result(run, evaluation)
    write_json(run.folder / "result.json", result)
    return result


def run_passport(run: Run) -> dict[str, Any]:
    """What a `result.json` says about the run behind its scores."""
    config = run.config
    return {
        "format": FORMAT,
        "model": config.model,
        "hyperparameters": config.hyperparameters,
        "dataset": {
            "name": config.data.name,
            "sha256": config.data.sha256,
            "num_transitions": config.data.num_transitions,
            "history": list(config.data.history),
        },
        "split": {"test_fraction": config.test_fraction, "seed": config.split_seed},
        "seeds": list(config.seeds),
        "num_updates": run.header()["update"],
        "env": config.env,
    }


def make_result(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """The content of `result.json`: every score with what one must know to compare it."""
    source = evaluation.source
    return {
        **run_passport(run),
        "score": {
            "rule": RULE,
            "horizon": evaluation.horizon,
            "reencode_every": evaluation.reencode_every,
            "num_test_windows": evaluation.errors[0].num_windows,
            "num_test_episodes": evaluation.errors[0].num_episodes,
            "test_data": {
                "name": source.name,
                "sha256": source.sha256,
                "history": list(source.history),
            },
        },
        "metrics": _metrics(run, evaluation.errors),
        **provenance(),
    }


def updates_per_second(run: Run) -> float:
    """The median over the chunks of a run, without those in which a seed had already stopped."""
    rows = run.metrics()
    at_work = [row for row in rows if not np.any(row.get("stopped", 0))]
    rates = [row["updates_per_second"] for row in at_work or rows]
    return statistics.median(rates) if rates else 0.0


def _metrics(run: Run, errors: tuple[PredictionErrors, ...]) -> dict[str, dict[str, Any]]:
    """Each metric by name; those by horizon are lists, k = 1 first."""
    per_seed = {
        "state_error_vs_persistence": [e.state_vs_persistence for e in errors],
        "state_error_by_horizon": [e.state for e in errors],
        "state_error_raw_by_horizon": [e.state_raw for e in errors],
        "persistence_error_by_horizon": [e.persistence for e in errors],
        "mean_predictor_error_by_horizon": [e.mean for e in errors],
        "reward_error": [e.reward.mean() for e in errors],
        "reward_error_by_horizon": [e.reward for e in errors],
        "updates_per_second": [updates_per_second(run)] * len(errors),
    }
    return {name: spread(np.asarray(values, float)) for name, values in per_seed.items()}


def rollout_result(
    model: str,
    num_updates: int,
    num_env_steps: int,
    rollouts: Rollouts,
    *,
    seed: int,
    hyperparameters: dict[str, Any],
    extra: dict[str, float] | None = None,
) -> dict[str, Any]:
    """The content of a `result.json` for a policy: its score and the passport of the score."""
    metrics = {"episode_return": float(rollouts.returns.mean()), **(extra or {})}
    if rollouts.normalised is not None:
        metrics["normalized_score"] = float(rollouts.normalised.mean())
    return {
        "format": FORMAT,
        "model": model,
        "hyperparameters": hyperparameters,
        "dataset": None,
        "seeds": [seed],
        "num_updates": num_updates,
        "num_env_steps": num_env_steps,
        "env": environment(rollouts.env_id),
        "score": {
            "rule": RULE,
            "num_episodes": len(rollouts.returns),
            "start_seed": rollouts.seed,
            "returns": rollouts.returns.tolist(),
            "lengths": rollouts.lengths.tolist(),
        },
        "metrics": {name: spread(np.asarray([value], float)) for name, value in metrics.items()},
        **provenance(),
    }


def spread(per_seed: np.ndarray) -> dict[str, Any]:
    """Mean and sample standard deviation over seeds (0 for a single one), and each seed's value."""
    deviation = per_seed.std(0, ddof=1) if len(per_seed) > 1 else np.zeros(per_seed.shape[1:])
    return {
        "mean": per_seed.mean(0).tolist(),
        "std": deviation.tolist(),
        "per_seed": per_seed.tolist(),
    }
