"""A table of normalised scores in words, beside those that a paper reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from toolkit.studies import layout
from toolkit.studies.layout import Grid, from_to, line, mean_and_spread, with_interval
from toolkit.studies.table import Row, identity

#: Mean normalised scores of arXiv:2306.04220 Table 1, on its own samples of about 10k rows.
_PAPER_AGENTS = ("bc", "td3-bc", "mopo", "cql", "iql", "tsrl")
PAPER: dict[str, dict[str, float]] = {
    task: dict(zip(_PAPER_AGENTS, scores, strict=True))
    for task, scores in {
        "hopper-medium": (29.7, 40.1, 5.5, 43.1, 46.7, 62.0),
        "hopper-medium-replay": (12.1, 7.3, 6.8, 2.3, 13.4, 21.8),
        "hopper-medium-expert": (27.8, 17.8, 5.8, 29.9, 34.3, 50.9),
        "hopper-expert": (20.8, 23.2, 6.5, 33.0, 38.4, 82.7),
        "halfcheetah-medium": (26.4, 16.4, -1.1, 35.8, 29.9, 38.4),
        "halfcheetah-medium-replay": (14.3, 17.9, 11.7, 8.1, 22.7, 28.1),
        "halfcheetah-medium-expert": (19.1, 15.4, -1.1, 26.5, 10.5, 39.9),
        "halfcheetah-expert": (1.10, 1.72, -0.6, 4.2, -2.0, 40.6),
        "walker2d-medium": (15.8, 7.4, 3.1, 18.8, 22.5, 49.7),
        "walker2d-medium-replay": (1.4, 5.7, 3.3, 8.5, 10.7, 26.0),
        "walker2d-medium-expert": (21.7, 7.9, 0.6, 19.1, 26.5, 46.4),
        "walker2d-expert": (10.4, 23.8, 1.4, 41.6, 12.6, 102.2),
    }.items()
}


def paper_block(
    agents: Sequence[str] = ("bc", "td3-bc", "tsrl"),
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The paper's scores as one run `(1, sets)` of each agent, and its twelve sets."""
    return {a: np.array([[found[a] for found in PAPER.values()]]) for a in agents}, list(PAPER)


def longest(rows: Sequence[Row]) -> list[Row]:
    """Of rows about the same agent, dataset and seed, the one that was trained longest."""
    return layout.longest(rows, identity, "num_updates")


def summary(rows: Sequence[Row]) -> list[str]:
    """Scores, agents as columns, mean ± deviation over seeds and the updates behind them.

    Below each set stand the paper's own figures; below all of them, for agents that have every
    set, the mean over the sets, and the IQM of the entries with its 95 % interval.
    """
    grid = Grid(longest(rows), lambda row: row["dataset"]["label"])
    labels, agents = grid.places, grid.candidates
    width = 2 + max(20, *map(len, agents))
    lines = ["", line("normalised score", agents, width)]
    for label in labels:
        lines.append(line(label, [score_cell(cell) for cell in grid.at(label)], width))
        budgets = [budget_cell(cell) for cell in grid.at(label)]
        lines.append(line("  seeds × updates", budgets, width))
        paper = PAPER.get(_task(label))
        if paper:
            texts = [f"{paper[a]:.1f}" if a in paper else "-" for a in agents]
            lines.append(line("  paper (its own 10k rows)", texts, width))
    every = [grid.of(agent) if all(grid.of(agent)) else [] for agent in agents]
    means = [f"{np.mean([_mean(cell) for cell in cells]):.1f}" if cells else "-" for cells in every]
    lines.append(line(f"mean of {len(labels)} sets", means, width))
    if all(_task(label) in PAPER for label in labels):
        paper_means = [
            f"{np.mean([PAPER[_task(s)][a] for s in labels]):.1f}"
            if a in PAPER[_task(labels[0])] else "-"
            for a in agents
        ]  # fmt: skip
        lines.append(line("  paper (its own 10k rows)", paper_means, width))
    intervals = [iqm_cell(cells) if cells else "-" for cells in every]
    lines.append(line("IQM [95 % interval]", intervals, width))
    return lines


def iqm_cell(every: Sequence[Sequence[Row]]) -> str:
    """The interquartile mean over sets and seeds; the interval needs several seeds everywhere."""
    from toolkit.evaluation.intervals import interquartile_mean

    count = min(len(found) for found in every)
    scores = np.array([[row["normalized_score"] for row in found[:count]] for found in every]).T
    return with_interval(scores, interquartile_mean, 1)


def score_cell(rows: Sequence[Row]) -> str:
    """Mean over seeds, with the standard deviation where there are several."""
    return mean_and_spread([row["normalized_score"] for row in rows], 1)


def budget_cell(rows: Sequence[Row]) -> str:
    """How many seeds, and how many updates each."""
    return f"{len(rows)} × {from_to([row['num_updates'] for row in rows])}" if rows else ""


def told(row: Row) -> str:
    """A row in one line."""
    return (
        f"{row['dataset']['label']:32s} {row['candidate']:22s} seed {row['seed']}  "
        f"{row['num_updates']:7,d} updates  score {row['normalized_score']:.1f}"
    )


def _mean(rows: Sequence[Row]) -> float:
    return float(np.mean([row["normalized_score"] for row in rows]))


def _task(label: str) -> str:
    """The set of the paper's table that a label begins with, the longest such; else nothing."""
    return next((task for task in sorted(PAPER, key=len)[::-1] if label.startswith(task)), "")
