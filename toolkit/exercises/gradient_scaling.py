"""Checks of `03_gradient_scaling`: factor, half-life, largest decay, transient peak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import NotYet, ask, check, compare, numbers
from toolkit.spectral.nonnormal import power_norms, sheared_rotation


@check
def check_gradient_factor(answer: Callable[[float, float, int], Any]) -> str:
    """`gradient_factor(real_part, step, lag)`: e^{k·Δt·μ} (Theorem 3.1)."""
    real_part, step, lag = -0.4, 0.05, 30
    right = np.exp(lag * step * real_part)
    mistakes = [
        ("wrong sign: with μ < 0 a gradient shrinks. It is exp(+kΔtμ).", 1 / right),
        ("Δt is forgotten: one environment step is Δt of model time.", np.exp(lag * real_part)),
        ("the lag is forgotten: this is the factor of a single step.", np.exp(step * real_part)),
        ("off by one: a gradient that goes back k steps is multiplied k times, not k − 1.",
         right / np.exp(step * real_part)),
        ("off by one: a gradient that goes back k steps is multiplied k times, not k + 1.",
         right * np.exp(step * real_part)),
        ("this is its logarithm. Take the exponential.", lag * step * real_part),
        ("this is Euler's 1 + Δtμ to the power k. The hold is exact: exp(kΔtμ).",
         (1 + step * real_part) ** lag),
    ]  # fmt: skip
    compare(ask(answer, real_part, step, lag), right, mistakes, what="the factor")
    compare(ask(answer, 0.3, 0.1, 7), np.exp(0.21), what="the factor for μ = 0.3")
    return f"after {lag} steps {right:.2f} of the gradient is left, whatever the frequency."


@check
def check_half_life(answer: Callable[[float, float], Any]) -> str:
    """`half_life(real_part, step)`: steps until a gradient has halved."""
    real_part, step = -0.2, 0.05
    right = np.log(2) / (-real_part * step)
    mistakes = [
        ("wrong sign: a half-life is positive for μ < 0.", -right),
        ("Δt is forgotten: yours is in model time. Divide by Δt for steps.", right * step),
        ("this is the time to 1/e. Half is reached earlier, after log 2 of it.",
         right / np.log(2)),
        ("use the natural logarithm, log 2 = 0.693.", np.log10(2) / (-real_part * step)),
        ("2 must stand inside a logarithm.", 2 / (-real_part * step)),
    ]  # fmt: skip
    compare(ask(answer, real_part, step), right, mistakes, what="the half-life")
    return f"{right:.0f} steps for μ = {real_part} and Δt = {step}."


@check
def check_real_part_for(answer: Callable[[float, float, int], Any]) -> str:
    """`real_part_for(share, step, horizon)`: the μ that leaves this share after the horizon."""
    share, step, horizon = 0.1, 0.02, 100
    right = np.log(share) / (step * horizon)
    mistakes = [
        ("wrong sign: less than the whole is left, so μ is negative.", -right),
        ("Δt is forgotten: divide by the horizon in model time, Δt·k.", np.log(share) / horizon),
        ("the horizon is forgotten: yours loses all of it in a single step.",
         np.log(share) / step),
        ("use the natural logarithm.", np.log10(share) / (step * horizon)),
        ("this is exp(Δtμ), the multiplier. μ itself is asked for.",
         share ** (1 / horizon)),
    ]  # fmt: skip
    compare(ask(answer, share, step, horizon), right, mistakes, what="the real part")
    compare(ask(answer, 1.0, step, horizon), 0.0, what="the real part that keeps everything")
    return "the paper's choice, −0.2 with Δt = 1/512, keeps 96 % over 100 steps."


@check
def check_transient_peak(answer: Callable[[np.ndarray, int], Any]) -> str:
    """`transient_peak(matrix, horizon)`: the largest ‖Kᵏ‖₂ for k = 1…horizon, and its k."""
    matrix, horizon = sheared_rotation(5, -0.1, 0.4), 60
    norms = power_norms(matrix, horizon)
    peak, at = float(norms.max()), int(norms.argmax()) + 1
    got = numbers(ask(answer, matrix, horizon), "the answer")
    if got.shape != (2,):
        raise NotYet("return two numbers, `size, k`.")
    powers = [np.linalg.matrix_power(matrix, k) for k in range(1, horizon + 1)]
    mistakes = [
        ("this is the spectral radius: eigenvalues are what the picture just warned of. Take the "
         "2-norm of each power.", np.exp(-0.1)),
        ("this is the Frobenius norm. The most that a vector is stretched is the 2-norm, "
         "`np.linalg.norm(…, 2)`.", max(np.linalg.norm(p) for p in powers)),
        ("`matrix ** k` takes powers of the elements. `np.linalg.matrix_power` multiplies.",
         max(np.linalg.norm(matrix**k, 2) for k in range(1, horizon + 1))),
        ("this is ‖K‖ to the power k. Norms of products are smaller: first the power, then the "
         "norm.", float(np.linalg.norm(matrix, 2)) ** horizon),
        ("this is the last power, not the largest.", norms[-1]),
    ]  # fmt: skip
    compare(got[0], peak, mistakes, what="the size", tolerance=1e-5)
    compare(got[1], at, [("off by one: k counts from 1, and `argmax` from 0.", at - 1)], what="k")
    return f"a factor of {peak:.1f} after {at} steps, though every |λ| is {np.exp(-0.1):.2f}."
