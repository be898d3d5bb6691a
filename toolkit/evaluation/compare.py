"""Whether results may be compared, and if so what the comparison says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.evaluation.intervals import Scores, bootstrap_interval, interquartile_mean

Result = dict[str, Any]

#: What must agree for two scores to mean the same: words, and where `result.json` has it.
_MUST_AGREE = {
    "training data (SHA-256)": ("dataset", "sha256"),
    "number of training rows": ("dataset", "num_transitions"),
    "split": ("split",),
    "test data (SHA-256)": ("score", "test_data", "sha256"),
    "choice of test episodes": ("score", "test_data", "history"),
    "number of test windows": ("score", "num_test_windows"),
    "horizon": ("score", "horizon"),
    "score rule": ("score", "rule"),
    "number of episodes": ("score", "num_episodes"),
    "starts of the episodes": ("score", "start_seed"),
    "environment": ("env", "id"),
    "MuJoCo version": ("env", "mujoco"),
}


@dataclass(frozen=True)
class Aggregate:
    """One line of a comparison. The interval is a 95 % stratified bootstrap of the IQM."""

    label: str
    num_seeds: int
    mean: float
    std: float
    iqm: float
    low: float
    high: float


def differences(first: Result, second: Result) -> list[str]:
    """Every reason why two results may not be compared, in words; empty if they may."""
    reasons = []
    for name, path in _MUST_AGREE.items():
        here, there = _look_up(first, path), _look_up(second, path)
        if here != there:
            reasons.append(f"{name}: {_short(here)} and {_short(there)}")
    return reasons


def verdict(results: dict[str, Result]) -> tuple[bool, str]:
    """Whether all results may be compared, and a sentence (or a list of reasons) saying so."""
    labels = list(results)
    reasons = [
        f"  {labels[0]} and {label} differ in {reason}"
        for label in labels[1:]
        for reason in differences(results[labels[0]], results[label])
    ]
    if reasons:
        return False, "These runs may NOT be compared:\n" + "\n".join(reasons)
    return True, "These runs may be compared: same data, split, horizon, score rule and simulator."


#: The metric to compare by where none was chosen: the first of these that the results have.
METRICS = ("normalized_score", "episode_return", "state_error_vs_persistence")


def default_metric(results: dict[str, Result]) -> str:
    """The first of `METRICS` that every result has, else the last of them."""
    every = [set(result.get("metrics", {})) for result in results.values()]
    return next((m for m in METRICS if all(m in have for have in every)), METRICS[-1])


def by_task(results: dict[str, Result]) -> list[dict[str, Result]]:
    """Results grouped by training data (online: by environment), where every group has the same
    models, one run of each.

    One group with everything where they do not line up like that.
    """
    groups: dict[Any, dict[str, Result]] = {}
    for label, result in results.items():
        task = _look_up(result, ("dataset", "sha256")) or _look_up(result, ("env", "id"))
        groups.setdefault(task, {})[label] = result
    models = [sorted(result["model"] for result in group.values()) for group in groups.values()]
    aligned = all(names == models[0] for names in models) and len(set(models[0])) == len(models[0])
    return list(groups.values()) if aligned and len(models[0]) > 1 else [results]


def over_tasks(tasks: list[dict[str, Result]], metric: str) -> list[Aggregate]:
    """One line per model over all tasks, where all runs have equally many seeds; else none."""
    columns: dict[str, list[list[float]]] = {}
    for task in tasks:
        for result in task.values():
            columns.setdefault(result["model"], []).append(result["metrics"][metric]["per_seed"])
    if len({len(seeds) for task in columns.values() for seeds in task}) != 1:
        return []
    return [_line(model, np.asarray(task, float).T) for model, task in columns.items()]


def aggregate(label: str, result: Result, metric: str) -> Aggregate:
    """Mean, standard deviation, IQM and its interval over the seeds of one result.

    Raises:
        UserError: the result lacks the metric, or it is not one number per seed.
    """
    known = result.get("metrics", {})
    if metric not in known:
        raise UserError(f"{label} has no metric {metric!r}; it has {', '.join(known) or 'none'}.")
    scores = np.asarray(known[metric]["per_seed"], float)
    if scores.ndim != 1:
        raise UserError(
            f"`metric` must be one number per seed, but {metric!r} is a list by horizon."
        )
    return _line(label, scores[:, None])


def _line(label: str, scores: Scores) -> Aggregate:
    low, high = bootstrap_interval(scores)
    std = float(scores.mean(1).std(ddof=1)) if len(scores) > 1 else 0.0
    mean, iqm = float(scores.mean()), interquartile_mean(scores)
    return Aggregate(label, len(scores), mean, std, iqm, low, high)


def _look_up(result: Result, path: tuple[str, ...]) -> Any:
    value: Any = result
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"
