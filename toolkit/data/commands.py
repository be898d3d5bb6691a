"""The bodies of `toolkit data …`: each command is a dataclass whose fields are its arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from toolkit.errors import UserError
from toolkit.registry import suggest


@dataclass(frozen=True)
class List:
    """Show every dataset name that is known, and which are on this machine."""

    def run(self) -> int:
        """Print an aligned table."""
        from toolkit.data.catalogue import cached_path, entries

        rows = [("NAME", "KIND", "ROWS", "SHA-256", "ON THIS MACHINE")]
        for entry in entries():
            anywhere = {"simulated": "built in", "made": "to make", "bundled": "in the package"}
            here = anywhere.get(entry.kind) or ("yes" if cached_path(entry).exists() else "no")
            size = "any" if entry.kind in ("simulated", "made") else entry.size
            rows.append((entry.name, entry.kind, size, (entry.sha256 or "-")[:12], here))
        print(_table(rows))
        return 0


@dataclass(frozen=True)
class Fetch:
    """Download a published dataset into the cache and verify it."""

    name: tyro.conf.Positional[str]
    """A name from `toolkit data list`, or a Minari id."""
    dir: Path | None = None
    """Folder to keep the file in, in place of the cache."""
    base_url: str | None = None
    """Address of a mirror, in place of the publisher's."""

    def run(self) -> int:
        """Print where the file lies."""
        from toolkit.data.downloads import fetch

        print(fetch(self.name, folder=self.dir, base_url=self.base_url))
        return 0


@dataclass(frozen=True)
class Check:
    """Examine a dataset file: what is wrong with it, what follows, what to do."""

    file: tyro.conf.Positional[Path]
    """The file to examine."""
    json: Path | None = None
    """Also write the report to this file as JSON."""
    simulate: bool = False
    """Also step stored states in today's simulator and compare (needs the extra `mujoco`)."""

    def run(self) -> int:
        """Print the report; 1 if it has errors."""
        from toolkit.data.doctor import check_arrays
        from toolkit.data.reading import read_arrays

        raw = read_arrays(self.file)
        report = check_arrays(raw, str(self.file))
        content = report.to_json()
        print(report)
        if self.simulate:
            from toolkit.envs.fidelity import simulate_check

            fidelity = simulate_check(raw)
            content["simulation"] = fidelity.to_json()
            print(f"\n{fidelity}")
        if self.json:
            _write_json(self.json, content)
        return 1 if report.has_errors else 0


@dataclass(frozen=True)
class Subsample:
    """Draw whole episodes from a dataset and write them to a new file."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME-OR-FILE")]
    """The dataset to draw from."""
    out: Path
    """The file to write, in D4RL's HDF5 layout."""
    num_episodes: int | None = None
    """How many episodes to draw."""
    fraction: float | None = None
    """Which part of the episodes to draw, in place of a number."""
    num_transitions: int | None = None
    """How many transitions to draw, to within an episode, in place of a number of episodes."""
    seed: int = 0
    """Which draw."""

    def run(self) -> int:
        """Print what was written."""
        from toolkit.data.subsampling import subsample

        smaller = subsample(
            self.source,
            self.out,
            num_episodes=self.num_episodes,
            fraction=self.fraction,
            num_transitions=self.num_transitions,
            seed=self.seed,
        )
        print(f"{self.out}: {smaller}")
        return 0


@dataclass(frozen=True)
class Make:
    """Make a dataset: from a robot's stored policies, or by simulating a built-in system."""

    name: tyro.conf.Positional[str]
    """Such as `toolkit/hopper-medium` or `toolkit/pendulum`."""
    out: Path
    """The file to write, in D4RL's HDF5 layout."""
    num_transitions: int = 20_000
    """How many transitions; of built-in systems, rounded up to whole episodes."""
    seed: int = 0
    """Which starts and which actions."""
    infos: bool = True
    """Robots: also store joint states and the actions' log-densities."""
    threads: int | None = None
    """Robots: threads of the simulator; without it, one per core."""
    episode_steps: int = 200
    """Built-in systems: transitions per episode."""
    excitation: Literal["white", "ornstein-uhlenbeck", "multisine", "zero"] = "ornstein-uhlenbeck"
    """Built-in systems: what drives them."""

    def run(self) -> int:
        """Print what was written.

        Raises:
            UserError: the name is unknown, or its arguments do not fit.
        """
        from toolkit.data.catalogue import entries, find_entry

        entry, makeable = find_entry(self.name), ("simulated", "made", "bundled")
        if entry is None or entry.kind not in makeable:
            known = [e.name for e in entries() if e.kind in makeable]
            raise UserError(f"{self.name!r} is not a dataset that can be made; "
                            f"{suggest(self.name, known)}.")  # fmt: skip
        self._system() if entry.kind == "simulated" else self._robot()
        return 0

    def _robot(self) -> None:
        from tqdm.auto import tqdm

        from toolkit.behaviours import make_dataset

        with tqdm(total=self.num_transitions, unit=" rows", dynamic_ncols=True, delay=0.1) as bar:

            def move(rows: int) -> None:
                bar.update(rows)

            make_dataset(
                self.name, self.out, num_transitions=self.num_transitions, seed=self.seed,
                infos=self.infos, threads=self.threads, on_rows=move,
            )  # fmt: skip
        size = self.out.stat().st_size / 2**20
        print(f"{self.out}: {self.num_transitions:,} transitions of {self.name}, {size:.1f} MiB")

    def _system(self) -> None:
        from toolkit.data.simulation import simulate
        from toolkit.data.writing import write_d4rl

        dataset = simulate(
            self.name,
            num_episodes=-(-self.num_transitions // max(self.episode_steps, 1)),
            episode_steps=self.episode_steps,
            excitation=self.excitation,
            seed=self.seed,
        )
        write_d4rl(self.out, dataset)
        print(f"{self.out}: {dataset}")


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _write_json(path: Path, content: dict[str, object]) -> None:
    from toolkit.errors import UserError

    try:
        path.write_text(json.dumps(content, indent=2) + "\n")
    except OSError as error:
        raise UserError(f"{path}: the report could not be written ({error.strerror}).") from None
