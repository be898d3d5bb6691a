"""What a run is: everything that decides its numbers, as plain values."""

from __future__ import annotations

import dataclasses
import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx

from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.registry import find_model
from toolkit.training.learner import AbstractLearner

TEST_FRACTION = 0.2
SPLIT_SEED = 0
DEFAULT_DATA = "toolkit/hopper-medium"
CHUNK_UPDATES = 50
_LARGEST = 2**31 - 1
#: Hyperparameters that mean nothing beyond 1, in every learner that has them.
_SHARES = ("discount", "target_rate", "time_rate", "momentum")


@dataclass(frozen=True)
class DataRecord:
    """Which dataset a run was trained on. `location` is what `toolkit.data.load` is given."""

    location: str
    name: str
    sha256: str | None
    num_transitions: int
    obs_dim: int
    action_dim: int
    env: str | None
    dt: float | None
    history: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name, rows and the first digits of the content's hash."""
        digits = self.sha256[:12] if self.sha256 else "unknown"
        return f"{self.name} ({self.num_transitions} rows, SHA-256 {digits})"

    @classmethod
    def of(cls, dataset: Dataset, location: str) -> DataRecord:
        """The record of a loaded dataset; a file's location becomes absolute."""
        source = dataset.source
        where = str(Path(location).resolve()) if Path(location).exists() else location
        return cls(
            where, source.name, source.sha256, dataset.num_transitions, dataset.obs_dim,
            dataset.action_dim, source.env, source.dt, source.history,
        )  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """Model, hyperparameters, data, split and seeds of a run.

    `env` is a passport's record, `foundation` the SHA-256 of the model that the run builds on.
    """

    model: str
    hyperparameters: dict[str, Any]
    data: DataRecord
    seeds: tuple[int, ...]
    chunk_updates: int = CHUNK_UPDATES
    test_fraction: float = TEST_FRACTION
    split_seed: int = SPLIT_SEED
    env: dict[str, str | None] | None = None
    foundation: str | None = None

    @property
    def num_updates(self) -> int:
        """Length of the run, in updates."""
        return self.hyperparameters["num_updates"]

    def learner(self) -> AbstractLearner:
        """The learner with this run's hyperparameters.

        Raises:
            UserError: the model or a hyperparameter is unknown to this version.
        """
        return make_learner(self.model, self.hyperparameters)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunConfig:
        """Rebuild a configuration; keys that are not its fields are left aside."""
        known = {name: values[name] for name in cls.__dataclass_fields__ if name != "foundation"}
        known["foundation"] = values.get("foundation")  # older runs do not say
        data = dict(known["data"])
        data["history"] = tuple(data["history"])
        known |= {"data": DataRecord(**data), "seeds": tuple(known["seeds"])}
        return cls(**known)

    def difference(self, stored: RunConfig) -> str | None:
        """The first setting in which a stored run differs, in words; none if it is the same run.

        Data are the same if their content is, wherever they lie, and so is a model to build on.
        """
        if (self.data.sha256, self.data.num_transitions) != (
            stored.data.sha256,
            stored.data.num_transitions,
        ):
            return f"`data` is {self.data.label} here but {stored.data.label} there"
        here, there = _identity(self), _identity(stored)
        if self.foundation and stored.foundation:
            here["representation"] = f"SHA-256 {self.foundation[:12]}"
            there["representation"] = f"SHA-256 {stored.foundation[:12]}"
        return first_difference(here, there)

    @property
    def kind(self) -> str:
        """What was trained: `dynamics`, `representation` or `agent`."""
        return find_model(self.model).kind

    def command(self, out: Path, further: Mapping[str, Any] | None = None) -> str:
        """The command that continues this run in the folder `out`, with further options."""
        words = ["toolkit", "train", self.model, "--data", self.data.location, "--out", str(out)]
        words += ["--seeds", ",".join(map(str, self.seeds))]
        if self.env:
            words += ["--env", str(self.env["id"])]
        if self.chunk_updates != CHUNK_UPDATES:
            words += flags({"chunk_updates": self.chunk_updates})
        words += flags(chosen_hyperparameters(self.model, self.hyperparameters))
        words += flags(further or {})
        return shlex.join([*words, "--resume"])


