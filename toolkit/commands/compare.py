"""`toolkit compare RUN_DIR RUN_DIR ...`: a table with intervals, and whether it means anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from toolkit.commands.output import plus_minus, table
from toolkit.errors import UserError


@dataclass(frozen=True)
class Compare:
    """Compare runs: mean, IQM and 95 % interval of a metric, and whether they may be compared."""

    run_dirs: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN_DIR ...")
    ]
    """Folders of at least two runs that were evaluated."""
    metric: str | None = None
    """A metric with one number per seed; without it, the main one that all runs have."""

    def run(self) -> int:
        """Print the table; 1 if the runs may not be compared."""
        from toolkit.evaluation.compare import (
            aggregate,
            by_task,
            default_metric,
            over_tasks,
            verdict,
        )

        if len(self.run_dirs) < 2 or len(set(self.run_dirs)) != len(self.run_dirs):
            raise UserError(
                f"`RUN_DIR` must be two or more different folders, got {len(self.run_dirs)}: "
                f"{', '.join(map(str, self.run_dirs)) or 'none'}."
            )
        results = {str(folder): _read(folder) for folder in self.run_dirs}
        metric = self.metric or default_metric(results)
        lines = [aggregate(label, result, metric) for label, result in results.items()]
        tasks = by_task(results)
        print(f"{metric}\n\n{_show('run', lines)}\n")
        if len(tasks) > 1:
            together = over_tasks(tasks, metric)
            unequal = "not aggregated: the runs have different numbers of seeds"
            print(
                f"over {len(tasks)} datasets\n\n"
                f"{_show('model', together) if together else unequal}\n"
            )
        verdicts = dict.fromkeys(verdict(task) for task in tasks)
        print("\n".join(text for _, text in verdicts))
        return 0 if all(good for good, _ in verdicts) else 1


def _read(folder: Path) -> dict[str, Any]:
    from toolkit.training.run import read_json

    path = folder / "result.json"
    if not path.is_file():
        raise UserError(
            f"{folder}: expected an evaluated run, but it has no result.json; "
            f"`toolkit evaluate {folder}` writes it."
        )
    return read_json(path)


def _show(what: str, lines: list[Any]) -> str:
    head = (what, "seeds", "mean", "IQM", "95 % interval")
    return table([head, *(
        (line.label, str(line.num_seeds), plus_minus(line.mean, line.std, line.num_seeds),
         f"{line.iqm:.4g}", f"[{line.low:.4g}, {line.high:.4g}]")
        for line in lines
    )])  # fmt: skip
