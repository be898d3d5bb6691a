"""`toolkit study data-size`: offline agents on growing parts of one dataset, scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.studies.layout import Grid, line
from toolkit.studies.score_table import budget_cell, longest, score_cell
from toolkit.studies.small_data import AgentStudy
from toolkit.studies.table import Row, Table

SIZES = (5_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
FAST_SIZES = (500, 1_000)


@dataclass(frozen=True, kw_only=True)
class DataSize(AgentStudy):
    """Train offline agents on growing parts of one dataset, and score their last policies.

    Parts are whole episodes, and a smaller part lies within every larger one. Each seed draws its
    own parts, so that the spread over seeds holds the luck of the draw as well as that of the
    training. A study that was stopped goes on where it stopped, in the middle of a training too;
    a later call may add agents, sizes, seeds or longer runs to the same table.
    """

    data: str
    """The dataset that parts are drawn from: a file, or a name from `toolkit data list`."""
    runs: Path = Path("runs/data-size")
    """Folder of the parts and of the runs."""
    agents: tuple[str, ...] = ("bc", "td3-bc", "tsrl")
    """Which agents: names of the candidates of `small-data`."""
    sizes: tuple[int, ...] = SIZES
    """Transitions of each part, to within an episode."""

    def run(self) -> int:
        """Fill the table, run by run, and print it."""
        from toolkit.data import load
        from toolkit.training.config import DataRecord, parse_seeds

        effort, seeds = self.effort(), parse_seeds(self.seeds)
        sizes = FAST_SIZES if self.fast else self.sizes
        whole = load(self.data)
        check_sizes(sizes, whole.num_transitions)
        record = DataRecord.of(whole, self.data)
        of = {
            "name": record.name,
            "sha256": record.sha256,
            "num_transitions": whole.num_transitions,
        }
        settings = {"num_episodes": effort.num_episodes, "fast": self.fast, "whole": of}
        table = Table(self.out, settings)
        for seed in seeds:
            for size in sizes:
                where = self.part(whole, size, seed)
                for name in self.agents:
                    self.complete(
                        table, where, name, (seed,), runs=self.folder(whole),
                        about={"size": size, "draw": seed},
                    )  # fmt: skip
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0

    def folder(self, whole: Any) -> Path:
        """Where the parts of these very data lie, and the runs on them."""
        return self.runs / (whole.source.sha256 or "unknown")[:12]

    def part(self, whole: Any, size: int, seed: int) -> str:
        """The file that holds a part, written if it is not there; of everything, `data` itself."""
        from toolkit.data.subsampling import subsample_episodes
        from toolkit.data.writing import write_d4rl

        if size == whole.num_transitions:
            return self.data
        path = self.folder(whole) / f"{Path(self.data).stem}-{size}-draw-{seed}.hdf5"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_d4rl(path, subsample_episodes(whole, num_transitions=size, seed=seed))
        return str(path)


def check_sizes(sizes: Sequence[int], available: int) -> None:
    """Refuse parts that the dataset does not have.

    Raises:
        UserError: there is no size, or one is not between 1 and all rows.
    """
    if not sizes:
        raise UserError("`sizes` must hold at least one number of transitions.")
    wrong = [size for size in sizes if not 1 <= size <= available]
    if wrong:
        raise UserError(
            f"`sizes` must lie in 1..{available}, the transitions of `data`, got {wrong[0]}."
        )


def summary(rows: Sequence[Row]) -> list[str]:
    """Scores, sizes as columns, mean ± deviation over seeds and the updates behind them."""
    grid = Grid(longest(rows), lambda row: row["size"])
    sizes = sorted(grid.places)
    lines = ["", line("transitions", [f"{size:,d}" for size in sizes], 20, 28)]
    for agent in grid.candidates:
        cells = [grid[size, agent] for size in sizes]
        lines.append(line(agent, [score_cell(cell) for cell in cells], 20, 28))
        budgets = [budget_cell(cell) for cell in cells]
        lines.append(line("  seeds × updates", budgets, 20, 28))
    return lines
