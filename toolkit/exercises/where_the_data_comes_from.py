"""Checks of `02_where_the_data_comes_from`, and the spoilt files of its puzzle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.coverage import nearest_distances
from toolkit.data.dataset import Dataset
from toolkit.data.loading import load
from toolkit.data.writing import write_d4rl
from toolkit.exercises.verdict import NotYet, ask, check, compare

HEALTHY = "healthy"
LATE = "actions one row late"
FOREIGN = "actions of other rows"
ENDS = "timeouts stored as terminals"
NO_REWARD = "rewards all zero"
#: What can be wrong with a file of the puzzle.
SABOTAGES = (HEALTHY, LATE, FOREIGN, ENDS, NO_REWARD)
_TRUTH = {"A": ENDS, "B": LATE, "C": HEALTHY, "D": NO_REWARD, "E": FOREIGN}
_EVIDENCE = {
    HEALTHY: "its rewards vary, its terminals lie outside the blue region and its timeouts inside, "
    "and its actions explain most at lag 0.",
    LATE: "look at the last panel: which lag explains most? In a sound file it is lag 0.",
    FOREIGN: "look at the last panel: does any lag stand out? An action must explain something of "
    "what happens next.",
    ENDS: "look where its episodes end. A robot that is marked terminal has fallen; some of these "
    "stand upright, and many last exactly as long as the recorder allows. The doctor counts those.",
    NO_REWARD: "look at the rewards, or read the doctor's report: it has a finding of its own for "
    "them.",
}
TIME_LIMIT = 100  # of the puzzle's recorder, transitions


@check
def check_td_target(answer: Callable[..., Any]) -> str:
    """`td_target(reward, next_value, terminal, timeout, discount)`: r + γ(1 − terminal)·V(s′)."""
    rng, discount = np.random.default_rng(0), 0.9
    reward, value = rng.normal(1.0, 0.5, 12), rng.normal(20.0, 5.0, 12)
    terminal = np.isin(np.arange(12), (1, 4, 9))
    timeout = np.isin(np.arange(12), (3, 6, 11))
    done = terminal | timeout
    right = reward + discount * ~terminal * value
    mistakes = [
        ("you stop at timeouts too. There the world goes on and only the recording stopped, so "
         "the value of the next state counts. Look at `terminal` alone.",
         reward + discount * ~done * value),
        ("the two flags are exchanged: you stop at timeouts, and go on behind a fall.",
         reward + discount * ~timeout * value),
        ("nothing stops at a terminal: behind a fall there is no future, so nothing is added.",
         reward + discount * value),
        ("wrong sense: `terminal` is true where the future must go away. Multiply by 1 − terminal.",
         reward + discount * terminal * value),
        ("γ is missing: it is `discount` times the next state's value.",
         reward + ~terminal * value),
        ("wrong sign: the discounted value is added to the reward.",
         reward - discount * ~terminal * value),
        ("the reward goes away at terminals in yours. It was paid for this step; only the future "
         "goes away.", ~terminal * (reward + discount * value)),
        ("the reward is missing: r + γ(1 − terminal)·V(s′).", discount * ~terminal * value),
        ("γ multiplies the next value alone; the reward of this step is not discounted.",
         discount * (reward + ~terminal * value)),
        ("off by one: you used the flags of the row before. Row i's flag says what row i led to.",
         reward + discount * ~np.roll(terminal, 1) * value),
    ]  # fmt: skip
    got = ask(answer, reward, value, terminal, timeout, discount)
    compare(got, right, mistakes, what="the target")
    return "a fall has no future; a cut-off has one that nobody wrote down."


@check
def check_log_density(answer: Callable[..., Any]) -> str:
    """`log_density(action, mean, log_std)`: of a = tanh(u), u normal; (rows, action) → (rows,)."""
    rng = np.random.default_rng(1)
    mean, log_std = rng.normal(0, 0.4, (6, 3)), rng.normal(-0.8, 0.2, (6, 3))
    u = mean + np.exp(log_std) * rng.normal(size=(6, 3))
    action = np.tanh(u)
    noise = (u - mean) / np.exp(log_std)
    normal = -0.5 * noise**2 - log_std - 0.5 * np.log(2 * np.pi)
    slope = np.log(1 - action**2)
    each = normal - slope
    flat = lambda a: -0.5 * ((a - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)
    mistakes = [
        ("the change of variables is missing: this is the density of u, not of a = tanh(u). "
         "Subtract log(1 − a²) for every coordinate.", normal.sum(1)),
        ("wrong sign of the correction: tanh squeezes, and so the density grows. Subtract "
         "log(1 − a²), which is negative.", (normal + slope).sum(1)),
        ("the action went into the normal density as it is. Undo the tanh first: u = artanh(a).",
         flat(action).sum(1)),
        ("the action went into the normal density as it is. Undo the tanh first: u = artanh(a).",
         (flat(action) - slope).sum(1)),
        ("wrong axis: you summed over rows. A row's coordinates are independent, so sum over axis "
         "1.", each.sum(0)),
        ("still one number per coordinate. They are independent, so their log-densities add up: "
         "sum over axis 1.", each),
        ("that is the mean over coordinates. Independent coordinates multiply, so their "
         "log-densities are summed.", each.mean(1)),
        ("everything was summed. Keep one number per row: sum over axis 1.", each.sum()),
        ("this is the density. Return its logarithm.", np.exp(each.sum(1))),
        ("wrong sign: this is the negative log-density, a loss.", -each.sum(1)),
        ("log σ is missing: a narrow normal density is higher.", (each + log_std).sum(1)),
        ("wrong sign of log σ: a narrow normal density is higher, so it is subtracted.",
         (each + 2 * log_std).sum(1)),
        ("the constant ½·log 2π of the normal density is missing in every coordinate.",
         (each + 0.5 * np.log(2 * np.pi)).sum(1)),
        ("σ is squared once too often: the noise is (u − mean)/σ with σ = exp(log_std).",
         (each + 0.5 * noise**2 - 0.5 * (noise / np.exp(log_std)) ** 2).sum(1)),
    ]  # fmt: skip
    compare(ask(answer, action, mean, log_std), each.sum(1), mistakes, what="the log-density")
    return "the number that the toolkit's own files store beside every action."


@check
def check_nearest_kept(answer: Callable[..., Any]) -> str:
    """`nearest_kept(rows, kept)`: mean distance of a row to its nearest kept one, in z-scores."""
    rng = np.random.default_rng(2)
    rows, kept = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    square = (rows[:, None] - kept[None]) ** 2  # (rows, kept, obs)
    distance = np.sqrt(square.mean(2))
    right = distance.min(1).mean()
    mistakes = [
        ("wrong axis: you asked for each kept row which of all rows is nearest, and that is small "
         "by construction. Ask for each row of the whole set: the minimum over kept rows.",
         distance.min(0).mean()),
        ("that is the farthest kept row. Take the minimum.", distance.max(1).mean()),
        ("that is the distance to a typical kept row. Take the minimum over kept rows first.",
         distance.mean()),
        ("the root is missing: these are squared distances.", square.mean(2).min(1).mean()),
        ("the root comes too late: take it for each row, then the mean.",
         np.sqrt(square.mean(2).min(1).mean())),
        ("you summed over coordinates. Take their mean, so that the number does not grow with "
         "their count.", np.sqrt(square.sum(2)).min(1).mean()),
        ("that is the mean absolute difference; take the root of the mean square.",
         np.sqrt(square).mean(2).min(1).mean()),
        ("each coordinate found its own nearest row. One row must be near in all coordinates at "
         "once: the mean over coordinates comes before the minimum.",
         np.sqrt(square.min(1).mean(1)).mean()),
        ("one number per row is left. Take the mean over rows.", distance.min(1)),
        ("that is the median row. The figure shows the mean.", np.median(distance.min(1))),
        ("that is one single row. Take the mean over all of them.", distance.min()),
        ("that is the worst row. Take the mean over all of them.", distance.min(1).max()),
    ]  # fmt: skip
    compare(ask(answer, rows, kept), right, mistakes, what="the distance")
    return "small where the rows left out look like rows kept; it is the left panel above."


@check
def check_sabotage(answer: Callable[[], Any]) -> str:
    """`name_the_sabotage()`: what is wrong with each file of the puzzle, by its letter."""
    got = ask(answer)
    if not isinstance(got, Mapping) or set(got) != set(_TRUTH):
        raise NotYet(f"return a dictionary with one entry for each of {', '.join(_TRUTH)}.")
    for letter, said in got.items():
        if said not in SABOTAGES:
            raise NotYet(f"file {letter}: {said!r} is none of {', '.join(SABOTAGES)}.")
    for letter, truth in _TRUTH.items():
        if got[letter] != truth:
            raise NotYet(f"file {letter} is not “{got[letter]}”: {_hint(got[letter], truth)}")
    return (
        "all five. The doctor finds two of them: what is plausible row by row shows only when rows "
        "are held against each other, or against a simulator."
    )


@check
def check_choose_rows(answer: Callable[[np.ndarray, int], Any]) -> str:
    """`choose_rows(rows, count)`: row numbers that leave no row of a replay set far from a kept
    one; judged by the largest distance that is left, against the best of twenty random draws.
    """
    rows, count = _replay_rows(), 100
    got = ask(answer, rows.copy(), count)
    kept = np.asarray(got)
    if kept.dtype == bool:
        raise NotYet("this is a mask. Return row numbers: `np.flatnonzero(mask)`.")
    if kept.shape != (count,) or kept.dtype.kind not in "iu":
        raise NotYet(
            f"return {count} row numbers, integers of shape ({count},); yours have the type "
            f"{kept.dtype} and the shape {kept.shape}."
        )
    if kept.min() < 0 or kept.max() >= len(rows):
        raise NotYet(
            f"off by one: row numbers go from 0 to {len(rows) - 1}; yours go from {kept.min()} to "
            f"{kept.max()}."
        )
    if len(set(kept.tolist())) < count:
        raise NotYet(f"{count - len(set(kept.tolist()))} of the rows are kept twice.")
    size = np.square(rows).sum(1).argsort()
    for sentence, wrong in [
        ("these are the first rows. The file begins with the earliest policy: section 4.",
         np.arange(count)),
        ("these are the rows nearest to the mean: a crowd in the middle, and nothing else.",
         size[:count]),
        ("these are the rows farthest from the mean: outliers, and nobody in the middle.",
         size[-count:]),
    ]:  # fmt: skip
        if set(kept.tolist()) == set(wrong.tolist()):
            raise NotYet(sentence)
    draws = [np.random.default_rng(i).permutation(len(rows))[:count] for i in range(20)]
    chance = np.array([_gaps(rows, draw) for draw in draws])
    hole, mean = _gaps(rows, kept)
    best = float(chance[:, 0].min())
    if hole > 0.8 * best:
        told = "no better than chance" if hole > 0.95 * best else "better than chance, not enough"
        raise NotYet(
            f"{told}: some row is {hole:.2f} standard deviations from all that is kept, where the "
            f"best of twenty random draws has {best:.2f}. Come below {0.8 * best:.2f}: where is "
            "the hole, and which row would close it?"
        )
    return (
        f"the largest hole is {hole:.2f} standard deviations wide; the best of twenty random draws "
        f"has {best:.2f}. The mean distance is {mean:.3f}, that of random rows "
        f"{chance[:, 1].mean():.3f}: what did you pay for the worst case?"
    )


def _replay_rows() -> np.ndarray:
    """Every fourth state of the bundled replay set, as z-scores."""
    rows = np.asarray(load("toolkit/hopper-medium-replay").observations, float)[::4]
    return (rows - rows.mean(0)) / rows.std(0)


def _gaps(rows: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Largest and mean distance of a row to its nearest kept one."""
    nearest = nearest_distances(rows, rows[kept])
    return float(nearest.max()), float(nearest.mean())


