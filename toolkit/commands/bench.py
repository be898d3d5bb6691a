"""`toolkit bench NAME`: measured ratios, printed and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.output import write_report
from toolkit.errors import UserError


@dataclass(frozen=True)
class Propagation:
    """Time the latent recurrence in all its forms, as multiples of one pass over the array."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 20
    """Interleaved repetitions of each case."""
    horizons: tuple[int, ...] = (10, 100, 500, 2000)
    """Lengths of the recurrence."""
    batch: int = 256
    """Trajectories at once."""
    modes: int = 256
    """Complex modes."""

    def run(self) -> int:
        """Print each horizon as soon as it is measured."""
        from toolkit.bench.propagation import measure
        from toolkit.bench.timing import Row, report

        for name in ("repetitions", "batch", "modes"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if not self.horizons or min(self.horizons) < 1:
            raise UserError(f"`horizons` must be numbers from 1 on, got {self.horizons}.")
        if self.json and not self.json.parent.is_dir():
            raise UserError(f"`json` must lie in an existing folder, got {self.json}.")

        def show(rows: list[Row]) -> None:
            print(f"{rows[0].reference:42s} {1000 * rows[0].reference_seconds:10.2f} ms")
            for row in rows:
                print(f"{row.case:42s} {1000 * row.seconds:10.2f} ms  ratio {row.ratio:6.2f}")

        measured, notes = measure(
            self.horizons, batch=self.batch, modes=self.modes, repetitions=self.repetitions,
            on_horizon=show,
        )  # fmt: skip
        print("\n".join(notes))
        if self.json:
            write_report(self.json, report(measured, notes))
        return 0


@dataclass(frozen=True)
class Agents:
    """Time an agent's updates against their matrix products alone: SAC, at its usual sizes."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 20
    """Interleaved repetitions of each case."""

    def run(self) -> int:
        """Print each case as soon as it is measured."""
        from toolkit.bench.agents import measure
        from toolkit.bench.timing import Row, report

        if self.repetitions < 1:
            raise UserError(f"`repetitions` must be at least 1, got {self.repetitions}.")
        if self.json and not self.json.parent.is_dir():
            raise UserError(f"`json` must lie in an existing folder, got {self.json}.")

        def show(rows: list[Row]) -> None:
            for row in rows:
                print(
                    f"{row.case:32s} {1 / row.seconds:8.0f} updates/s, "
                    f"{row.ratio:.0%} of the matrix-product rate"
                )

        measured = measure(repetitions=self.repetitions, on_rows=show)
        if self.json:
            write_report(self.json, report(measured, ["ratio: share of the reference's rate"]))
        return 0


@dataclass(frozen=True)
class Dynamics:
    """Time one training update of every dynamics model at equal parameter counts."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 10
    """Interleaved repetitions of each case."""
    lengths: tuple[int, ...] = (10, 50, 100, 200, 500)
    """Lengths of the windows."""
    batch: int = 256
    """Windows per update."""

    def run(self) -> int:
        """Print each length as soon as it is measured."""
        from toolkit.bench.dynamics import Speed, measure, rows
        from toolkit.bench.timing import report

        for name in ("repetitions", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        if not self.lengths or min(self.lengths) < 1:
            raise UserError(f"`lengths` must be numbers from 1 on, got {self.lengths}.")
        if self.json and not self.json.parent.is_dir():
            raise UserError(f"`json` must lie in an existing folder, got {self.json}.")

        def show(speeds: list[Speed]) -> None:
            seconds = {s.case.split("/")[1]: s.seconds for s in speeds}
            for s in speeds:
                times = s.seconds / seconds["koopman"]
                print(
                    f"{s.case:36s} {s.updates_per_second:8.2f} updates/s  "
                    f"{times:5.2f} × koopman's time  {s.share_of_matrix_rate:4.0%} of the "
                    f"matrix-product rate  {s.parameters:,} parameters"
                )

        measured = measure(
            self.lengths, batch=self.batch, repetitions=self.repetitions, on_length=show
        )
        if self.json:
            notes = [f"{s.case}: {s.parameters} parameters" for s in measured]
            write_report(self.json, report(rows(measured), notes))
        return 0
