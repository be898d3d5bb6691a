"""Checks of `09_planning_with_koopman`: feedback, elites' weights, a kept plan, its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import ask, check, compare


@check
def check_feedback(answer: Callable[..., Any]) -> str:
    """`feedback(A, B, P, R)`: K = (R + BᵀPB)⁻¹BᵀPA, (action, state)."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(3, 3)), rng.normal(size=(3, 2))
    root, R = rng.normal(size=(3, 3)), np.diag([0.5, 2.0])
    P = root @ root.T + np.eye(3)
    inner, reach = R + B.T @ P @ B, B.T @ P @ A
    right = np.linalg.solve(inner, reach)
    mistakes = [
        ("the sign: a = −K·s already has the minus.", -right),
        ("this is BᵀPA. It still has to be divided by R + BᵀPB.", reach),
        ("transposed: K has a row for each action.", right.T),
        ("this divides by BᵀPB and forgets R, what actions cost.",
         np.linalg.solve(B.T @ P @ B, reach)),
        ("this divides by R alone: what an action does later costs too, BᵀPB.",
         np.linalg.solve(R, reach)),
        ("A is missing: the feedback looks at where the state goes without an action, A·s.",
         np.linalg.solve(inner, B.T @ P)),
        ("P is missing behind Bᵀ.", np.linalg.solve(inner, B.T @ A)),
        ("multiplied by R + BᵀPB: it is the inverse that stands in front.", inner @ reach),
    ]  # fmt: skip
    compare(ask(answer, A, B, P, R), right, mistakes, what="K", tolerance=1e-6)
    return "actions that cost more are used less: K shrinks as R grows."


@check
def check_weights(answer: Callable[..., Any]) -> str:
    """`weights(values, temperature)`: exp(τ(V − V_max)) over their sum, (elites,)."""
    values, temperature = np.array([-3.0, 1.0, 0.5, -1.0]), 0.5
    each = np.exp(temperature * (values - values.max()))
    right = each / each.sum()
    other = np.exp((values - values.max()) / temperature)
    worse = np.exp(-temperature * (values - values.min()))
    mistakes = [
        ("the weights must sum to 1: divide by their sum.", each),
        ("τ multiplies the values here, it does not divide them.", other / other.sum()),
        ("upside down: a larger value is better and weighs more.", worse / worse.sum()),
        ("τ is forgotten.", np.exp(values) / np.exp(values).sum()),
        ("divide by the sum of the weights, not by their number.", each / len(each)),
        ("divide by the sum, not by the largest.", each / each.max()),
        ("these are shares of the values; use the exponential.", values / values.sum()),
        ("all the same: the better elites weigh more.", np.full(4, 0.25)),
    ]  # fmt: skip
    compare(ask(answer, values, temperature), right, mistakes, what="the weights")
    large = ask(answer, values * 4000.0, temperature)
    compare(large, np.array([0.0, 1.0, 0.0, 0.0]),
            what="with values of thousands (take V_max off first), the weights")  # fmt: skip
    return "one elite that is far better than the rest decides alone."


@check
def check_shifted(answer: Callable[..., Any]) -> str:
    """`shifted(mean)`: without the first action, 0 behind, (horizon, action)."""
    mean = np.arange(1.0, 11.0).reshape(5, 2)
    right = np.concatenate([mean[1:], np.zeros((1, 2))])
    mistakes = [
        ("the last action was never planned: it begins at 0, not at what was first.",
         np.roll(mean, -1, axis=0)),
        ("the last action was never planned: it begins at 0. This repeats the one before.",
         np.concatenate([mean[1:], mean[-1:]])),
        ("wrong direction: the first action has been taken, so drop that one.",
         np.concatenate([np.zeros((1, 2)), mean[:-1]])),
        ("the plan has to keep its length: put zeros behind.", mean[1:]),
        ("this is the old plan: its first action has been taken already.", mean),
        ("shift along time, the first axis, not along actions.",
         np.concatenate([mean[:, 1:], np.zeros((5, 1))], axis=1)),
        ("`np.roll` without `axis=0` runs through all numbers.", np.roll(mean, -1)),
        ("the first action is set to 0 here. Move everything one step forward.",
         np.concatenate([np.zeros((1, 2)), mean[1:]])),
    ]  # fmt: skip
    compare(ask(answer, mean), right, mistakes, what="the mean")
    return "most of a plan is used again."


@check
def check_plan_value(answer: Callable[..., Any]) -> str:
    """`plan_value(rewards, discount)`: Σ γᵗ·r_t of each sample, (samples,)."""
    rng = np.random.default_rng(1)
    rewards, discount = rng.normal(size=(5, 7)), 0.8
    powers = discount ** np.arange(5.0)
    right = powers @ rewards
    mistakes = [
        ("γ is forgotten: a reward t steps ahead counts γᵗ.", rewards.sum(axis=0)),
        ("t counts from 0: the first reward is not discounted.", discount * right),
        ("this adds up the samples. Sum over the horizon, the first axis.", rewards.sum(axis=1)),
        ("every step is discounted alike. Use γᵗ.", discount * rewards.sum(axis=0)),
        ("γ·t is not γᵗ.", (discount * np.arange(5.0)) @ rewards),
        ("in the wrong order: what is near counts most.", powers[::-1] @ rewards),
        ("this is a mean: take the sum.", right / 5),
        ("this is one number. Give each sample its own value.", np.asarray(right.sum())),
        ("these are the discounted rewards. Add them up over the horizon.",
         powers[:, None] * rewards),
    ]  # fmt: skip
    compare(ask(answer, rewards, discount), right, mistakes, what="the value")
    return "with γ = 0 only the first reward would count."