def _identity(config: RunConfig) -> dict[str, Any]:
    """Flat name → value of everything but the data that decides a run's numbers."""
    return {
        "model": config.model,
        "seeds": ",".join(map(str, config.seeds)),
        "env": config.env["id"] if config.env else None,
        "chunk_updates": config.chunk_updates,
        "test_fraction": config.test_fraction,
        "split_seed": config.split_seed,
        **config.hyperparameters,
    }


def make_learner(model: str, hyperparameters: dict[str, Any]) -> Any:
    """What the registry has under the name `model`, with these hyperparameters.

    Raises:
        UserError: the model or a hyperparameter is unknown to this version.
    """
    kind = find_model(model).load()
    unknown = set(hyperparameters) - {field.name for field in dataclasses.fields(kind)}
    if unknown:
        raise UserError(f"{model} has no hyperparameter {', '.join(sorted(unknown))}.")
    return kind(**hyperparameters)


def hyperparameters_of(learner: eqx.Module) -> dict[str, Any]:
    """The fields of a learner by name; the inverse of `make_learner`."""
    return {field.name: getattr(learner, field.name) for field in dataclasses.fields(learner)}


def chosen_hyperparameters(model: str, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """Those that are not the model's defaults."""
    defaults = hyperparameters_of(find_model(model).load()())
    return {name: value for name, value in hyperparameters.items() if value != defaults[name]}


def flags(values: dict[str, Any]) -> list[str]:
    """Settings as words of a command: `batch_size` 64 becomes `--batch-size 64`."""
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in values.items()]
    return [word for pair in pairs for word in pair]


def first_difference(here: dict[str, Any], there: dict[str, Any]) -> str | None:
    """The first name whose values differ, in words; none if they are all the same."""
    for name in {**there, **here}:
        if here.get(name) != there.get(name):
            return f"`{name}` is {here.get(name)!r} here but {there.get(name)!r} there"
    return None


def check_numbers(learner: eqx.Module) -> None:
    """Refuse hyperparameters that cannot be meant, by the kind of their default.

    Whole numbers whose default is positive count something, so they are at least one; only of an
    interval, `…_every`, 0 means never. No number is NaN or infinite, nothing becomes negative whose
    default is not, rates that are shares stay within 1, and a temperature, whose logarithm is
    trained, above 0.

    Raises:
        UserError: naming the hyperparameter, what was needed and what came.
    """
    for field in dataclasses.fields(learner):
        value, default = getattr(learner, field.name), field.default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            continue
        if not math.isfinite(value) or value > _LARGEST:
            raise UserError(f"`{field.name}` must be a finite number below 2³¹, got {value}.")
        counts = isinstance(default, int) and default >= 1 and not field.name.endswith("_every")
        if counts and value < 1:
            raise UserError(f"`{field.name}` must be at least 1, got {value}.")
        if isinstance(default, (int, float)) and default >= 0 > value:
            raise UserError(f"`{field.name}` must not be negative, got {value}.")
        if field.name in _SHARES and value > 1:
            raise UserError(f"`{field.name}` must be at most 1, got {value}.")
        if field.name == "initial_temperature" and value == 0:
            raise UserError(f"`{field.name}` must be greater than 0, got {value}.")


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0,1,2` as integers.

    Raises:
        UserError: not a list of different whole numbers below 2³² joined by commas.
    """
    words = [word.strip() for word in text.split(",")]
    good = all(re.fullmatch(r"\d{1,10}", word) and int(word) < 2**32 for word in words)
    if not good or len(set(map(int, words))) != len(words):
        raise UserError(
            "`seeds` must be different whole numbers joined by commas, such as 0,1,2, got "
            f"{text!r}."
        )
    return tuple(map(int, words))
