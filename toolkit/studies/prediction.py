"""`toolkit study prediction`: every dynamics model on every dataset, at an equal budget."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError

FORMAT = 1
MODELS = ("koopman", "gru", "mlp", "transformer", "state-space")
FAST = {"num_updates": 20, "max_windows": 200}

#: State error over 100 steps of arXiv:2306.11941 Table 1: D4RL v2, 1M rows, its own budget.
PAPER = {
    "hopper-expert": {"mlp": 0.500, "transformer": 0.060, "gru": 0.006, "koopman": 0.007},
    "hopper-medium-expert": {"mlp": 0.550, "transformer": 0.063, "gru": 0.011, "koopman": 0.012},
    "hopper-full-replay": {"mlp": 0.880, "transformer": 0.240, "gru": 0.050, "koopman": 0.070},
    "walker2d-expert": {"mlp": 0.300, "transformer": 0.130, "gru": 0.010, "koopman": 0.090},
    "walker2d-medium-expert": {"mlp": 1.320, "transformer": 0.310, "gru": 0.190, "koopman": 0.220},
    "walker2d-full-replay": {"mlp": 4.500, "transformer": 3.300, "gru": 0.850, "koopman": 0.910},
    "halfcheetah-expert": {"mlp": 2.860, "transformer": 0.840, "gru": 0.280, "koopman": 0.300},
    "halfcheetah-medium-expert": {
        "mlp": 0.590, "transformer": 0.540, "gru": 0.501, "koopman": 0.568,
    },
    "halfcheetah-full-replay": {
        "mlp": 0.850, "transformer": 0.930, "gru": 0.750, "koopman": 0.700,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Train every dynamics model on every dataset and compare errors over 100 steps.

    All models get the same time or the same number of updates, and have equally many parameters
    (within 10 %). A study that was stopped goes on where it stopped.
    """

    data: tuple[str, ...]
    """Datasets: files, or names from `toolkit data list`."""
    out: Path
    """The table, as JSON."""
    models: tuple[str, ...] = MODELS
    """Which models."""
    seeds: str = "0"
    """Seeds joined by commas, each trained by itself."""
    seconds: float | None = None
    """Time of training per model and seed, without compiling; the budget unless updates are."""
    num_updates: int | None = None
    """Updates per model and seed, in place of a time."""
    max_windows: int = 50_000
    """Test windows of 100 steps, at most."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def run(self) -> int:
        """Fill the table, row by row, and print it."""
        from toolkit.training.checkpoint import write_atomically
        from toolkit.training.config import parse_seeds

        self._check()
        table = self._table()
        done = {_identity(row) for row in table["rows"]}
        for data in self.data:
            for model in self.models:
                for seed in parse_seeds(self.seeds):
                    if (Path(data).stem, model, seed) in done:
                        continue
                    row = self._row(data, model, seed)
                    print(_line(row), flush=True)
                    table["rows"].append(row)
                    write_atomically(self.out, json.dumps(table, indent=1).encode())
        print(*summary(table["rows"]), sep="\n")
        print(f"The table is in {self.out}.")
        return 0

    def _check(self) -> None:
        if not self.data:
            raise UserError("`data` must name at least one dataset.")
        unknown = [name for name in self.models if name not in MODELS]
        if unknown:
            raise UserError(f"`models` must be of {', '.join(MODELS)}, got {unknown[0]!r}.")
        if self.fast:
            return
        if (self.seconds is None) == (self.num_updates is None):
            raise UserError("`seconds` or `num_updates` must say the budget, and not both.")
        for name in ("seconds", "num_updates"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"`{name}` must be positive, got {value}.")

    def _table(self) -> dict[str, Any]:
        settings = {
            "seconds": None if self.fast else self.seconds,
            "num_updates": FAST["num_updates"] if self.fast else self.num_updates,
            "max_windows": FAST["max_windows"] if self.fast else self.max_windows,
        }
        fresh = {"format": FORMAT, "settings": settings, "rows": []}
        if not self.out.exists():
            return fresh
        try:
            stored = json.loads(self.out.read_text())
        except (OSError, ValueError) as error:
            raise UserError(f"{self.out} is not a table of this study.") from error
        if stored.get("settings") != settings:
            raise UserError(f"{self.out} holds a study with other settings; choose another `out`.")
        return stored

    def _row(self, data: str, model: str, seed: int) -> dict[str, Any]:
        """Train one model with one seed, and measure it on the held-out episodes."""
        from toolkit.evaluation import TrainedDynamics, prediction_errors
        from toolkit.nn import num_parameters
        from toolkit.registry import find_model
        from toolkit.training import select_seed, train
        from toolkit.training.config import hyperparameters_of
        from toolkit.training.experiment import prepare
        from toolkit.training.run import provenance

        learner = find_model(model).load()()
        experiment = prepare(model, learner, data, seeds=(seed,))
        updates = FAST["num_updates"] if self.fast else self.num_updates
        if updates is None:
            assert self.seconds is not None
            updates = _updates_in(self.seconds, experiment)
        learner = dataclasses.replace(learner, num_updates=updates)
        state, began = experiment.init(), None
        chunks = train(
            learner, state, experiment.sampler, seeds=(seed,), num_updates=updates,
            chunk_updates=min(50, updates),
        )  # fmt: skip
        for state, _ in chunks:  # noqa: B007 - the last one is evaluated
            began = began or time.monotonic()  # the first chunk includes compiling
        trained = TrainedDynamics(select_seed(state, 0).model, experiment.normaliser)
        seconds = time.monotonic() - (began or time.monotonic())
        windows = FAST["max_windows"] if self.fast else self.max_windows
        errors = prediction_errors(trained, experiment.test, max_windows=windows)
        record = experiment.config.data
        return {
            "dataset": {
                "label": Path(data).stem, "name": record.name, "sha256": record.sha256,
                "num_transitions": record.num_transitions,
            },
            "model": model,
            "seed": seed,
            "parameters": num_parameters(trained.model),
            "num_updates": updates,
            "seconds_after_first_chunk": round(seconds, 2),
            "num_test_windows": errors.num_windows,
            "state_error": float(errors.state.mean()),
            "state_error_raw": float(errors.state_raw.mean()),
            "state_error_vs_persistence": errors.state_vs_persistence,
            "reward_error": float(errors.reward.mean()),
            "state_error_by_horizon": [round(float(e), 6) for e in errors.state],
            "hyperparameters": hyperparameters_of(learner),
            **provenance(),
        }  # fmt: skip


def _updates_in(seconds: float, experiment: Any) -> int:
    """How many updates this machine makes in a time, measured on a few; at least 20."""
    from toolkit.training import train

    few, clock = 20, []
    chunks = train(
        experiment.learner, experiment.init(), experiment.sampler, seeds=experiment.config.seeds,
        num_updates=3 * few, chunk_updates=few,
    )  # fmt: skip
    for _ in chunks:
        clock.append(time.monotonic())
    return max(few, round(seconds * 2 * few / (clock[-1] - clock[0])))


def _identity(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["dataset"]["label"], row["model"], row["seed"]


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['dataset']['label']:28s} {row['model']:12s} seed {row['seed']}  "
        f"{row['num_updates']:6d} updates  state {row['state_error']:.4g} "
        f"({row['state_error_vs_persistence']:.2%} of persistence)  "
        f"reward {row['reward_error']:.4g}"
    )


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """State errors, models as columns, mean over seeds; below each set the paper's own figures.

    The paper's figures belong to other data and another budget: they show the order of models.
    """
    labels = list(dict.fromkeys(row["dataset"]["label"] for row in rows))
    models = list(dict.fromkeys(row["model"] for row in rows))
    head = f"{'normalised state error, 100 steps':34s}" + "".join(f"{m:>13s}" for m in models)
    lines = ["", head]
    for label in labels:
        found = [[r["state_error"] for r in rows if _identity(r)[:2] == (label, m)] for m in models]
        cells = (f"{sum(errors) / len(errors):13.4g}" if errors else f"{'-':>13s}"
                 for errors in found)  # fmt: skip
        lines.append(f"{label:34s}" + "".join(cells))
        task = next((task for task in sorted(PAPER, key=len)[::-1] if label.startswith(task)), None)
        if task:
            cells = (f"{PAPER[task][m]:13.3f}" if m in PAPER[task] else f"{'-':>13s}"
                     for m in models)  # fmt: skip
            lines.append(f"{'  paper (D4RL v2, its budget)':34s}" + "".join(cells))
    return lines
