"""`toolkit evaluate RUN_DIR`: prediction errors of a run, by horizon and beside the floors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from toolkit.commands.output import plus_minus, table, write_report

_STEPS = (1, 10, 25, 50, 100)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run on its held-out episodes, or on another dataset, and write result.json."""

    run_dir: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run."""
    data: str | None = None
    """Another dataset to evaluate on, whole: a file or a name."""
    horizon: int = 100
    """Steps predicted from each start."""
    reencode_every: int | None = None
    """Encode the prediction again after so many steps, 0 never; without it, as in training."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        """Print the table."""
        from toolkit.evaluation.scores import evaluate, load_test_data, write_result
        from toolkit.training.run import Run

        run = Run.open(self.run_dir)
        test = load_test_data(self.data) if self.data else None
        evaluation = evaluate(run, test, horizon=self.horizon, reencode_every=self.reencode_every)
        result = write_result(run, evaluation)
        print(report(result))
        if self.json:
            write_report(self.json, result)
        return 0


def report(result: dict[str, Any]) -> str:
    """The scores of a `result.json` in words and a table."""
    score, metrics, seeds = result["score"], result["metrics"], len(result["seeds"])
    share, reward = metrics["state_error_vs_persistence"], metrics["reward_error"]
    return "\n".join([
        f"{result['model']} on {result['dataset']['name']}: update {result['num_updates']}, "
        f"{seeds} seed{'s' if seeds > 1 else ''}",
        f"tested on {score['num_test_windows']} windows of {score['horizon']} steps in "
        f"{score['num_test_episodes']} episodes of {score['test_data']['name']}",
        "",
        table([_HEAD, *(_row(metrics, step, seeds) for step in _steps(score["horizon"]))]),
        "",
        f"state error, share of persistence's, all steps: "
        f"{plus_minus(share['mean'], share['std'], seeds)}",
        f"reward error, all steps: {plus_minus(reward['mean'], reward['std'], seeds)}",
        f"updates per second: {metrics['updates_per_second']['mean']:.4g}",
    ])  # fmt: skip


_HEAD = ("steps", "normalised error", "raw error", "persistence", "mean predictor", "ratio")


def _steps(horizon: int) -> list[int]:
    return sorted({step for step in _STEPS if step <= horizon} | {horizon})


def _row(metrics: dict[str, Any], step: int, seeds: int) -> tuple[str, ...]:
    """Errors `step` steps ahead; `ratio` is the model's over persistence's."""

    def at(name: str, part: str = "mean") -> float:
        return metrics[name][part][step - 1]

    error, raw = "state_error_by_horizon", "state_error_raw_by_horizon"
    persistence, mean = at("persistence_error_by_horizon"), at("mean_predictor_error_by_horizon")
    return (
        str(step),
        plus_minus(at(error), at(error, "std"), seeds),
        plus_minus(at(raw), at(raw, "std"), seeds),
        f"{persistence:.4g}",
        f"{mean:.4g}",
        f"{at(error) / persistence:.4g}" if persistence > 0 else "-",
    )
