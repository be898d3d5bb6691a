"""How the spectrum starts: the ablation of arXiv:2306.11941 App. G, on a dataset of one's own."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.studies.table import Table

#: The four schemes of App. G, as (real part, imaginary part); `bounded` is its "learnable".
SCHEMES = tuple(itertools.product(("constant", "bounded"), ("increasing", "random")))


@dataclass(frozen=True, kw_only=True)
class Initialisation:
    """Train the Koopman model from each of the four initialisations of App. G.

    Everything else is the default of `toolkit train koopman`, except that the prediction is not
    re-encoded, so that the spectrum alone carries the whole horizon. A study that was stopped
    goes on where it stopped.
    """

    data: str
    """Dataset: a file, or a name from `toolkit data list`."""
    out: Path
    """The table, as JSON."""
    seeds: str = "0,1,2"
    """Seeds joined by commas, trained in one program."""
    num_updates: int = 600
    """Updates of each run."""
    modes: int = 256
    """Complex latent coordinates."""
    horizon: int = 100
    """Length of the training and test windows, in environment steps."""

    def run(self) -> int:
        """Fill the table, one scheme after the other, and print it."""
        table = self._table()
        for real_part, imag_part in SCHEMES:
            if any(_scheme(row) == (real_part, imag_part) for row in table.rows):
                continue
            table.content["rows"] += self._rows(real_part, imag_part)
            table.save()
        for line in summary(table.rows):
            print(line)
        print(f"The table is in {self.out}.")
        return 0

    def _table(self) -> Table:
        """The table so far: an earlier one if it was made with the same settings."""
        from toolkit.data import load
        from toolkit.training.run import provenance

        source = load(self.data).source
        settings = {"dataset": source.name, "sha256": source.sha256, "seeds": self.seeds}
        settings |= {name: getattr(self, name) for name in ("num_updates", "modes", "horizon")}
        table = Table(self.out, settings)
        table.content.setdefault("passport", provenance())
        return table

    def _rows(self, real_part: str, imag_part: str) -> list[dict[str, Any]]:
        """One row per seed: train, then measure on the held-out episodes."""
        from toolkit.evaluation import TrainedDynamics, prediction_errors
        from toolkit.spectral import Koopman
        from toolkit.training import select_seed, train
        from toolkit.training.config import parse_seeds
        from toolkit.training.experiment import prepare

        learner = dataclasses.replace(
            Koopman(), modes=self.modes, horizon=self.horizon, num_updates=self.num_updates,
            reencode_every=0, real_part=real_part, imag_part=imag_part,
        )  # fmt: skip
        seeds = parse_seeds(self.seeds)
        experiment = prepare("koopman", learner, self.data, seeds=seeds)
        state = experiment.init()
        updates = train(
            learner, state, experiment.sampler, seeds=seeds, num_updates=self.num_updates
        )
        for state, _ in updates:
            print(f"{real_part}, {imag_part}: update {int(state.update_count[0])}", flush=True)
        rows = []
        for index, seed in enumerate(seeds):
            trained = TrainedDynamics(select_seed(state, index).model, experiment.normaliser)
            errors = prediction_errors(trained, experiment.test, horizon=self.horizon)
            rows.append({
                "real_part": real_part,
                "imag_part": imag_part,
                "scheme": f"{real_part}, {imag_part}",
                "dataset": experiment.config.data.name,
                "seed": seed,
                "error": float(errors.state.mean()),
                "state_error_vs_persistence": errors.state_vs_persistence,
                "reward_error": float(errors.reward.mean()),
            })  # fmt: skip
        return rows


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """One line per scheme: mean and range of the error over seeds."""
    lines = []
    for scheme in SCHEMES:
        errors = [row["state_error_vs_persistence"] for row in rows if _scheme(row) == scheme]
        mean = sum(errors) / len(errors)
        lines.append(
            f"{', '.join(scheme):22s} {mean:8.2%} of persistence's error "
            f"({min(errors):.2%} to {max(errors):.2%}, {len(errors)} seeds)"
        )
    return lines


def _scheme(row: dict[str, Any]) -> tuple[str, str]:
    return row["real_part"], row["imag_part"]
