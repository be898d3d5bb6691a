"""Dynamics models side by side on datasets, at an equal budget: what the studies share."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.studies.table import Row, Table, described, identity

_CALIBRATION_UPDATES = 10
_CALIBRATION_ROUNDS = 5

#: Data with at least so many transitions are called plenty.
PLENTY = 100_000
#: One pass over whole windows: with plenty of data more accurate than pieces, and faster.
WHOLE_WINDOWS = {"reencode_every": 0, "decoded_steps": 10}


@dataclass(frozen=True)
class Candidate:
    """A dynamics model of the registry with options, under the name that its rows carry.

    `plenty` are further options, for data with at least `PLENTY` transitions.
    """

    name: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    plenty: dict[str, Any] = field(default_factory=dict)

    def options_for(self, num_transitions: int) -> dict[str, Any]:
        """The options on data of this size."""
        return (self.plenty if num_transitions >= PLENTY else {}) | self.options

    def learner(self, num_transitions: int) -> Any:
        """The learner for data of this size."""
        from toolkit.registry import find_model

        return find_model(self.model).load()(**self.options_for(num_transitions))


@dataclass(frozen=True)
class Budget:
    """What every candidate gets: a time of training, or a number of updates.

    A time is turned into updates once per table and per size of the data, from speeds measured
    with the candidates taking turns; what else the machine does while they train then changes
    how long the study takes, and no result.
    """

    seconds: float | None
    num_updates: int | None
    max_windows: int

    @classmethod
    def of(cls, seconds: float | None, num_updates: int | None, max_windows: int) -> Budget:
        """The budget that a user asked for.

        Raises:
            UserError: neither or both were given, or one is not positive.
        """
        if (seconds is None) == (num_updates is None):
            raise UserError("`seconds` or `num_updates` must say the budget, and not both.")
        named = {"seconds": seconds, "num_updates": num_updates, "max_windows": max_windows}
        for name, value in named.items():
            if value is not None and not value > 0:
                raise UserError(f"`{name}` must be positive, got {value}.")
        return cls(seconds, num_updates, max_windows)


#: Of a `fast` study.
FAST = Budget(seconds=None, num_updates=20, max_windows=200)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The settings that comparisons of candidates share, and how their table is completed.

    A study that was stopped goes on where it stopped.
    """

    data: tuple[str, ...]
    """Datasets: files, or names from `toolkit data list`."""
    out: Path
    """The table, as JSON."""
    seeds: str = "0"
    """Seeds joined by commas, each trained by itself."""
    seconds: float | None = None
    """Time of training per candidate and seed, without compiling; the budget unless updates are."""
    num_updates: int | None = None
    """Updates per candidate and seed, in place of a time."""
    max_windows: int = 50_000
    """Test windows of 100 steps, at most."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def check(self, argument: str, names: Sequence[str], known: Sequence[str]) -> None:
        """Refuse a study of no data, or of names that it does not know.

        Raises:
            UserError: as said.
        """
        if not self.data:
            raise UserError("`data` must name at least one dataset.")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise UserError(f"`{argument}` must be of {', '.join(known)}, got {unknown[0]!r}.")

    def complete(
        self, candidates: Sequence[Candidate], summary: Callable[[list[Row]], list[str]]
    ) -> int:
        """Fill the table, row by row, and print it.

        Raises:
            UserError: the budget is wrong, a dataset cannot be read, or the table is another's.
        """
        from toolkit.training.config import parse_seeds

        budget = FAST
        if not self.fast:
            budget = Budget.of(self.seconds, self.num_updates, self.max_windows)
        table = Table(self.out, asdict(budget))
        table.check_data(self.data)
        fill(
            table, candidates, self.data, parse_seeds(self.seeds), budget,
            on_row=lambda row: print(told(row), flush=True),
        )  # fmt: skip
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0


def fill(
    table: Table,
    candidates: Sequence[Candidate],
    data: Sequence[str],
    seeds: Sequence[int],
    budget: Budget,
    on_row: Callable[[Row], None] = lambda row: None,
) -> None:
    """Add the rows that the table lacks, seed after seed, so that early rows cover all data.

    Raises:
        UserError: a dataset cannot be read, or an option does not fit.
    """
    for seed in seeds:
        for where in data:
            label, updates = Path(where).stem, None
            for candidate in candidates:
                # asked each time: another process may have added it
                if (label, candidate.name, seed) in {identity(row) for row in table.rows}:
                    continue
                updates = updates or _updates(table, candidates, where, budget)
                row = train_and_measure(
                    candidate, where, seed, updates[candidate.name], budget.max_windows
                )
                table.rows.append(row)
                table.save()
                on_row(row)


def train_and_measure(
    candidate: Candidate, data: str, seed: int, num_updates: int, max_windows: int
) -> Row:
    """Train one candidate with one seed, and measure it on the held-out episodes."""
    from toolkit.evaluation import TrainedDynamics, prediction_errors
    from toolkit.nn import num_parameters
    from toolkit.training import select_seed, train
    from toolkit.training.run import provenance

    experiment = _experiment(candidate, data, seed, num_updates)
    state, began = experiment.init(), None
    chunks = train(
        experiment.learner, state, experiment.sampler, seeds=(seed,), num_updates=num_updates,
        chunk_updates=min(50, num_updates),
    )  # fmt: skip
    for state, _ in chunks:  # noqa: B007 - the last one is evaluated
        began = began or time.monotonic()  # the first chunk includes compiling
    trained = TrainedDynamics(select_seed(state, 0).model, experiment.normaliser)
    seconds = time.monotonic() - (began or time.monotonic())
    errors = prediction_errors(trained, experiment.test, max_windows=max_windows)
    return {
        "dataset": described(experiment, data),
        "candidate": candidate.name,
        "model": candidate.model,
        "options": candidate.options_for(experiment.config.data.num_transitions),
        "seed": seed,
        "parameters": num_parameters(trained.model),
        "num_updates": num_updates,
        "seconds_after_first_chunk": round(seconds, 2),
        "num_test_windows": errors.num_windows,
        "state_error": float(errors.state.mean()),
        "state_error_raw": float(errors.state_raw.mean()),
        "state_error_vs_persistence": errors.state_vs_persistence,
        "reward_error": float(errors.reward.mean()),
        "state_error_by_horizon": [float(f"{e:.4g}") for e in errors.state],
        "persistence_by_horizon": [float(f"{e:.4g}") for e in errors.persistence],
        **provenance(),
    }


def _experiment(candidate: Candidate, data: str, seed: int, num_updates: int) -> Any:
    """The candidate prepared on the data, with the options that their size asks for."""
    from toolkit.data import load
    from toolkit.training.experiment import prepare

    dataset = load(data)
    learner = candidate.learner(dataset.num_transitions)
    learner = dataclasses.replace(learner, num_updates=num_updates)
    return prepare(candidate.model, learner, data, seeds=(seed,), dataset=dataset)


def _updates(
    table: Table, candidates: Sequence[Candidate], data: str, budget: Budget
) -> dict[str, int]:
    """Each candidate's number of updates on data of this size."""
    if budget.seconds is None:
        assert budget.num_updates is not None
        return dict.fromkeys((c.name for c in candidates), budget.num_updates)
    speeds = _speeds(table, candidates, data)
    return {c.name: max(20, round(budget.seconds * speeds[c.name])) for c in candidates}


