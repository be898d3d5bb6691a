"""Wrong answers to the exercises of `09_planning_with_koopman`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from toolkit.exercises.planning_with_koopman import (
    check_feedback,
    check_plan_value,
    check_shifted,
    check_weights,
)


def softmax(x):
    each = np.exp(x - x.max())
    return each / each.sum()


def feedback(A, B, P, R):
    return np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_feedback, lambda *a: -feedback(*a), "already has the minus"),
    (check_feedback, lambda A, B, P, R: B.T @ P @ A, "still has to be divided"),
    (check_feedback, lambda *a: feedback(*a).T, "transposed"),
    (check_feedback, lambda A, B, P, R: np.linalg.solve(B.T @ P @ B, B.T @ P @ A), "forgets R"),
    (check_feedback, lambda A, B, P, R: np.linalg.solve(R, B.T @ P @ A), "R alone"),
    (check_feedback, lambda A, B, P, R: np.linalg.solve(R + B.T @ P @ B, B.T @ P), "A is missing"),
    (check_feedback, lambda A, B, P, R: np.linalg.solve(R + B.T @ P @ B, B.T @ A), "P is missing"),
    (check_feedback, lambda A, B, P, R: (R + B.T @ P @ B) @ B.T @ P @ A, "it is the inverse"),
    (check_weights, lambda v, t: np.exp(t * (v - v.max())), "must sum to 1"),
    (check_weights, lambda v, t: softmax(v / t), "does not divide"),
    (check_weights, lambda v, t: softmax(-t * v), "upside down"),
    (check_weights, lambda v, t: softmax(v), "τ is forgotten"),
    (check_weights, lambda v, t: np.full(len(v), 1 / len(v)), "weigh more"),
    (check_weights, lambda v, t: np.exp(t * v) / np.exp(t * v).sum(), "take V_max off first"),
    (check_shifted, lambda m: np.roll(m, -1, axis=0), "not at what was first"),
    (check_shifted, lambda m: np.concatenate([m[1:], m[-1:]]), "repeats the one before"),
    (check_shifted, lambda m: np.concatenate([0 * m[:1], m[:-1]]), "wrong direction"),
    (check_shifted, lambda m: m[1:], "keep its length"),
    (check_shifted, lambda m: m, "the old plan"),
    (check_shifted, lambda m: np.roll(m, -1), "runs through all numbers"),
    (check_plan_value, lambda r, g: r.sum(0), "γ is forgotten"),
    (check_plan_value, lambda r, g: g ** np.arange(1, len(r) + 1) @ r, "counts from 0"),
    (check_plan_value, lambda r, g: r.sum(1), "adds up the samples"),
    (check_plan_value, lambda r, g: g * r.sum(0), "discounted alike"),
    (check_plan_value, lambda r, g: (g ** np.arange(len(r)))[::-1] @ r, "what is near"),
    (check_plan_value, lambda r, g: (g ** np.arange(len(r))[:, None]) * r, "Add them up"),
]
