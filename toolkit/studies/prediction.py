"""`toolkit study prediction`: every dynamics model on every dataset, at an equal budget."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.studies.comparison import WHOLE_WINDOWS, Candidate, Comparison, Row, cell

MODELS = ("koopman", "gru", "mlp", "transformer", "state-space")

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
class Prediction(Comparison):
    """Train every dynamics model on every dataset and compare errors over 100 steps.

    All models get the same time or the same number of updates, and have equally many parameters
    (within 10 %). A study that was stopped goes on where it stopped.
    """

    models: tuple[str, ...] = MODELS
    """Which models."""

    def run(self) -> int:
        """Fill the table, row by row, and print it."""
        self.check("models", self.models, MODELS)
        candidates = [
            Candidate(name, name, plenty=WHOLE_WINDOWS if name == "koopman" else {})
            for name in self.models
        ]
        return self.complete(candidates, summary)


def summary(rows: list[Row]) -> list[str]:
    """State errors, models as columns, mean over seeds; below each set the paper's own figures.

    The paper's figures belong to other data and another budget: they show the order of models.
    """
    labels = list(dict.fromkeys(row["dataset"]["label"] for row in rows))
    models = list(dict.fromkeys(row["candidate"] for row in rows))
    width = max(16, *(len(cell(rows, label, m)) + 2 for label in labels for m in models))

    def line(title: str, cells: list[str]) -> str:
        return f"{title:34s}" + "".join(f"{text:>{width}s}" for text in cells)

    lines = ["", line("normalised state error, 100 steps", models)]
    for label in labels:
        lines.append(line(label, [cell(rows, label, m) for m in models]))
        task = paper_task(label)
        if task:
            cells = [f"{PAPER[task][m]:.3f}" if m in PAPER[task] else "-" for m in models]
            lines.append(line("  paper (D4RL v2, its budget)", cells))
    sizes = {row["candidate"]: row["parameters"] for row in rows}
    lines.append(line("parameters", [f"{sizes[m]:,}" for m in models]))
    return lines


def paper_task(label: str) -> str | None:
    """The set of the paper's tables that a label begins with."""
    return next((task for task in sorted(PAPER, key=len)[::-1] if label.startswith(task)), None)