def _hint(said: str, truth: str) -> str:
    if truth == HEALTHY:
        return _EVIDENCE[HEALTHY]
    if {said, truth} == {LATE, FOREIGN}:
        return (
            "late actions still explain something, at another lag; actions of other rows explain "
            "nothing at any lag. Compare the last panels of both files."
        )
    return _EVIDENCE[truth]


def write_puzzle(dataset: Dataset, folder: str | Path) -> dict[str, Path]:
    """Write the puzzle's files, one per letter: recordings of `dataset` with a time limit.

    All but one are spoilt, each in its own way. The recorder stops an episode after `TIME_LIMIT`
    transitions, so that falls and cut-offs both occur.
    """
    sound = _with_time_limit(dataset)
    written = {}
    for letter, sabotage in _TRUTH.items():
        raw = replace(_spoil(sound, sabotage), name=f"file {letter}")
        written[letter] = write_d4rl(Path(folder) / f"{letter}.hdf5", raw)
    return written


def _with_time_limit(dataset: Dataset) -> RawArrays:
    bounds = dataset.episode_bounds()
    stops = np.minimum(bounds[:, 1], bounds[:, 0] + TIME_LIMIT)
    kept = np.concatenate([np.arange(a, b) for a, b in zip(bounds[:, 0], stops, strict=True)])
    terminal = np.asarray(dataset.terminal)[kept]
    last = np.zeros(dataset.num_transitions, bool)
    last[stops - 1] = True
    attributes = {"env": dataset.source.env} if dataset.source.env else {}
    return RawArrays(
        np.asarray(dataset.observations)[kept], np.asarray(dataset.actions)[kept],
        np.asarray(dataset.rewards)[kept], terminal,
        np.asarray(dataset.next_observations)[kept], last[kept] & ~terminal, attributes=attributes,
    )  # fmt: skip


def _spoil(raw: RawArrays, sabotage: str) -> RawArrays:
    if sabotage == LATE:
        return replace(raw, actions=np.roll(raw.actions, 1, axis=0))
    if sabotage == FOREIGN:
        order = np.random.default_rng(0).permutation(len(raw.actions))
        return replace(raw, actions=raw.actions[order])
    if sabotage == ENDS:
        assert raw.timeouts is not None
        return replace(
            raw, terminals=raw.terminals | raw.timeouts, timeouts=np.zeros_like(raw.timeouts)
        )
    if sabotage == NO_REWARD:
        return replace(raw, rewards=np.zeros_like(raw.rewards))
    return raw
