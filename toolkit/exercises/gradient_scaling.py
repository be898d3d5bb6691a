"""Checks of `03_gradient_scaling`: factor, half-life, real part, transient peak, coordinates."""

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
    return "the paper's −0.2, with Δt = 1/512, keeps 96 % over 100 steps."


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


@check
def check_calm_coordinates(answer: Callable[[np.ndarray], Any]) -> str:
    """`calm_coordinates(matrix)`: T such that no power of T·K·T⁻¹ stretches any vector."""
    worst = 0.0
    for size, shear in ((5, 0.4), (4, 0.6)):
        matrix = sheared_rotation(size, -0.1, shear)
        change = numbers(ask(answer, matrix.copy()), "T").astype(complex)
        if change.shape != matrix.shape:
            raise NotYet(f"T must have the shape {matrix.shape}, got {change.shape}.")
        if not np.isfinite(change).all() or np.linalg.matrix_rank(change, tol=1e-14) < size:
            raise NotYet("T must be finite and have an inverse.")
        peak, grown = _growth(matrix, np.eye(size)), _growth(matrix, change)
        price = float(np.linalg.cond(change))
        if price > 1e6:
            raise NotYet(
                f"T has the condition number {price:.0e}: its rows are as good as parallel, and "
                "rounding decides what comes out. The eigenvectors of this K are like that."
            )
        if grown > 1 + 1e-6:
            raise NotYet(_still_growing(matrix, change, peak, grown))
        if price > 100 * peak:
            raise NotYet(
                f"nothing grows any more, but T has the condition number {price:.0f}. Come below "
                f"{100 * peak:.0f}, a hundred times the peak of ‖Kᵏ‖."
            )
        worst = max(worst, price / peak)
    return (
        "no power of T·K·T⁻¹ stretches anything. T itself does: its condition number is up to "
        f"{worst:.1f} times the peak of ‖Kᵏ‖. It can never be below 1 times. Why not?"
    )


def _growth(matrix: np.ndarray, change: np.ndarray, horizon: int = 300) -> float:
    """The largest 2-norm of a power of T·K·T⁻¹."""
    power, most, changed = np.eye(len(matrix)), 0.0, change @ matrix @ np.linalg.inv(change)
    for _ in range(horizon):
        power = changed @ power
        most = max(most, float(np.linalg.norm(power, 2)))
    return most


def _still_growing(matrix: np.ndarray, change: np.ndarray, peak: float, grown: float) -> str:
    """What is wrong with a T that leaves powers growing."""
    if _growth(matrix, np.linalg.inv(change)) <= 1 + 1e-6:
        return "this is T⁻¹: new coordinates are y = T·x, so K becomes T·K·T⁻¹."
    if _growth(matrix, change.conj().T) <= 1 + 1e-6:
        return "this is Tᵀ. The length that shrinks is xᵀPx = |Tx|², so P = TᵀT and not T·Tᵀ."
    values, vectors = np.linalg.eigh((change + change.conj().T) / 2)
    if np.allclose(change, change.conj().T) and values.min() > 0:
        root = (vectors * np.sqrt(values)) @ vectors.conj().T
        if _growth(matrix, root) <= 1 + 1e-6:
            return "this is P, which measures squared lengths xᵀPx. T is a root of it, P = TᵀT."
    if np.isclose(grown, peak, rtol=1e-6):
        return (
            f"the powers grow as before, {peak:.1f} times. A rotation or a common factor changes "
            "no norm; directions have to be scaled differently."
        )
    return f"some power still stretches a vector {grown:.3g} times. At most 1 is wanted."
