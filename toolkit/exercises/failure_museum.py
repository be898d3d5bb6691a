"""Checks of `11_failure_museum`: what was done to an exhibit, and four detectors of sabotage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.evaluation.probes import effective_rank
from toolkit.exercises.verdict import NotYet, Verdict, ask, check, compare
from toolkit.studies.museum_exhibits import CAUSES, Museum, cause_of, signs

#: Of each cause: where it shows, with a place for the number there, and how it is mended.
_WHERE = {
    "unstable": (
        "a positive real part puts an eigenvalue outside the unit circle, and the error ahead "
        "grows without end. Here the fastest mode grows by {:+.2f} per second",
        "Bound the real part below 0, as `real_part=\"spread\"` does.",
    ),
    "aliased": (
        "a step longer than half a period fits its own samples and is wrong between them, so that "
        "the error ahead goes up and down. Here the worst error is {:.1f} times the worst at a "
        "step of the model",
        "Record with at least two, better ten rows in a period.",
    ),
    "crossing": (
        "a window across a border asks the model for the start of another episode, so that the "
        "error of a step jumps at the end of an episode. Here the largest error by position is "
        "{:.1f} times the median one",
        "Keep `timeout` and `terminal`, and let `WindowSampler` cut windows.",
    ),
    "timeouts": (
        "a timeout that counts as an end cuts off what would have come, so that the value lies "
        "below the returns. Here the mean return lies {:+.0%} above the mean value",
        "Stop bootstrapping at `terminal` only.",
    ),
    "leaked": (
        "a normaliser has mean 0 on exactly the data that it was fitted to. Here the training "
        "data have a mean of up to {:.2f} standard deviations",
        "Fit it to the training episodes. Errors in its units then get larger, and honest.",
    ),
    "collapsed": (
        "without the stop-gradient all features shrink to a point, and the loss with them. Here "
        "their spread is {:.1f} times smaller than in the healthy run",
        "Put it back, and watch spread and rank beside the loss.",
    ),
    "degenerate": (
        "a degenerate reverse model answers only where the forward model leads, and is silent at "
        "the recorded next state. Here that monitor is {:.3g} times the first",
        "Train with Eq. 13, and show both monitors.",
    ),
}  # fmt: skip


def diagnose(museum: Museum, exhibit: int, cause: str) -> Verdict:
    """Whether this cause is behind an exhibit, counted from 1; and if not, what it would show.

    Raises:
        UserError: there is no such exhibit or no such cause.
    """
    if cause not in CAUSES:
        raise UserError(f"`cause` must be one of {', '.join(CAUSES)}, got {cause!r}.")
    right = cause_of(exhibit)
    number = signs(museum.exhibit(exhibit), museum.healthy)[cause].number
    where, mend = _WHERE[cause]
    told = where.format(number)
    if cause == right:
        return Verdict(True, f"{CAUSES[cause]}: {told}. {mend}")
    usual = signs(museum.healthy, museum.healthy)[cause].number
    was = f"{usual:.3g}"
    return Verdict(
        False,
        f"{told}; in the healthy run the number is {was}. Look for the panel in which the two "
        "runs part.",
    )


@check
def check_largest_step(answer: Callable[..., Any]) -> str:
    """`largest_step(rates)`: π / max |ω|, in seconds."""
    rates = np.array([0.5, -3.1, 2.0, 0.0])
    fastest = np.abs(rates).max()
    mistakes = [
        ("the sign is the direction of the turn. Take the fastest either way: `np.abs`.",
         np.pi / rates.max()),
        ("that is a whole turn per step, which looks like none. Half a turn is the limit.",
         2 * np.pi / fastest),
        ("this takes the rates as turns per second. They are radians per second.",
         1 / (2 * fastest)),
        ("this takes the rates as turns per second. They are radians per second.", 1 / fastest),
        ("a quarter of a turn is safe, and half of what is allowed.", np.pi / 2 / fastest),
        ("the slowest mode allows the longest step; the fastest one decides.",
         np.pi / np.abs(rates)[np.abs(rates) > 0].min()),
        ("the mean mode does not alias, but faster ones do. Take the fastest.",
         np.pi / np.abs(rates).mean()),
        ("this is the angle of a step of one second. Which step makes it π?", fastest),
        ("upside down: π over the rate.", fastest / np.pi),
    ]  # fmt: skip
    compare(ask(answer, rates), np.pi / fastest, mistakes, what="the step")
    return "at that step the fastest mode jumps to and fro; beyond it, it seems to turn back."


@check
def check_crosses(answer: Callable[..., Any]) -> str:
    """`crosses(episode, starts, horizon)`: the window's first and last row differ in episode."""
    episode = np.repeat([0, 1, 2, 3], [6, 2, 7, 5])
    starts, horizon = np.array([0, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15]), 4
    last = starts + horizon - 1
    right = episode[starts] != episode[last]
    mistakes = [
        ("one row too far: a window of `horizon` rows ends at `starts + horizon - 1`.",
         episode[starts] != episode[np.minimum(last + 1, len(episode) - 1)]),
        ("one row too few: a window of `horizon` rows ends at `starts + horizon - 1`.",
         episode[starts] != episode[last - 1]),
        ("upside down: these are the windows that do not cross.", ~right),
        ("this sees a border only between the first two rows of a window.",
         episode[starts] != episode[starts + 1]),
        ("this sees a border only between the last two rows of a window.",
         episode[last - 1] != episode[last]),
        ("this asks whether a window ends in the next episode. It may end in the one after that.",
         episode[last] - episode[starts] == 1),
        ("this is how many of them cross. Answer for each window.", right.sum()),
        ("these are the numbers of the windows that cross. Answer True or False for each.",
         np.flatnonzero(right)),
        ("these are the starts of the windows that cross. Answer True or False for each.",
         starts[right]),
    ]  # fmt: skip
    compare(ask(answer, episode, starts, horizon), right, mistakes, what="the answer")
    return "first and last row are enough, because episodes lie back to back."


