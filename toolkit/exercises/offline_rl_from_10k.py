"""Checks of `07_offline_rl_from_10k`: TD3+BC's actor loss, return to go, IQM, improvement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from toolkit.agents.td3 import normalised_value
from toolkit.evaluation.intervals import interquartile_mean, probability_of_improvement
from toolkit.exercises.verdict import NotYet, ask, check, compare


@check
def check_actor_loss(answer: Callable[..., Any]) -> str:
    """`actor_loss(values, action, recorded, alpha)`: −α·mean Q / mean |Q| + mean (π(s) − a)²."""
    rng = np.random.default_rng(0)
    values, alpha = rng.normal(40.0, 60.0, 64), 2.5
    action, recorded = rng.uniform(-1, 1, (2, 64, 3))
    cloning, size = np.mean((action - recorded) ** 2), np.abs(values).mean()
    own = normalised_value(jnp.asarray(values, jnp.float32), jnp.ones(64, bool))
    value = float(own)
    right = -alpha * value + cloning
    wide = np.sum((action - recorded) ** 2, axis=1).mean()
    mistakes = [
        ("a loss is made small, and values should become large: the first term is negative.",
         alpha * value + cloning),
        ("the cloning term is added: it is a distance, which should become small.",
         -alpha * value - cloning),
        ("`alpha` is forgotten.", -value + cloning),
        ("`alpha` weighs the values, not the cloning.", -value + alpha * cloning),
        ("the values are not divided by their size: rewards ten times as large would drown the "
         "cloning term.", -alpha * values.mean() + cloning),
        ("divide by the mean of |Q|, not by |mean of Q|: that is 1 or −1 whatever the critic says.",
         -alpha * values.mean() / abs(values.mean()) + cloning),
        ("divide by the mean of |Q|, not by the mean of Q.", -alpha + cloning),
        ("the mean goes over the batch *and* the coordinates of the action; yours is a sum over "
         "the coordinates.", -alpha * value + wide),
        ("this is the distance itself. Square the differences.",
         -alpha * value + np.abs(action - recorded).mean()),
        ("this is a sum over the batch. Take means.",
         -alpha * values.sum() / size + np.sum((action - recorded) ** 2)),
        ("the cloning term is missing.", -alpha * value),
        ("only the cloning term is there: that is behaviour cloning.", cloning),
    ]  # fmt: skip
    compare(ask(answer, values, action, recorded, alpha), right, mistakes, what="the loss",
            tolerance=1e-5)  # fmt: skip
    scaled = ask(answer, 10 * values, action, recorded, alpha)
    compare(scaled, right, what="the loss with values ten times as large", tolerance=1e-5)
    return "ten times larger values leave it as it is."


@check
def check_to_go(answer: Callable[..., Any]) -> str:
    """`to_go(reward, discount)`: the discounted return from each step on, (steps,)."""
    rng = np.random.default_rng(1)
    reward, discount = rng.normal(2.0, 1.0, 12), 0.9
    power = discount ** np.arange(12)
    right = np.array([np.sum(reward[t:] * power[: 12 - t]) for t in range(12)])
    plain = np.cumsum(reward[::-1])[::-1]
    mistakes = [
        ("the discount is forgotten.", plain),
        ("this is the discounted return up to each step. A critic looks ahead.",
         np.cumsum(reward * power)),
        ("every return is discounted to the start of the episode. From step t on, the first "
         "reward counts whole.", right * power),
        ("the first reward of each is discounted too: r_t itself counts whole.",
         discount * right),
        ("the reward of the step itself is missing.", right - reward),
        ("this is one number, for the first step. Give one for every step.",
         np.asarray(right[0])),
        ("in the order of the steps, please: yours runs backwards.", right[::-1]),
    ]  # fmt: skip
    got = ask(answer, reward, discount)
    compare(got, right, mistakes, what="the return to go")
    compare(ask(answer, reward, 1.0), plain, what="the return to go without discount")
    return f"{right[0]:.2f} from the start, {right[-1]:.2f} with the last step alone."


@check
def check_iqm(answer: Callable[..., Any]) -> str:
    """`iqm(scores)`: mean of the middle half of all entries of (runs, sets)."""
    rng = np.random.default_rng(2)
    scores = rng.normal(30.0, 25.0, (3, 7)) + rng.normal(0, 40.0, 7)
    right = interquartile_mean(scores)
    entries = np.sort(scores.ravel())
    cut = len(entries) // 4
    inner = np.sort(scores, axis=0)[:, np.argsort(scores.mean(axis=0))]
    low, high = np.quantile(entries, [0.25, 0.75])
    mistakes = [
        ("this is the mean of everything. Leave a quarter out at each end.", scores.mean()),
        ("this is the median: it leaves out all but one.", float(np.median(scores))),
        ("a quarter is left out in all. It is a quarter at *each* end.",
         entries[len(entries) // 8 : len(entries) - len(entries) // 8].mean()),
        ("only the low end is cut.", entries[cut:].mean()),
        ("only the high end is cut.", entries[:-cut].mean()),
        ("sort first: the entries are not in order.", scores.ravel()[cut:-cut].mean()),
        ("all entries are sorted together, of all runs and sets; this cuts whole sets.",
         inner[:, 1:-1].mean()),
        ("this is the width of the middle half, not its mean.", high - low),
        ("the middle of the two quartiles is not the mean of what lies between them.",
         (low + high) / 2),
        ("a quarter of 21 entries is 5, rounded down; you cut one more.",
         entries[cut + 1 : -cut - 1].mean()),
        ("this is the sum. Take the mean.", entries[cut:-cut].sum()),
    ]  # fmt: skip
    compare(ask(answer, scores), right, mistakes, what="the IQM")
    spoiled = scores.copy()
    spoiled[0, 0] = 1e9
    compare(ask(answer, spoiled), interquartile_mean(spoiled), what="the IQM with one huge score")
    tiny = np.array([[1.0, 5.0]])
    compare(ask(answer, tiny), 3.0, what="the IQM of two entries, of which a quarter is none")
    return f"{right:.1f}, where the mean is {scores.mean():.1f}."


@check
def check_improvement(answer: Callable[..., Any]) -> str:
    """`improvement(scores, others)`: share of pairs of runs that the first wins, over sets."""
    rng = np.random.default_rng(3)
    scores = np.round(rng.normal(30.0, 12.0, (3, 5)))
    others = np.round(rng.normal(25.0, 12.0, (4, 5)))
    others[0, :2] = scores[1, :2]  # ties
    right = probability_of_improvement(scores, others)
    one, other = scores[:, None], others[None]
    every = scores.ravel()[:, None], others.ravel()[None]
    mistakes = [
        ("this is how often the *second* wins.", 1 - right),
        ("a tie counts half: nobody won.", np.mean(one > other)),
        ("a tie counts half, not whole.", np.mean(one >= other)),
        ("pairs are made within a set. Scores of different sets cannot be compared.",
         np.mean((every[0] > every[1]) + 0.5 * (every[0] == every[1]))),
        ("each run is compared with *every* run of the other, not with that in the same place.",
         np.mean((scores > others[:3]) + 0.5 * (scores == others[:3]))),
        ("this compares means. Compare runs, pair by pair.",
         np.mean(scores.mean(axis=0) > others.mean(axis=0))),
        ("this is a difference of means. Count who wins.", scores.mean() - others.mean()),
        ("this is a count. Divide by the number of pairs.",
         np.sum((one > other) + 0.5 * (one == other))),
    ]  # fmt: skip
    got = ask(answer, scores, others)
    compare(got, right, mistakes, what="the probability")
    if abs(float(np.asarray(ask(answer, scores, scores))) - 0.5) > 1e-9:
        raise NotYet("against itself every method has 0.5: half of its pairs are won or tied.")
    return f"{right:.2f}; against itself it is 0.5."
