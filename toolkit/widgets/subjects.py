"""What explorers look at: trained models beside raw data, from what a user names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from toolkit.data import Dataset, Window, WindowSampler, load
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.evaluation.scores import reachable_horizon
from toolkit.registry import find_model
from toolkit.training import select_seed, train
from toolkit.training.config import DEFAULT_DATA
from toolkit.training.experiment import prepare
from toolkit.training.run import Run

if TYPE_CHECKING:  # what else users give is refused in one sentence, not by a check of types
    #: What an explorer takes as a model, and as data.
    Model = str | Path | Run | TrainedDynamics
    Data = str | Path | Dataset

#: Windows that explorers offer, spread over the data.
WINDOWS = 12


@dataclass(frozen=True)
class Subject:
    """A trained model beside raw data that it is looked at on."""

    name: str
    trained: TrainedDynamics
    data: Dataset

    @property
    def dt(self) -> float:
        """Seconds per environment step; 1 where the data do not say."""
        return self.data.source.dt or 1.0

    def reach(self, horizon: int) -> int:
        """The horizon, or the longest stretch of the data if that is shorter."""
        return reachable_horizon(self.data, horizon)

    def starts(self, horizon: int) -> np.ndarray:
        """The rows at which the windows begin, spread over the data."""
        every = np.asarray(WindowSampler(self.data, self.reach(horizon)).starts)
        at = np.linspace(0, len(every) - 1, min(WINDOWS, len(every))).astype(int)
        return every[at]

    def windows(self, horizon: int) -> Window:
        """Those windows, of raw observations."""
        sampler = WindowSampler(self.data, self.reach(horizon))
        return sampler.gather(jnp.asarray(self.starts(horizon), jnp.int32))

    def check(self, window: int, horizon: int) -> int:
        """The place of a window, if there is one.

        Raises:
            UserError: there is none.
        """
        count = len(self.starts(horizon))
        if not 0 <= window < count:
            raise UserError(f"`window` must lie in 0..{count - 1}, got {window}.")
        return window


def subject_of(model: Model, data: Data | None = None, *, seed: int = 0) -> Subject:
    """A model and its data, from what a user names.

    Raises:
        UserError: there is no such run or seed; it trained no dynamics model; a bare model comes
            without data; or the dimensions differ.
    """
    if isinstance(data, str | Path):
        data = load(str(data))
    if isinstance(model, TrainedDynamics):
        if data is None:
            raise UserError("A model without a run has no data of its own; name some as `data`.")
        name, trained = type(model.model).__name__, model
    else:
        run = run_of(model)
        name, trained = run.folder.name, run.trained(seed)
        data = run.test_data() if data is None else data
    expected = trained.normaliser.mean.size
    if data.obs_dim != expected:
        raise UserError(
            f"{name} was trained on observations of {expected} numbers, but {data.source.name} has "
            f"{data.obs_dim}."
        )
    return Subject(name, trained, data)


def subjects_of(
    models: Model | Mapping[str, Model], data: Data | None, seed: int
) -> dict[str, Subject]:
    """Subjects by name, all on the data of the first.

    Raises:
        UserError: there is no model; or as for `subject_of`.
    """
    if not isinstance(models, Mapping):
        subject = subject_of(models, data, seed=seed)
        return {subject.name: subject}
    if not models:
        raise UserError("`models` must hold at least one model, got none.")
    found: dict[str, Subject] = {}
    for name, model in models.items():
        shared = next(iter(found.values())).data if found else data
        found[name] = subject_of(model, shared, seed=seed)
    return found


def run_of(run: Any) -> Run:
    """The run in a folder, or the run itself.

    Raises:
        UserError: it is neither, or there is no such run.
    """
    if isinstance(run, str | Path):
        return Run.open(run)
    if not isinstance(run, Run):
        raise UserError(
            f"A model must be the folder of a run, a Run or a TrainedDynamics, got "
            f"{type(run).__name__}."
        )
    return run


def first_model(data: Data | None = None, *, num_updates: int = 300) -> tuple[Any, Any]:
    """A small Koopman model of some data, trained here and now, and the episodes it did not see."""

    where = DEFAULT_DATA if data is None else data
    learner = find_model("koopman").load()(
        modes=32, hidden=64, horizon=50, batch_size=64, num_updates=num_updates
    )
    dataset = where if not isinstance(where, str | Path) else None
    experiment = prepare("koopman", learner, str(where), seeds=(0,), dataset=dataset)
    updates = train(
        learner, experiment.init(), experiment.sampler, seeds=(0,), num_updates=num_updates
    )
    for state, metrics in updates:
        loss = float(np.mean(metrics["loss/prediction"]))
        print(f"update {int(state.update_count[0]):4} of {num_updates}, loss {loss:.3f}", end="\r")
    return TrainedDynamics(select_seed(state, 0).model, experiment.normaliser), experiment.test
