"""The table of the study of agents that learn online: its curves, and itself in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from toolkit.studies import layout
from toolkit.studies.layout import Grid, from_to, line, mean_and_spread, with_interval
from toolkit.studies.table import Row

#: The largest return of an episode in DeepMind Control.
FULL_RETURN = 1000.0


def longest(rows: Sequence[Row]) -> list[Row]:
    """Of rows about the same task, agent and seed, the longest run."""
    return layout.longest(rows, about, "num_env_steps")


def curves_of(rows: Sequence[Row]) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Learning curves by task and agent: control steps `(points,)`, returns `(seeds, points)`.

    Seeds are cut to the points that all of them have; where none are, as of runs of very different
    lengths, the longest runs speak for themselves.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in longest(rows):
        found.setdefault(row["env"]["id"], {}).setdefault(row["candidate"], []).append(row)
    curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for task, agents in found.items():
        curves[task] = {}
        for agent, of in agents.items():
            every = [dict(zip(r["curve_env_steps"], r["curve_return"], strict=True)) for r in of]
            common = set.intersection(*map(set, every))
            if not common:
                furthest = max(max(curve) for curve in every)
                every = [curve for curve in every if max(curve) == furthest]
                common = set.intersection(*map(set, every))
            steps = sorted(common)
            returns = np.array([[curve[step] for step in steps] for curve in every], float)
            curves[task][agent] = np.array(steps) * of[0]["repeat"], returns
    return curves


def summary(rows: Sequence[Row]) -> list[str]:
    """Returns of the last policies, agents as columns, the budgets behind them.

    Below: over the tasks that every agent has, with as many seeds as every cell has, the IQM, the
    mean and the optimality gap of returns over 1000, with 95 % stratified-bootstrap intervals
    where there are several seeds.
    """
    from toolkit.evaluation.intervals import interquartile_mean, optimality_gap

    grid = Grid(longest(rows), lambda row: row["env"]["id"])
    width = 2 + max(22, *map(len, grid.candidates))
    lines = ["", line("return of the last policy", grid.candidates, width)]
    for task in grid.places:
        lines.append(line(task, [_score(cell) for cell in grid.at(task)], width))
        budgets = [_budget(cell) for cell in grid.at(task)]
        lines.append(line("  seeds × control steps", budgets, width))
    shared = [task for task in grid.places if all(grid.at(task))]
    if not shared:
        return lines
    runs = min(len(cell) for task in shared for cell in grid.at(task))
    blocks = [
        np.array([[r["episode_return"] / FULL_RETURN for r in grid[t, a][:runs]] for t in shared]).T
        for a in grid.candidates
    ]
    lines.append(f"over {len(shared)} task(s) and {runs} seed(s), returns over 1000:")
    aggregates: dict[str, Callable[[np.ndarray], float]] = {
        "IQM": interquartile_mean, "mean": lambda x: float(x.mean()),
        "optimality gap": optimality_gap,
    }  # fmt: skip
    for name, aggregate in aggregates.items():
        texts = [with_interval(block, aggregate, 3) for block in blocks]
        lines.append(line(f"  {name}", texts, width))
    return lines


def _score(rows: Sequence[Row]) -> str:
    return mean_and_spread([row["episode_return"] for row in rows], 0)


def _budget(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    told = from_to([row["num_env_steps"] * row["repeat"] for row in rows])
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
