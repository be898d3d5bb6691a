"""Everything a run needs before its first update, checked before anything is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import numpy as np

from toolkit.data import Dataset, Normaliser, load, split_episodes
from toolkit.errors import UserError
from toolkit.evaluation.prediction import normalised
from toolkit.registry import find_model
from toolkit.training.config import (
    CHUNK_UPDATES,
    TEST_FRACTION,
    DataRecord,
    RunConfig,
    check_numbers,
    hyperparameters_of,
)
from toolkit.training.foundation import build_on, fitted_to_foundation, read_foundation
from toolkit.training.learner import AbstractLearner, Sampler, State
from toolkit.training.loop import init_states
from toolkit.training.passport import environment


class Experiment(eqx.Module):
    """A learner with its data: split by episode, normalised on the training part alone.

    `train` holds normalised observations, `test` raw ones. Only of data for dynamics models is a
    part held out; representations and agents see every episode, and `test` is all of them.
    """

    config: RunConfig = eqx.field(static=True)
    learner: AbstractLearner
    train: Dataset
    test: Dataset
    normaliser: Normaliser
    sampler: Sampler

    def init(self) -> State:
        """The states before the first update, one per seed along a leading axis."""
        states = init_states(self.learner, self.train, self.config.seeds)
        folder = getattr(self.learner, "representation", "")
        if not folder:
            return states
        models = read_foundation(folder, self.config, self.normaliser)
        return build_on(self.learner, states, models, self.train, self.normaliser)


def prepare(
    model: str,
    learner: AbstractLearner,
    data: str,
    *,
    seeds: Sequence[int] = (0,),
    chunk_updates: int = CHUNK_UPDATES,
    env: str | None = None,
    dataset: Dataset | None = None,
) -> Experiment:
    """Check a run's settings against each other and its data; nothing is written.

    `data` is anything that `toolkit.data.load` takes; `model` the registry's name of `learner`.
    `dataset` is what `data` names, where it was loaded already.

    Raises:
        UserError: a setting is out of range, the data cannot be read or do not fit.
    """
    check_numbers(learner)
    if chunk_updates < 1:
        raise UserError(f"`chunk_updates` must be at least 1, got {chunk_updates}.")
    env_record = environment(env) if env else None
    dataset = load(data) if dataset is None else dataset
    learner = learner.fitted_to(dataset)
    foundation = None
    if getattr(learner, "representation", ""):
        learner, foundation = fitted_to_foundation(learner)
    record = DataRecord.of(dataset, data)
    config = RunConfig(
        model, hyperparameters_of(learner), record, tuple(seeds), chunk_updates, env=env_record,
        test_fraction=TEST_FRACTION if find_model(model).kind == "dynamics" else 0.0,
        foundation=foundation,
    )  # fmt: skip
    return assemble(config, learner, dataset)


def assemble(config: RunConfig, learner: AbstractLearner, dataset: Dataset) -> Experiment:
    """Split, normalise and make the sampler, as `config` says.

    Raises:
        UserError: the dataset has one episode only, or none long enough for the learner.
    """
    train, test = split(config, dataset)
    normaliser = Normaliser.fit(train.observations)
    train = normalised(train, normaliser)
    return Experiment(config, learner, train, test, normaliser, learner.prepare(train))


def split(config: RunConfig, dataset: Dataset) -> tuple[Dataset, Dataset]:
    """Training and test part of a run's dataset, both raw; both are all of it where no part of
    the data was held out.
    """
    if not config.test_fraction:
        return dataset, dataset
    return split_episodes(dataset, config.test_fraction, seed=config.split_seed)


def blank_dataset(config: RunConfig) -> Dataset:
    """Zeros with a run's dimensions: enough to build the structure of its state."""
    rows: dict[str, Any] = {
        "observations": np.zeros((2, config.data.obs_dim)),
        "actions": np.zeros((2, config.data.action_dim)),
        "rewards": np.zeros(2),
    }
    return Dataset.from_arrays(**rows)
