"""A run on the disk: `config.json`, `metrics.jsonl`, `checkpoint/`, `result.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from toolkit.agents.acting import NormalisedPolicy
from toolkit.agents.interface import AbstractPolicy
from toolkit.data import Dataset, Normaliser, load
from toolkit.data.catalogue import find_entry
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.training import passport
from toolkit.training.checkpoint import (
    load_checkpoint,
    read_header,
    save_checkpoint,
    write_atomically,
)
from toolkit.training.config import RunConfig
from toolkit.training.experiment import Experiment, blank_dataset, split
from toolkit.training.learner import State
from toolkit.training.loop import init_states, select_seed
from toolkit.training.records import Row, append_row, cut_rows, read_rows, seed_means

FORMAT = 1
Config = TypeVar("Config")


class Run:
    """One training run in its folder: open it to load what was trained, or to continue.

    `config` says what was trained on what; nothing else is read before it is asked for.
    """

    def __init__(self, folder: Path, config: RunConfig):
        self.folder, self.config = folder, config

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """An existing run.

        Raises:
            UserError: the folder holds no run, or one of another format.
        """
        folder = Path(folder)
        return cls(folder, read_config(folder, RunConfig.from_json))

    @classmethod
    def create(cls, folder: str | Path, config: RunConfig) -> Run:
        """A new run in a folder that holds none yet.

        Raises:
            UserError: the folder holds a run already, or cannot be written.
        """
        folder = Path(folder)
        if cls.exists(folder):
            raise UserError(f"{folder} already holds a run, which is not overwritten.")
        made = not folder.exists()
        try:
            write_json(folder / "config.json", {"format": FORMAT} | config.to_json() | provenance())
        except UserError:
            if made and folder.is_dir():
                folder.rmdir()
            raise
        return cls(folder, config)

    @staticmethod
    def exists(folder: str | Path) -> bool:
        """Whether a folder holds a run, finished or not."""
        return (Path(folder) / "config.json").exists()

    def state(self, template: State | None = None) -> State:
        """What was learned: the states of all seeds, stacked along a leading axis.

        `template` is any state of the same structure; without it, a fresh one is made.

        Raises:
            UserError: there is no checkpoint, it is damaged, or it is another model's.
        """
        if template is None:
            config = self.config
            template = init_states(config.learner(), blank_dataset(config), config.seeds)
        state, header = load_checkpoint(self._checkpoint, template)
        if header.get("model") != self.config.model:
            raise UserError(
                f"{self._checkpoint} belongs to the model {header.get('model')!r}, but this run "
                f"trains {self.config.model!r}."
            )
        return state

    def trained(self, seed_index: int = 0) -> TrainedDynamics:
        """The dynamics model of one seed, with the normaliser it was trained with.

        Raises:
            UserError: as for `state`; or the run has no such seed, or trained an agent.
        """
        self.check_seed(seed_index)
        if self.config.kind != "dynamics":
            raise UserError(
                f"{self.folder} trained {self.config.model}, which is no dynamics model."
            )
        return TrainedDynamics(select_seed(self.state(), seed_index).model, self.normaliser())

    def policy(self, seed_index: int = 0) -> AbstractPolicy:
        """What one seed learned to do, on raw observations and without exploration.

        Raises:
            UserError: as for `state`; or the run has no such seed, or trained no agent.
        """
        self.check_seed(seed_index)
        if self.config.kind != "agent":
            raise UserError(f"{self.folder} trained {self.config.model}, which does not act.")
        policy = self.config.learner().policy(select_seed(self.state(), seed_index))
        return NormalisedPolicy(policy, self.normaliser())

    def check_seed(self, seed_index: int) -> None:
        """Refuse a seed's place that the run does not have.

        Raises:
            UserError: as said.
        """
        if not 0 <= seed_index < len(self.config.seeds):
            raise UserError(
                f"`seed_index` must lie in 0..{len(self.config.seeds) - 1}, got {seed_index}."
            )

    def normaliser(self) -> Normaliser:
        """The z-score that the run was trained with."""
        return Normaliser.from_json(self.header()["normaliser"])

    def dataset(self) -> Dataset:
        """All of the run's data, raw.

        Raises:
            UserError: the data are gone or have changed since. Simulated systems are exempt:
                they may differ between machines by rounding.
        """
        record, dataset = self.config.data, load(self.config.data.location)
        entry = find_entry(record.location)
        simulated = entry is not None and entry.kind == "simulated"
        if dataset.source.sha256 != record.sha256 and not simulated:
            raise UserError(
                f"{record.location} has changed since {self.folder} was trained on it: its "
                f"SHA-256 was {record.sha256}, now it is {dataset.source.sha256}."
            )
        return dataset

    def test_data(self) -> Dataset:
        """The episodes that were held out, raw."""
        return split(self.config, self.dataset())[1]

    def metrics(self, seed_index: int | None = None) -> list[dict[str, float | int]]:
        """One row of numbers per chunk: of one seed, or their mean over the seeds."""
        return seed_means(read_rows(self._metrics), seed_index)

    def result(self) -> dict[str, Any]:
        """The content of `result.json`.

        Raises:
            UserError: the run was not evaluated yet.
        """
        return read_json(self.folder / "result.json")

    def header(self) -> dict[str, Any]:
        """The checkpoint's header: `update`, `model`, `normaliser` and more."""
        return read_header(self._checkpoint)

    @property
    def has_checkpoint(self) -> bool:
        """Whether anything was saved yet."""
        return self._checkpoint.exists()

    def save(self, state: State, experiment: Experiment) -> None:
        """Write the checkpoint, all or nothing."""
        header = {
            "model": self.config.model,
            "update": int(state.update_count[0]),
            "hyperparameters": self.config.hyperparameters,
            "normaliser": experiment.normaliser.to_json(),
        }
        save_checkpoint(self._checkpoint, state, header | provenance())

    def append(self, row: Row) -> None:
        """Add a row to the metrics."""
        append_row(self._metrics, row)

    def rewind(self, update: int) -> list[Row]:
        """Drop the metrics beyond an update; what is left."""
        return cut_rows(self._metrics, update)

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint" / "state.ckpt"

    @property
    def _metrics(self) -> Path:
        return self.folder / "metrics.jsonl"


def read_config(folder: Path, from_json: Callable[[dict[str, Any]], Config]) -> Config:
    """What `from_json` makes of the `config.json` in the folder of a run.

    Raises:
        UserError: the folder holds no run, or one of another format or kind.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: expected the folder of a run, but it has no config.json.")
    stored = read_json(path)
    if stored.get("format") != FORMAT:
        raise UserError(
            f"{path} has run format {stored.get('format')}, this version reads {FORMAT}."
        )
    try:
        return from_json(stored)
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} lacks a setting or holds a wrong one: {error}.") from None


def provenance() -> dict[str, Any]:
    """Versions, device and commit of this moment."""
    return {
        "versions": passport.versions(),
        "device": passport.device(),
        "commit": passport.commit(),
    }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        UserError: the file is missing or holds something else.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    except ValueError:
        raise UserError(f"{path} does not hold JSON.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} does not hold a JSON object.")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, all or nothing."""
    write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
