"""How far an evaluation may reach, and how seeds are summed up."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.evaluation.scores import reachable_horizon, spread, updates_per_second
from toolkit.training.run import Run


def make_dataset(lengths: list[int], **options) -> Dataset:
    rows = sum(lengths)
    ends = np.zeros(rows, bool)
    ends[np.cumsum(lengths) - 1] = True
    values = np.arange(2.0 * rows).reshape(rows, 2)
    return Dataset.from_arrays(values, values, np.zeros(rows), values, timeout=ends, **options)


def test_the_horizon_is_the_wanted_one_where_the_data_reach():
    data = make_dataset([30, 120, 7])
    assert reachable_horizon(data) == 100
    assert reachable_horizon(data, 500) == 120


def test_data_without_any_window_are_refused():
    with pytest.raises(UserError, match="no transition with a known successor"):
        reachable_horizon(make_dataset([3], valid_next=np.zeros(3, bool)))


def test_spread_over_seeds():
    assert spread(np.array([1.0, 3.0])) == {
        "mean": 2.0,
        "std": pytest.approx(np.sqrt(2)),
        "per_seed": [1.0, 3.0],
    }
    assert spread(np.array([[1.0, 5.0]])) == {
        "mean": [1.0, 5.0],
        "std": [0.0, 0.0],
        "per_seed": [[1.0, 5.0]],
    }


class Logged(Run):
    """A run that is nothing but its rows."""

    def __init__(self, rows):
        self.rows = rows

    def metrics(self):
        return self.rows


def test_updates_are_counted_only_where_every_seed_still_trained():
    rows = [
        {"updates_per_second": 10.0, "stopped": [0.0, 0.0]},
        {"updates_per_second": 12.0, "stopped": [0.0, 0.0]},
        {"updates_per_second": 20.0, "stopped": [0.0, 0.5]},
        {"updates_per_second": 900.0, "stopped": [1.0, 1.0]},
    ]
    assert updates_per_second(Logged(rows)) == 11.0
    plain = [{"updates_per_second": rate} for rate in (1.0, 3.0, 8.0)]
    assert updates_per_second(Logged(plain)) == 3.0
    assert updates_per_second(Logged([])) == 0.0