def _speeds(table: Table, candidates: Sequence[Candidate], data: str) -> dict[str, float]:
    """Updates per second of each candidate, measured where the table does not say it yet.

    New candidates are measured beside one that the table knows, and their speed is told on its
    scale: another day, or a busy machine, gives them no other budget.
    """
    from toolkit.data import load

    size = load(data)
    plenty = ", plenty" if size.num_transitions >= PLENTY else ""
    known = table.speeds.setdefault(f"{size.obs_dim} + {size.action_dim} numbers{plenty}", {})
    missing = [c for c in candidates if c.name not in known]
    if missing:
        beside = [c for c in candidates if c.name in known][:1]
        measured = measure_speeds([*beside, *missing], data)
        scale = known[beside[0].name] / measured[beside[0].name] if beside else 1.0
        known |= {c.name: round(scale * measured[c.name], 4) for c in missing}
        table.save()
    return known


def measure_speeds(candidates: Sequence[Candidate], data: str) -> dict[str, float]:
    """Updates per second on one seed, compiling aside, the candidates taking turns."""
    from toolkit.bench.timing import interleaved
    from toolkit.training import train

    endless, cases = 10**6, {}
    for candidate in candidates:
        experiment = _experiment(candidate, data, 0, endless)
        chunks = train(
            experiment.learner, experiment.init(), experiment.sampler, seeds=(0,),
            num_updates=endless, chunk_updates=_CALIBRATION_UPDATES,
        )  # fmt: skip
        cases[candidate.name] = lambda chunks=chunks: next(chunks)[1]
    seconds = interleaved(cases, _CALIBRATION_ROUNDS)
    return {name: _CALIBRATION_UPDATES / float(np.median(times)) for name, times in seconds.items()}


def told(row: Row) -> str:
    """A row in one line."""
    return (
        f"{row['dataset']['label']:28s} {row['candidate']:22s} seed {row['seed']}  "
        f"{row['num_updates']:6d} updates  state {row['state_error']:.4g} "
        f"({row['state_error_vs_persistence']:.2%} of persistence)  "
        f"reward {row['reward_error']:.4g}"
    )


def cell(rows: Sequence[Row], label: str, candidate: str, number: str = "state_error") -> str:
    """Mean over seeds, with the standard deviation where there are several; `-` without rows."""
    found = [row[number] for row in rows if identity(row)[:2] == (label, candidate)]
    if not found:
        return "-"
    spread = f" ± {np.std(found, ddof=1):.1g}" if len(found) > 1 else ""
    return f"{np.mean(found):.3g}{spread}"
