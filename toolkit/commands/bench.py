"""`toolkit bench NAME` for models and explorers: measured ratios, printed and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.commands.bench_output import check_at_least_1, check_numbers, write
from toolkit.commands.output import check_folder, write_report
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.bench.timing import Row


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
        from toolkit.bench.timing import report

        check_at_least_1(self, "repetitions", "batch", "modes")
        check_numbers(self, "horizons")
        check_folder(self.json)

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
class Symmetry:
    """Time symmetry shifts by every generator, against the eigendecomposition of each sample."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 20
    """Interleaved repetitions of each case."""
    batch: int = 256
    """Transitions at once."""
    latent_dim: int = 32
    """Real latent coordinates of either model; even."""

    def run(self) -> int:
        """Print every generator."""
        from toolkit.bench.symmetry import measure

        check_at_least_1(self, "repetitions", "batch")
        if self.latent_dim < 2 or self.latent_dim % 2:
            raise UserError(f"`latent_dim` must be even, from 2 on, got {self.latent_dim}.")
        check_folder(self.json)
        measured = measure(
            batch=self.batch, latent_dim=self.latent_dim, repetitions=self.repetitions
        )
        for row in measured:
            print(
                f"{row.case:38s} {self.batch / row.seconds:12,.0f} transitions/s  "
                f"{row.ratio:7.2f} × {row.reference}"
            )
        write(self.json, measured, "ratio: times as fast as the reference")
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

        check_at_least_1(self, "repetitions", "batch")
        check_numbers(self, "lengths")
        check_folder(self.json)

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


@dataclass(frozen=True)
class Explorers:
    """Run the notebooks, work every control of their explorers, and time the kernel's answers."""

    json: Path | None = None
    """Also write the measurements to this file."""
    notebooks: Path | None = None
    """Folder of the notebooks; without it, the source tree's."""
    only: tuple[str, ...] = ()
    """Beginnings of the names of those to run; without any, all of them."""
    full: bool = False
    """Train as long as a reader would, not in fast mode."""

    def run(self) -> int:
        """Print each notebook as soon as it is measured."""
        from toolkit.bench.explorers import measure, summary
        from toolkit.commands.lab import find_notebooks, require

        require("nbclient")
        check_folder(self.json)
        paths = sorted(find_notebooks(self.notebooks).glob("*.ipynb"))
        chosen = [p for p in paths if not self.only or p.name.startswith(self.only)]
        if not chosen:
            raise UserError(
                f"`only` must name the beginning of a notebook's name, got {self.only}."
            )

        def show(rows: list[Row]) -> None:
            for row in rows:
                limit = f"limit {1000 * row.reference_seconds:.0f} ms"
                print(f"{row.case:90s} {1000 * row.seconds:8.1f} ms  {limit}", flush=True)

        measured = measure(chosen, fast=not self.full, on_rows=show)
        print(summary(measured))
        write(self.json, measured, "ratio: share of the limit, of the slowest place of a control")
        return 0
