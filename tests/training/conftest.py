"""A registered tiny model, and experiments with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from toolkit import registry
from toolkit.training import Experiment, prepare


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    """Makes an experiment with the tiny model; keywords are its hyperparameters."""
    from tests.training import tiny

    entry = registry.Entry(tiny.PATH, "linear regression", "dynamics")
    monkeypatch.setitem(registry.MODELS, "tiny", entry)

    def make(seeds: tuple[int, ...] = (0,), chunk_updates: int = 10, **values: float) -> Experiment:
        learner = tiny.Tiny(**values)
        return prepare(
            "tiny", learner, "toolkit/pendulum", seeds=seeds, chunk_updates=chunk_updates
        )

    return make
