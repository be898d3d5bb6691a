"""Checks of `00_start_here`: windows inside episodes, one normaliser, the floor of persistence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import ask, check, compare

_LENGTHS = [200, 120, 99, 100, 7]
_HORIZON = 100


@check
def check_count_windows(answer: Callable[[list[int], int], Any]) -> str:
    """`count_windows(lengths, horizon)`: windows of `horizon` transitions, none across episodes."""
    right = _windows(_LENGTHS, lambda length: max(0, length - _HORIZON + 1))
    mistakes = [
        ("off by one. An episode of exactly `horizon` transitions holds one window, and yours "
         "counts none.", _windows(_LENGTHS, lambda length: max(0, length - _HORIZON))),
        ("your windows cross episodes: you counted in the concatenated data, where the end of one "
         "episode is followed by the start of another. Count episode by episode.",
         sum(_LENGTHS) - _HORIZON + 1),
        ("an episode shorter than the horizon must count 0, and yours takes windows away. "
         "`max(0, …)` helps.", _windows(_LENGTHS, lambda length: length - _HORIZON + 1)),
        ("your windows do not overlap. A window may start at every row, not only at multiples of "
         "the horizon.", _windows(_LENGTHS, lambda length: length // _HORIZON)),
        ("every row was counted as a start, also those with too few transitions after them.",
         sum(_LENGTHS)),
    ]  # fmt: skip
    compare(ask(answer, list(_LENGTHS), _HORIZON), right, mistakes, what="the count")
    compare(ask(answer, [5], 5), 1, what="the count for one episode of 5 and horizon 5")
    return (
        f"{right} windows from {sum(_LENGTHS)} rows. Neighbouring windows overlap, so they look "
        "alike: that is why we split by episode and not by window."
    )


def _windows(lengths: list[int], of_one: Callable[[int], int]) -> int:
    return sum(map(of_one, lengths))


@check
def check_normalise(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    """`normalise(train, test)`: z-scores of `test`, with mean and deviation of `train`."""
    rng = np.random.default_rng(0)
    train = rng.normal([3.0, -20.0], [0.5, 8.0], (60, 2))
    test = rng.normal([3.5, -10.0], [0.5, 8.0], (20, 2))
    mean, std = train.mean(0), train.std(0)
    by_row = (test - test.mean(1, keepdims=True)) / test.std(1, keepdims=True)
    mistakes = [
        ("you used mean and deviation of the test part. Then the model sees other units than it "
         "was trained with, and knows something about data it must not know.",
         (test - test.mean(0)) / test.std(0)),
        ("wrong axis: there is one mean over everything. Each coordinate has its own unit, so take "
         "mean and deviation along axis 0, over rows.", (test - train.mean()) / train.std()),
        ("wrong axis: you normalised each row by itself (axis 1). Take mean and deviation along "
         "axis 0, over rows.", by_row),
        ("you divided by the variance. A z-score divides by the standard deviation, its root.",
         (test - mean) / train.var(0)),
        ("the mean is still there: subtract it before dividing.", test / std),
        ("the deviation is missing: divide by it after subtracting the mean.", test - mean),
        ("the wrong part came back: return the normalised test rows.", (train - mean) / std),
        ("wrong sign: it is (observation − mean) / deviation.", (mean - test) / std),
    ]  # fmt: skip
    compare(
        ask(answer, train, test), (test - mean) / std, mistakes,
        what="the normalised rows", tolerance=0.03,
    )  # fmt: skip
    return "the test part is seen through the training part's eyes, as any new data will be."


@check
def check_persistence_error(answer: Callable[[np.ndarray], Any]) -> str:
    """`persistence_error(obs)`: (horizon + 1, windows, obs) → mean squared error (horizon,)."""
    obs = np.cumsum(np.random.default_rng(1).normal(size=(7, 5, 3)), axis=0)
    change = obs[1:] - obs[:1]
    square = change**2
    right = square.mean((1, 2))
    mistakes = [
        ("off by one: step 0 is the start itself, where every predictor is right. Begin with "
         "`obs[1]`.", ((obs - obs[:1]) ** 2).mean((1, 2))),
        ("off by one: the last state is missing. Compare all of `obs[1:]` with the start.",
         right[:-1]),
        ("this predicts each state from the one before it. Persistence knows only the start "
         "`obs[0]`, however long ago it was.", (np.diff(obs, axis=0) ** 2).mean((1, 2))),
        ("the square is missing, and so errors of opposite sign cancel.", change.mean((1, 2))),
        ("this is the mean absolute error. Square the difference instead.",
         np.abs(change).mean((1, 2))),
        ("you summed. Take the mean over windows and coordinates, so that the number does not "
         "depend on how many there are.", square.sum((1, 2))),
        ("this is the root of the error. The figure shows squared errors.", np.sqrt(right)),
        ("wrong axis: there is one number per window. Average over windows and coordinates, axes "
         "1 and 2, and keep time.", square.mean((0, 2))),
        ("wrong axis: there is one number per coordinate. Average over windows and coordinates, "
         "axes 1 and 2, and keep time.", square.mean((0, 1))),
        ("the time axis is gone. Average over axes 1 and 2 only.", square.mean()),
        ("the windows are still there. Average over them too, axes 1 and 2.", square.mean(2)),
    ]  # fmt: skip
    compare(ask(answer, obs), right, mistakes, what="the error by horizon")
    return "this is the grey dotted floor of the figure above. It costs nothing to compute."