@check
def check_clock_share(answer: Callable[..., Any]) -> str:
    """`clock_share(lengths, terminal)`: of the terminal ends, the share at the longest length."""
    lengths = np.array([200, 57, 200, 200, 131, 200, 90, 200, 12, 200])
    terminal = np.array([1, 1, 1, 0, 1, 1, 0, 1, 1, 0], bool)
    longest = lengths == lengths.max()
    right = longest[terminal].mean()
    mistakes = [
        ("this divides by all episodes. Divide by those that are flagged.",
         (longest & terminal).mean()),
        ("this is how often an episode is the longest. Ask only those that are flagged.",
         longest.mean()),
        ("this is how many are flagged, whenever they ended.", terminal.mean()),
        ("the other way round: this is the share of the longest that are flagged.",
         terminal[longest].mean()),
        ("this is their number. Divide by how many are flagged.", (longest & terminal).sum()),
        ("this is the share that did not end by the clock.", 1 - right),
        ("this asks those that are not flagged.", longest[~terminal].mean()),
        ("this answers for each episode. Take the mean over those that are flagged.",
         longest & terminal),
        ("this answers for each flagged episode. Take their mean.", longest[terminal]),
    ]  # fmt: skip
    compare(ask(answer, lengths, terminal), right, mistakes, what="the share")
    none = ask(answer, lengths, np.zeros(len(lengths), bool))
    compare(none, 0.0, [("where nothing is flagged this divides by zero. Return 0.0.", np.nan)],
            what="where nothing is flagged, the share")  # fmt: skip
    return "falls end at any time. What ends at the same row again and again was cut off."


@check
def check_alarm(answer: Callable[..., Any]) -> str:
    """`alarm(features, before)`: spread below a fifth, or effective rank below half, of before."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=(80, 6)) + np.arange(6.0)
    along = np.ones(6) / np.sqrt(6)
    line = np.outer(rng.normal(size=80) * 2.5, along) + 0.01 * rng.normal(size=(80, 6))
    other = rng.normal(size=(80, 6)) - 3.0
    assert effective_rank(line) < 0.5 * effective_rank(before)
    for features, wanted, problem in (
        (before, False, "it rings for features that are as they were."),
        (other, False, "it rings for features that only moved elsewhere. Centre them: neither "
         "spread nor rank depends on the mean."),
        (0.5 * other, False, "it rings for features that are half as large, which learning may "
         "do. Spread counts below a fifth."),
        (10.0 * other, False, "it rings for features that have grown."),
        (0.01 * other, True, "it is silent for features that shrank to a hundredth in all "
         "directions. The rank does not see that. Look at the spread."),
        (0.01 * other + np.arange(0, 60, 10), True, "it is silent for features that shrank "
         "around a large mean. Spread is a standard deviation over rows, `axis=0`, and the mean "
         "is no part of it."),
        (line, True, "it is silent for features that lie on a line, as wide as before. The spread "
         "does not see that. Look at the rank."),
        (np.ones((80, 6)), True, "it is silent for features that are all the same."),
    ):  # fmt: skip
        got = ask(answer, features, before)
        if np.ndim(got) or not isinstance(got, bool | np.bool_):
            raise NotYet(f"it must return True or False, got {type(got).__name__}.")
        if bool(got) is not wanted:
            raise NotYet(problem)
    return "two instruments, because a collapse has two ways: everywhere at once, or onto a line."
