"""`toolkit bench NAME` for agents: their updates and decisions against matrix products alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.commands.bench_output import check_at_least_1, check_numbers, show_shares, write
from toolkit.commands.output import check_folder
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.bench.timing import Row


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

        check_at_least_1(self, "repetitions", "updates")
        check_numbers(self, "seeds")
        unknown = [robot for robot in self.robots if robot not in SPECS]
        if unknown:
            raise UserError(f"`robots` must be of {', '.join(SPECS)}, got {unknown[0]!r}.")
        others = (*planning.NAMES, *pixels.NAMES)
        usual = [n for n in (*names("agent"), *names("online")) if n not in others]
        check_folder(self.json)

        def show(rows: list[Row]) -> None:
            show_shares(rows)
            for row in rows[1:]:
                count = int(row.case.rsplit("=")[1])
                times = row.seconds / rows[0].seconds
                print(f"{'':34s} {count} seeds in one program: {times:.2f} × the time of one")

        measured = measure(
            self.models or usual, robots=self.robots,
            seeds=self.seeds, repetitions=self.repetitions, updates=self.updates, on_rows=show,
        )  # fmt: skip
        write(self.json, measured)
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

        check_at_least_1(self, "repetitions")
        check_numbers(self, "batches")
        check_folder(self.json)
        measured = measure_tdm(
            batches=self.batches, repetitions=self.repetitions, on_rows=show_shares
        )
        write(self.json, measured)
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

        check_at_least_1(self, "repetitions", "batch")
        check_numbers(self, "horizons")
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
        write(self.json, measured)
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

        check_at_least_1(self, "repetitions", "batch", "horizon")
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
        write(self.json, measured, note)
        return 0
