"""Wrong answers to the exercises of `11_failure_museum`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.evaluation.probes import effective_rank
from toolkit.exercises.failure_museum import (
    check_alarm,
    check_clock_share,
    check_crosses,
    check_largest_step,
)


def fastest(rates):
    return np.abs(rates).max()


def crosses(episode, starts, horizon):
    return episode[starts] != episode[starts + horizon - 1]


def share(lengths, terminal):
    return (lengths == lengths.max())[terminal].mean() if terminal.any() else 0.0


def spread(features):
    return features.std(axis=0).mean()


def narrow(features, before):
    return spread(features) < 0.2 * spread(before)


def flat(features, before):
    return effective_rank(features) < 0.5 * effective_rank(before)


RIGHT: list[tuple[Callable, Callable]] = [
    (check_crosses, lambda e, s, h: np.array([len(set(e[i : i + h])) > 1 for i in s])),
    (check_alarm, lambda f, b: bool(
        np.linalg.norm(f - f.mean(0)) < 0.2 * np.linalg.norm(b - b.mean(0)) or flat(f, b))),
]  # fmt: skip
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_largest_step, lambda w: np.pi / w.max(), "fastest either way"),
    (check_largest_step, lambda w: 2 * np.pi / fastest(w), "whole turn"),
    (check_largest_step, lambda w: 1 / (2 * fastest(w)), "radians per second"),
    (check_largest_step, lambda w: 1 / fastest(w), "radians per second"),
    (check_largest_step, lambda w: np.pi / 2 / fastest(w), "a quarter"),
    (check_largest_step, lambda w: np.pi / np.abs(w)[np.abs(w) > 0].min(), "the slowest mode"),
    (check_largest_step, lambda w: np.pi / np.abs(w).mean(), "the mean mode"),
    (check_largest_step, lambda w: fastest(w) / np.pi, "upside down"),
    (check_crosses, lambda e, s, h: crosses(e, s, h + 1), "one row too far"),
    (check_crosses, lambda e, s, h: crosses(e, s, h - 1), "one row too few"),
    (check_crosses, lambda e, s, h: ~crosses(e, s, h), "upside down"),
    (check_crosses, lambda e, s, h: crosses(e, s, 2), "first two rows"),
    (check_crosses, lambda e, s, h: crosses(e, s + h - 2, 2), "last two rows"),
    (check_crosses, lambda e, s, h: e[s + h - 1] - e[s] == 1, "the one after that"),
    (check_crosses, lambda e, s, h: crosses(e, s, h).sum(), "how many"),
    (check_crosses, lambda e, s, h: s[crosses(e, s, h)], "the starts of the windows"),
    (check_clock_share, lambda n, t: ((n == n.max()) & t).mean(), "by all episodes"),
    (check_clock_share, lambda n, t: (n == n.max()).mean(), "only those that are flagged"),
    (check_clock_share, lambda n, t: t.mean(), "whenever they ended"),
    (check_clock_share, lambda n, t: t[n == n.max()].mean(), "the other way round"),
    (check_clock_share, lambda n, t: ((n == n.max()) & t).sum(), "their number"),
    (check_clock_share, lambda n, t: 1 - share(n, t), "did not end by the clock"),
    (check_clock_share, lambda n, t: (n == n.max()) & t, "for each episode"),
    (check_clock_share, lambda n, t: np.divide(((n == n.max()) & t).sum(), t.sum()),
     "divides by zero"),
    (check_alarm, narrow, "on a line … Look at the rank"),
    (check_alarm, flat, "a hundredth … Look at the spread"),
    (check_alarm, lambda f, b: narrow(f, b) and flat(f, b), "a hundredth"),
    (check_alarm, lambda f, b: f.std() < 0.2 * b.std() or flat(f, b), "the mean"),
    (check_alarm, lambda f, b: not (narrow(f, b) or flat(f, b)), "as they were"),
    (check_alarm, lambda f, b: spread(f) < 0.9 * spread(b) or flat(f, b), "half as large"),
    (check_alarm, lambda f, b: abs(np.log(spread(f) / spread(b))) > 1 or flat(f, b), "have grown"),
    (check_alarm, lambda f, b: abs(f.mean() - b.mean()) > 1 or flat(f, b), "moved elsewhere"),
]  # fmt: skip
