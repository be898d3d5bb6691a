"""`toolkit study prediction`: every dynamics model on every dataset, at an equal budget."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.studies.comparison import WHOLE_WINDOWS, Candidate, Comparison, cell
from toolkit.studies.layout import line
from toolkit.studies.table import Row

MODELS = ("koopman", "gru", "mlp", "transformer", "state-space")

#: What a table compares: numbers of its rows, with their names.
COMPARED = {"state_error": "normalised state error", "reward_error": "squared reward error"}
_PAPER_MODELS = ("mlp", "transformer", "gru", "koopman")
_PAPER_STATE = {
    "hopper-expert": (0.500, 0.060, 0.006, 0.007),
    "hopper-medium-expert": (0.550, 0.063, 0.011, 0.012),
    "hopper-full-replay": (0.880, 0.240, 0.050, 0.070),
    "walker2d-expert": (0.300, 0.130, 0.010, 0.090),
    "walker2d-medium-expert": (1.320, 0.310, 0.190, 0.220),
    "walker2d-full-replay": (4.500, 3.300, 0.850, 0.910),
    "halfcheetah-expert": (2.860, 0.840, 0.280, 0.300),
    "halfcheetah-medium-expert": (0.590, 0.540, 0.501, 0.568),
    "halfcheetah-full-replay": (0.850, 0.930, 0.750, 0.700),
}
_PAPER_REWARD = {
    "hopper-expert": (0.080, 0.030, 0.001, 0.001),
    "hopper-medium-expert": (0.260, 0.046, 0.001, 0.002),
    "hopper-full-replay": (0.400, 0.110, 0.009, 0.012),
    "walker2d-expert": (0.015, 0.004, 0.004, 0.003),
    "walker2d-medium-expert": (0.190, 0.032, 0.009, 0.011),
    "walker2d-full-replay": (0.520, 0.220, 0.080, 0.090),
    "halfcheetah-expert": (0.160, 0.070, 0.045, 0.040),
    "halfcheetah-medium-expert": (0.230, 0.120, 0.050, 0.060),
    "halfcheetah-full-replay": (0.170, 0.110, 0.105, 0.091),
}
#: Errors over 100 steps of arXiv:2306.11941 Tables 1 and 2: D4RL v2, 1M rows, its own budget.
PAPER = {
    number: {task: dict(zip(_PAPER_MODELS, row, strict=True)) for task, row in table.items()}
    for number, table in zip(COMPARED, (_PAPER_STATE, _PAPER_REWARD), strict=True)
}


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
    """Errors of states and rewards, models as columns, mean over seeds; below each set the paper's.

    The paper's figures belong to other data and another budget: they show the order of models.
    """
    labels = list(dict.fromkeys(row["dataset"]["label"] for row in rows))
    models = list(dict.fromkeys(row["candidate"] for row in rows))
    texts = [cell(rows, at, m, number) for number in COMPARED for at in labels for m in models]
    width = max(16, *(len(text) + 2 for text in texts))

    lines = []
    for number, name in COMPARED.items():
        lines += ["", line(f"{name}, 100 steps", models, width)]
        for label in labels:
            lines.append(line(label, [cell(rows, label, m, number) for m in models], width))
            known = PAPER[number].get(paper_task(label) or "")
            if known:
                cells = [f"{known[m]:.3f}" if m in known else "-" for m in models]
                lines.append(line("  paper (D4RL v2, its budget)", cells, width))
    sizes = {row["candidate"]: row["parameters"] for row in rows}
    lines.append(line("parameters", [f"{sizes[m]:,}" for m in models], width))
    return lines


def paper_task(label: str) -> str | None:
    """The set of the paper's tables that a label begins with."""
    return next(
        (task for task in sorted(_PAPER_STATE, key=len)[::-1] if label.startswith(task)), None
    )
