"""Checks of `04_long_horizon_prediction`: error by horizon, share of persistence, reach, cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import NotYet, ask, check, compare, numbers


@check
def check_normalised_error(answer: Callable[..., Any]) -> str:
    """`normalised_error(prediction, truth, std)`: (windows, horizon + 1, obs) → (horizon,)."""
    rng = np.random.default_rng(0)
    std = np.array([0.1, 2.0, 5.0])
    truth = std * rng.normal(size=(5, 7, 3))
    prediction = truth + std * rng.normal(size=truth.shape) * np.arange(7)[:, None]
    square = ((prediction - truth) / std) ** 2
    right = square.mean((0, 2))[1:]
    raw = (prediction - truth) ** 2
    mistakes = [
        ("off by one: step 0 is the start, which every predictor is given. Leave it out with "
         "`[1:]`.", square.mean((0, 2))),
        ("the units are still there: yours is in raw units, so the coordinate with the largest "
         "numbers decides. Divide the difference by `std`.", raw.mean((0, 2))[1:]),
        ("you divided the squared error by `std`. Its unit is that of the variance: divide before "
         "you square, or by `std**2`.", (raw / std).mean((0, 2))[1:]),
        ("the square is missing, and so errors of opposite sign cancel.",
         ((prediction - truth) / std).mean((0, 2))[1:]),
        ("this is the mean absolute error. Square the difference instead.",
         np.sqrt(square).mean((0, 2))[1:]),
        ("this is the root of the error. The figure shows squared errors.", np.sqrt(right)),
        ("you summed. Take the mean over windows and coordinates, so that the number does not "
         "depend on how many there are.", square.sum((0, 2))[1:]),
        ("wrong axis: there is one number per window. Average over windows and coordinates, axes "
         "0 and 2, and keep time.", square[:, 1:].mean((1, 2))),
        ("wrong axis: there is one number per window. Average over windows and coordinates, axes "
         "0 and 2, and keep time.", square.mean((1, 2))),
        ("wrong axis: there is one number per window. Average over windows and coordinates, axes "
         "0 and 2, and keep time.", square.mean((1, 2))[1:]),
        ("wrong axis: there is one number per coordinate. Average over windows and coordinates, "
         "axes 0 and 2, and keep time.", square[:, 1:].mean((0, 1))),
        ("wrong axis: there is one number per coordinate. Average over windows and coordinates, "
         "axes 0 and 2, and keep time.", square.mean((0, 1))),
        ("the time axis is gone. Average over axes 0 and 2 only.", square[:, 1:].mean()),
        ("the time axis is gone. Average over axes 0 and 2 only.", square.mean()),
        ("the coordinates are still there. Average over them too, axis 2.", square.mean(0)[1:]),
        ("the windows are still there. Average over them too, axis 0.", square.mean(2)[:, 1:]),
    ]  # fmt: skip
    compare(ask(answer, prediction, truth, std), right, mistakes, what="the error by horizon")
    return "1 is now one standard deviation, squared, whatever the unit of a coordinate."


@check
def check_share_of_persistence(answer: Callable[[np.ndarray, np.ndarray], Any]) -> str:
    """`share_of_persistence(error, persistence)`: one number from two curves by horizon."""
    error = np.array([0.02, 0.05, 0.15, 0.4, 0.6])
    persistence = np.array([0.01, 0.4, 1.5, 2.2, 1.9])
    right = error.mean() / persistence.mean()
    mistakes = [
        ("this is the mean of the ratios. At the first step persistence is nearly right, so that "
         "ratio is huge and drowns the others. Take the ratio of the means.",
         (error / persistence).mean()),
        ("upside down: the model's error belongs above, persistence's below.", 1 / right),
        ("this is one ratio per step. One number is asked for: the ratio of the means.",
         error / persistence),
        ("this is the ratio at the last step alone. It can be made to look good by choosing the "
         "horizon; average over all steps first.", error[-1] / persistence[-1]),
        ("this is the mean difference. A share is a ratio.", (persistence - error).mean()),
        ("this is what was gained. The share that is left was asked for: 1 minus it.", 1 - right),
        ("the errors are squared already: do not take roots.", math.sqrt(right)),
        ("the median of the ratios hides the late steps. Take the ratio of the means.",
         np.median(error / persistence)),
        ("this is in per cent. Return the plain ratio.", 100 * right),
    ]  # fmt: skip
    compare(ask(answer, error, persistence), right, mistakes, what="the share")
    return f"the example's model leaves {right:.0%} of persistence's error, over all steps."


@check
def check_first_divergence(answer: Callable[[np.ndarray, float, int], Any]) -> str:
    """`first_divergence(errors, threshold, patience)`: where an error stays above, or None."""
    errors = np.array([0.1, 0.2, 0.7, 0.3, 0.2, 0.6, 0.8, 0.9, 0.4, 0.7])
    threshold, patience, right = 0.5, 3, 6
    got = _step_or_none(answer, errors, threshold, patience)
    mistakes = [
        ("off by one: `errors[0]` is the error *one* step ahead, so its step is 1.", 5),
        ("this is a single excursion: the error is below the threshold again one step later. Find "
         "`patience` steps above it, one after another.", 3),
        ("this is a single excursion, and its place in the array besides. Find `patience` steps "
         "above the threshold, one after another, and count steps from 1.", 2),
        ("this is where the run *ends*. Return the step at which it begins.", 8),
        ("this is where the run *ends*, counted from 0. Return the step at which it begins.", 7),
        ("this is the last step above the threshold.", 10),
        ("this is the last step above the threshold.", 9),
    ]  # fmt: skip
    _compare_step(got, right, mistakes)
    got = _step_or_none(answer, errors[:5], threshold, patience)
    _compare_step(got, None, [("a single excursion is no divergence.", 3),
                              ("a single excursion is no divergence.", 2)])  # fmt: skip
    _compare_step(_step_or_none(answer, np.array([0.9, 0.8, 0.7, 0.1]), 0.5, 3), 1, [
        ("a run may begin at the very first step.", None),
        ("off by one: steps count from 1.", 0),
    ])  # fmt: skip
    _compare_step(_step_or_none(answer, np.array([0.1, 0.2, 0.7, 0.8, 0.9]), 0.5, 3), 3, [
        ("a run may end with the very last step.", None),
    ])  # fmt: skip
    _compare_step(_step_or_none(answer, np.array([0.5, 0.5, 0.1, 0.9]), 0.5, 1), 4, [
        ("an error that equals the threshold is not above it.", 1),
    ])  # fmt: skip
    return "one bad moment is forgiven, a lasting error is not."


@check
def check_waiting_products(answer: Callable[[int, int, int], Any]) -> str:
    """`waiting_products(horizon, units, modes)`: real multiplications inside the loop over time."""
    horizon, units, modes = 100, 20, 30
    gru, koopman = 3 * units**2 * horizon, 4 * modes * horizon
    got = numbers(ask(answer, horizon, units, modes), "the answer")
    if got.shape != (2,):
        raise NotYet("return two numbers, the GRU's and the Koopman model's.")
    if tuple(got) == (koopman, gru):
        raise NotYet("the two are exchanged: the GRU's comes first.")
    compare(got[0], gru, [
        ("the GRU's: this is a single step. There are `horizon` of them.", gru // horizon),
        ("the GRU's: it has three gates, each with its own matrix.", gru // 3),
        ("the GRU's: a matrix times a vector takes `units` multiplications for each of its "
         "3·`units` results.", 3 * units * horizon),
        ("the GRU's: the gates take units², not units³, for one vector.",
         3 * units**3 * horizon),
        ("the GRU's: these are two matrices too many. The products with the action do not wait "
         "for the state and are left out.", 2 * gru),
    ], what="the GRU's number")  # fmt: skip
    compare(got[1], koopman, [
        ("the Koopman model's: this is a single step. There are `horizon` of them.",
         koopman // horizon),
        ("the Koopman model's: (a + bi)(c + di) takes four real multiplications, not one.",
         koopman // 4),
        ("the Koopman model's: (a + bi)(c + di) takes four real multiplications, not two.",
         koopman // 2),
        ("the Koopman model's: its matrix is *diagonal*. Each mode is multiplied by its own "
         "eigenvalue alone.", modes**2 * horizon),
        ("the Koopman model's: its matrix is *diagonal*. Each mode is multiplied by its own "
         "eigenvalue alone.", 4 * modes**2 * horizon),
    ], what="the Koopman model's number")  # fmt: skip
    ratio = 3 * 224**2 / (4 * 96)
    return f"with 224 units and 96 modes the two are apart by a factor of {ratio:.0f}."


def _step_or_none(answer: Callable[..., Any], *inputs: Any) -> float | None:
    """What the learner's function returns; here None is an answer."""
    if not callable(answer):
        ask(answer)  # says so
    nothing = object()

    def boxed(*arguments: Any) -> Any:
        found = answer(*arguments)
        return nothing if found is None else found

    found = ask(boxed, *inputs)
    if found is nothing:
        return None
    values = numbers(found, "the step")
    if values.shape != ():
        raise NotYet(f"return one step, or None; got the shape {values.shape}.")
    return float(values)


def _compare_step(got: Any, right: int | None, mistakes: list[tuple[str, Any]]) -> None:
    """Fail unless the step is right, in the words of the first mistake that fits."""
    if got == right:
        return
    for sentence, wrong in mistakes:
        if got == wrong:
            raise NotYet(sentence)
    if right is None:
        raise NotYet(f"no run is long enough here, so return None; got step {got:g}.")
    told = "None" if got is None else f"{got:g}"
    raise NotYet(f"the step must be {right}, got {told}.")
