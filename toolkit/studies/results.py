"""Tables that come with the repository: where they are, and what figures take from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.studies import control_table
from toolkit.studies.score_table import longest
from toolkit.studies.table import Row

_PACKAGE = Path(__file__).parents[1]
#: The source tree's own, and the copy within an installed package.
FOLDERS = (_PACKAGE.parent / "results", _PACKAGE / "results")


def committed(name: str) -> Path | None:
    """The table of this name that came with the toolkit, if there is one."""
    return next((folder / name for folder in FOLDERS if (folder / name).is_file()), None)


def read_rows(path: Path) -> list[Row]:
    """The rows of a table of agents' scores, of each agent, dataset and seed the longest run.

    Raises:
        UserError: the file holds something else, or numbers of a `fast` study, which mean nothing.
    """
    return longest(_content(path)["rows"])


def agents_of(rows: Sequence[Row]) -> list[str]:
    """The agents of a table, in its order."""
    return list(dict.fromkeys(row["candidate"] for row in rows))


def sets_of(rows: Sequence[Row]) -> list[str]:
    """The datasets of a table by their labels, in its order."""
    return list(dict.fromkeys(row["dataset"]["label"] for row in rows))


def seeds_of(rows: Sequence[Row], agent: str, label: str) -> list[float]:
    """An agent's scores on a dataset, in the order of its seeds."""
    found = {
        row["seed"]: row["normalized_score"]
        for row in rows
        if (row["candidate"], row["dataset"]["label"]) == (agent, label)
    }
    return [found[seed] for seed in sorted(found)]


def block(
    rows: Sequence[Row], runs: int, agents: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Scores `(runs, sets)` of agents that can be compared, and the sets.

    The sets are those on which every one of the `agents` (of the table, if none are named) has at
    least so many seeds, of which the first are taken. There may be none.
    """
    names = agents_of(rows) if agents is None else list(agents)
    scores = {(a, s): seeds_of(rows, a, s) for a in names for s in sets_of(rows)}
    sets = [s for s in sets_of(rows) if all(len(scores[a, s]) >= runs for a in names)]
    if not sets:
        return {}, []
    return {a: np.array([scores[a, s][:runs] for s in sets], float).T for a in names}, sets


def blocks(rows: Sequence[Row]) -> dict[str, tuple[dict[str, np.ndarray], list[str]]]:
    """Every comparison that a table allows, by what it is in words; the most entries first.

    Agents that share no set with the others are left out one by one, those with the fewest first.
    """
    found, fewest = {}, min(2, len(agents_of(rows)))  # one alone is compared with nothing
    taken: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
    for runs in range(most_seeds(rows), 0, -1):
        counts = {
            a: sum(len(seeds_of(rows, a, s)) >= runs for s in sets_of(rows))
            for a in agents_of(rows)
        }
        names = sorted((a for a in counts if counts[a]), key=lambda a: -counts[a])
        tried: set[tuple[str, ...]] = set()
        for group in [names[:last] for last in range(len(names), fewest - 1, -1)]:
            chosen = [a for a in agents_of(rows) if a in group]
            scores, sets = block(rows, runs, chosen)
            what = tuple(chosen), tuple(sets)
            if not sets or what in taken or what[1] in tried:  # with more seeds, or more agents
                continue
            taken.add(what)
            tried.add(what[1])
            words = f"{_count(len(sets), 'set')}, {_count(runs, 'seed')}: {'; '.join(chosen)}"
            found[words] = (scores, sets)

    def size(item: tuple[str, tuple[dict[str, np.ndarray], list[str]]]) -> tuple[int, int]:
        matrices = list(item[1][0].values())
        return sum(matrix.size for matrix in matrices), len(matrices[0])

    return dict(sorted(found.items(), key=size, reverse=True))


def most_seeds(rows: Sequence[Row]) -> int:
    """The largest number of seeds that an agent has on a dataset."""
    return max((len(seeds_of(rows, a, s)) for a in agents_of(rows) for s in sets_of(rows)),
               default=0)  # fmt: skip


def missing(rows: Sequence[Row], agents: Sequence[str], labels: Sequence[str]) -> list[str]:
    """What a table lacks of these agents and datasets, a sentence for each agent that lacks any."""
    told = []
    for agent in agents:
        lacking = [label for label in labels if not seeds_of(rows, agent, label)]
        if len(lacking) == len(labels):
            told.append(f"{agent} is missing altogether.")
        elif lacking:
            told.append(f"{agent} is missing on {', '.join(lacking)}.")
    return told


def by_size(rows: Sequence[Row]) -> dict[str, dict[int, list[float]]]:
    """Scores of every seed by agent and by number of transitions, for the study of data sizes."""
    found: dict[str, dict[int, list[float]]] = {agent: {} for agent in agents_of(rows)}
    for row in sorted(rows, key=lambda row: (row["size"], row["seed"])):
        found[row["candidate"]].setdefault(row["size"], []).append(row["normalized_score"])
    return found


def verdict_panels(
    path: Path, names: Sequence[str]
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Of each dataset and augmentation in a table of the symmetry study, what to draw.

    By how far states were moved, in standard deviations, the error over that of moving the next
    state along, `(sizes,)` each.

    Raises:
        UserError: the file holds something else, or numbers of a `fast` study, which mean nothing.
    """
    panels: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for label, rows in _by(_content(path)["rows"], lambda row: row["dataset"]["label"]).items():
        found = _by(rows, lambda row: row["augmentation"])
        panels[label] = {
            name: (
                np.array([row["displacement"] for row in found[name]]),
                np.array([row["error"] / row["translated_error"] for row in found[name]]),
            )
            for name in names
        }
    return panels


def read_online_rows(path: Path) -> list[Row]:
    """The rows of a table of the control study, of each task, agent and seed the longest run.

    Raises:
        UserError: the file holds something else, or numbers of a `fast` study, which mean nothing.
    """
    return control_table.longest(_content(path)["rows"])


def passport(rows: Sequence[Row]) -> str:
    """What one must know of a table's scores to compare them, in a few sentences.

    Where rows differ, each value is named once.
    """

    def values(of) -> str:
        return ", ".join(dict.fromkeys(str(of(row)) for row in rows))

    updates = sorted({row["num_updates"] for row in rows})
    span = f"{updates[0]:,}" if len(updates) == 1 else f"{updates[0]:,} to {updates[-1]:,}"
    data = ""
    if all("dataset" in row for row in rows):
        data = f"Data: {values(lambda r: r['dataset']['name'])}. "
    smaller = "Networks, batches and plans are smaller than published. "
    return (
        f"{data}{values(lambda r: r['env']['id'])} "
        f"in MuJoCo {values(lambda r: r['env']['mujoco'])}, "
        f"{values(lambda r: len(r['returns']))} episodes from fixed starts, "
        f"{values(lambda r: r['rule'])}; {span} updates. "
        f"{smaller if any(row.get('reduced') for row in rows) else ''}"
        f"Made with JAX {values(lambda r: r['versions']['jax'])} on "
        f"{values(lambda r: r['device'])}, commit {values(lambda r: str(r['commit'])[:7])}."
    )


def _content(path: Path) -> dict[str, Any]:
    from toolkit.studies.table import Table

    content = Table.read(path)
    if content["settings"].get("fast"):
        raise UserError(f"{path} was made with `--fast`, so its numbers mean nothing.")
    return content


def _by(rows: Sequence[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"
