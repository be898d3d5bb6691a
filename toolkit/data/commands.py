"""The bodies of `toolkit data …`: each command is a dataclass whose fields are its arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class List:
    """Show every dataset name that is known, and which are on this machine."""

    def run(self) -> int:
        """Print an aligned table."""
        from toolkit.data.catalogue import cached_path, entries

        rows = [("NAME", "KIND", "ROWS", "SHA-256", "ON THIS MACHINE")]
        for entry in entries():
            simulated = entry.kind == "simulated"
            here = "built in" if simulated else "yes" if cached_path(entry).exists() else "no"
            size = "any" if simulated else entry.size
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

    def run(self) -> int:
        """Print the report; 1 if it has errors."""
        from toolkit.data.doctor import check

        report = check(self.file)
        print(report)
        if self.json:
            _write_json(self.json, report.to_json())
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
            seed=self.seed,
        )
        print(f"{self.out}: {smaller}")
        return 0


@dataclass(frozen=True)
class Make:
    """Simulate one of the built-in systems and write the dataset to a file."""

    name: tyro.conf.Positional[str]
    """A built-in system, such as `toolkit/pendulum`."""
    out: Path
    """The file to write, in D4RL's HDF5 layout."""
    num_transitions: int = 20_000
    """How many transitions, rounded up to whole episodes."""
    episode_steps: int = 200
    """Transitions per episode."""
    excitation: Literal["white", "ornstein-uhlenbeck", "multisine", "zero"] = "ornstein-uhlenbeck"
    """What drives the system."""
    seed: int = 0
    """Which starts and which actions."""

    def run(self) -> int:
        """Print what was written."""
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
        return 0


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
