"""`toolkit bench NAME`: measured ratios, printed and written as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

        _check_at_least_1(self, "repetitions", "batch", "modes")
        _check_numbers(self, "horizons")
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
class Agents:
    """Time agents' updates, as training runs them, against their matrix products alone."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 20
    """Interleaved repetitions of each case."""
    models: tuple[str, ...] = ()
    """Which agents; without names, all of the registry but those that plan or see pixels."""
    robots: tuple[str, ...] = ("hopper",)
    """Whose dimensions: hopper, halfcheetah."""
    seeds: tuple[int, ...] = (1, 5)
    """Seeds in one program; online agents are measured with one."""
    updates: int = 20
    """Updates per compiled call."""

    def run(self) -> int:
        """Print each agent as soon as it is measured."""
        from toolkit.bench import pixels, planning
        from toolkit.bench.agents import SPECS, measure, names

        _check_at_least_1(self, "repetitions", "updates")
        _check_numbers(self, "seeds")
        unknown = [robot for robot in self.robots if robot not in SPECS]
        if unknown:
            raise UserError(f"`robots` must be of {', '.join(SPECS)}, got {unknown[0]!r}.")
        others = (*planning.NAMES, *pixels.NAMES)
        usual = [n for n in (*names("agent"), *names("online")) if n not in others]
        check_folder(self.json)

        def show(rows: list[Row]) -> None:
            _show_shares(rows)
            for row in rows[1:]:
                count = int(row.case.rsplit("=")[1])
                times = row.seconds / rows[0].seconds
                print(f"{'':34s} {count} seeds in one program: {times:.2f} × the time of one")

        measured = measure(
            self.models or usual, robots=self.robots,
            seeds=self.seeds, repetitions=self.repetitions, updates=self.updates, on_rows=show,
        )  # fmt: skip
        _write(self.json, measured)
        return 0


@dataclass(frozen=True)
class Tdm:
    """Time a TDM's update, and one that builds whole Jacobians, against matrix products alone."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 20
    """Interleaved repetitions of each case."""
    batches: tuple[int, ...] = (256, 512)
    """Transitions per update."""

    def run(self) -> int:
        """Print each batch size as soon as it is measured."""
        from toolkit.bench.agents import measure_tdm

        _check_at_least_1(self, "repetitions")
        _check_numbers(self, "batches")
        check_folder(self.json)
        measured = measure_tdm(
            batches=self.batches, repetitions=self.repetitions, on_rows=_show_shares
        )
        _write(self.json, measured)
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

        _check_at_least_1(self, "repetitions", "batch")
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
        _write(self.json, measured, "ratio: times as fast as the reference")
        return 0


@dataclass(frozen=True)
class Planning:
    """Time TD-MPC's decisions and updates with both dynamics, against matrix products alone."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 10
    """Interleaved repetitions of each case."""
    horizons: tuple[int, ...] = (5, 20)
    """Steps planned ahead, and unrolled in an update."""
    batch: int = 512
    """Sequences per update."""
    decoded_steps: int = 0
    """Steps of a sequence whose losses an update computes, for both agents; 0: all."""

    def run(self) -> int:
        """Print each horizon as soon as it is measured."""
        from toolkit.bench.planning import measure, ratio

        _check_at_least_1(self, "repetitions", "batch")
        _check_numbers(self, "horizons")
        check_folder(self.json)

        def show(rows: list[Row]) -> None:
            for row in rows:
                print(
                    f"{row.case:40s} {1 / row.seconds:8.2f} a second, "
                    f"{row.ratio:.0%} of the matrix-product rate"
                )
            for work in ("decision", "update"):
                print(f"{'':4s}{work}: koopman-tdmpc has {ratio(rows, work):.2f} × tdmpc's rate")

        measured = measure(
            self.horizons, batch=self.batch, decoded_steps=self.decoded_steps,
            repetitions=self.repetitions, on_horizon=show,
        )  # fmt: skip
        _write(self.json, measured)
        return 0


@dataclass(frozen=True)
class Pixels:
    """Time updates of the agents that learn from pixels, their batches drawn as in training."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repetitions: int = 5
    """Interleaved repetitions of each agent."""
    batch: int = 128
    """Windows per update."""
    image_size: int = 84
    """Height and width of a frame, in pixels."""
    horizon: int = 5
    """Steps that spr and koopman-spr predict."""

    def run(self) -> int:
        """Print every agent."""
        from toolkit.bench.pixels import measure, rate

        for name in ("repetitions", "batch", "horizon"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        check_folder(self.json)
        measured = measure(
            batch=self.batch, image_size=self.image_size, horizon=self.horizon,
            repetitions=self.repetitions,
        )  # fmt: skip
        for row in measured:
            name = row.case.split("/")[1]
            print(
                f"{row.case:22s} {1 / row.seconds:8.2f} updates/s, {rate(measured, name):.2f} × "
                f"sac-pixels' rate, {row.ratio:.2f} × that of its matrix products"
            )
        note = "ratio: rate beside that of the reference; convolutions may be faster than products"
        _write(self.json, measured, note)
        return 0


def _show_shares(rows: list[Row]) -> None:
    for row in rows:
        print(
            f"{row.case:34s} {1 / row.seconds:8.1f} updates/s, "
            f"{row.ratio:.0%} of the matrix-product rate"
        )


def _check_at_least_1(command: Any, *names: str) -> None:
    for name in names:
        if getattr(command, name) < 1:
            raise UserError(f"`{name}` must be at least 1, got {getattr(command, name)}.")


def _check_numbers(command: Any, name: str) -> None:
    numbers = getattr(command, name)
    if not numbers or min(numbers) < 1:
        raise UserError(f"`{name}` must be numbers from 1 on, got {numbers}.")


def _write(
    path: Path | None, measured: list[Row], note: str = "ratio: share of the reference's rate"
) -> None:
    from toolkit.bench.timing import report

    if path:
        write_report(path, report(measured, [note]))


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

        _check_at_least_1(self, "repetitions", "batch")
        _check_numbers(self, "lengths")
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
        _write(self.json, measured, "ratio: share of the limit, of the slowest place of a control")
        return 0
