"""The table of the study of agents that learn online: its curves, and itself in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from toolkit.studies.table import Row

#: The largest return of an episode in DeepMind Control.
FULL_RETURN = 1000.0


def longest(rows: Sequence[Row]) -> list[Row]:
    """Of rows about the same task, agent and seed, the longest run."""
    best: dict[Any, Row] = {}
    for row in rows:
        kept = best.get(about(row))
        if kept is None or row["num_env_steps"] >= kept["num_env_steps"]:
            best[about(row)] = row
    return list(best.values())


def curves_of(rows: Sequence[Row]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Learning curves by task and agent: control steps `(points,)`, returns `(seeds, points)`.

    Seeds are cut to the points that all of them have.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in longest(rows):
        found.setdefault(row["env"]["id"], {}).setdefault(row["candidate"], []).append(row)
    curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for task, agents in found.items():
        curves[task] = {}
        for agent, of in agents.items():
            points = min(len(row["curve_return"]) for row in of)
            steps = np.array(of[0]["curve_env_steps"][:points]) * of[0]["repeat"]
            curves[task][agent] = steps, np.array([r["curve_return"][:points] for r in of], float)
    return curves


def summary(rows: Sequence[Row]) -> list[str]:
    """Returns of the last policies, agents as columns, the budgets behind them.

    Below: over the tasks that every agent has, with as many seeds as every cell has, the IQM, the
    mean and the optimality gap of returns over 1000, with 95 % stratified-bootstrap intervals
    where there are several seeds.
    """
    from toolkit.evaluation.intervals import interquartile_mean, optimality_gap

    rows = longest(rows)
    tasks = list(dict.fromkeys(row["env"]["id"] for row in rows))
    agents = list(dict.fromkeys(row["candidate"] for row in rows))
    cells = {
        (t, a): [r for r in rows if (r["env"]["id"], r["candidate"]) == (t, a)]
        for t in tasks for a in agents
    }  # fmt: skip
    width = 2 + max(22, *map(len, agents))

    def line(title: str, texts: Sequence[str]) -> str:
        return f"{title:36s}" + "".join(f"{text:>{width}s}" for text in texts)

    lines = ["", line("return of the last policy", agents)]
    for task in tasks:
        lines.append(line(task, [_score(cells[task, a]) for a in agents]))
        lines.append(line("  seeds × control steps", [_budget(cells[task, a]) for a in agents]))
    shared = [t for t in tasks if all(cells[t, a] for a in agents)]
    if not shared:
        return lines
    runs = min(len(cells[t, a]) for t in shared for a in agents)
    blocks = [
        np.array(
            [[r["episode_return"] / FULL_RETURN for r in cells[t, a][:runs]] for t in shared]
        ).T
        for a in agents
    ]
    lines.append(f"over {len(shared)} task(s) and {runs} seed(s), returns over 1000:")
    aggregates: dict[str, Callable[[np.ndarray], float]] = {
        "IQM": interquartile_mean, "mean": lambda x: float(x.mean()),
        "optimality gap": optimality_gap,
    }  # fmt: skip
    for name, aggregate in aggregates.items():
        lines.append(line(f"  {name}", [_with_interval(block, aggregate) for block in blocks]))
    return lines


def _with_interval(scores: np.ndarray, aggregate: Callable[[np.ndarray], float]) -> str:
    from toolkit.evaluation.intervals import bootstrap_interval

    text = f"{aggregate(scores):.3f}"
    if len(scores) < 2:
        return text
    low, high = bootstrap_interval(scores, aggregate)
    return f"{text} [{low:.3f}, {high:.3f}]"


def _score(rows: Sequence[Row]) -> str:
    if not rows:
        return "-"
    returns = [row["episode_return"] for row in rows]
    spread = f" ± {np.std(returns, ddof=1):.0f}" if len(returns) > 1 else ""
    return f"{np.mean(returns):.0f}{spread}"


def _budget(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    steps = sorted({row["num_env_steps"] * row["repeat"] for row in rows})
    told = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    return f"{len(rows)} × {told}{', reduced' if any(r['reduced'] for r in rows) else ''}"


def told(row: Row) -> str:
    """A row in one line."""
    return (
        f"{row['env']['id']:26s} {row['candidate']:32s} seed {row['seed']}  "
        f"{row['num_env_steps'] * row['repeat']:9,d} control steps  "
        f"return {row['episode_return']:.1f}  ({row['seconds']:.0f} s)"
    )


def about(row: Row) -> tuple[str, str, int]:
    """The task, agent and seed of a row."""
    return row["env"]["id"], row["candidate"], row["seed"]
