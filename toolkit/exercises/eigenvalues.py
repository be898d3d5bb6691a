"""Checks of `01_eigenvalue_initialization`: φ₁, zero-order hold, decay and frequency, powers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from toolkit.exercises.verdict import NotYet, agree, ask, check, compare, numbers

_SERIES_ONLY = "the series alone is right only near zero. Use the quotient elsewhere."


@check
def check_phi1(answer: Callable[[np.ndarray], Any]) -> str:
    """`phi1(z)`: (e^z − 1)/z for an array of complex numbers, exact near and at zero."""
    z = np.array([-0.4 + 2.0j, 1.0 + 0.0j, -3.0 - 1.0j])
    mistakes = [
        ("the −1 is missing: φ₁(z) = (e^z − 1)/z.", np.exp(z) / z),
        ("the division by z is missing: φ₁(z) = (e^z − 1)/z.", np.exp(z) - 1),
        ("wrong sign: it is e^z − 1, not 1 − e^z.", (1 - np.exp(z)) / z),
        ("wrong sign in the exponent: this is (1 − e^(−z))/z.", (1 - np.exp(-z)) / z),
        (_SERIES_ONLY, 1 + z / 2 + z**2 / 6),
        (_SERIES_ONLY, 1 + z / 2 + z**2 / 6 + z**3 / 24),
        ("only the real part came back. Keep the result complex.", np.real(_phi1(z))),
    ]
    what = "phi1 of [−0.4 + 2i, 1, −3 − i]"
    compare(ask(answer, z), _phi1(z), mistakes, what=what, tolerance=1e-5)
    _at_zero(numbers(ask(answer, np.array([0.0 + 0.0j, 1.0 + 0.0j])), "phi1(0)"))
    _near_zero(answer)
    return "also at zero and beside it, where the plain quotient loses its digits."


def _at_zero(values: np.ndarray) -> None:
    if values.shape != (2,):
        raise NotYet(f"phi1 of two numbers must be two numbers, got the shape {values.shape}.")
    if not np.isfinite(values[0]):
        raise NotYet(
            f"division by zero: phi1(0) gave {values[0]}, and one such number spoils a model. "
            "The limit is 1. `np.where(z == 0, 1, z)` makes the division safe."
        )
    mistakes = [("phi1(0) is 1, not 0: e^z − 1 and z vanish equally fast.", 0.0)]
    compare(values[0], 1.0, mistakes, what="phi1(0)", tolerance=1e-4)


def _near_zero(answer: Callable[[np.ndarray], Any]) -> None:
    single = np.asarray(ask(answer, np.array([1.0 + 0j]))).dtype == np.complex64
    size, allowed = (1e-4, 1e-5) if single else (1e-9, 1e-10)
    near = np.array([size, 1j * size, -size + 1j * size])
    values = numbers(ask(answer, near), "phi1 near zero")
    if agree(values, _phi1(near), allowed):
        return
    worst = float(np.max(np.abs(values - _phi1(near))))
    raise NotYet(
        f"at |z| ≈ {size:.0e} the error is {worst:.0e}: e^z is so near to 1 that e^z − 1 has lost "
        "its digits. Use the series 1 + z/2 + z²/6 below some small |z|, or `np.expm1`."
    )


def _phi1(z: np.ndarray) -> np.ndarray:
    return np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z))


@check
def check_discretise(answer: Callable[[np.ndarray, float], Any]) -> str:
    """`discretise(eigenvalues, step)`: multipliers exp(Δtλ) and gains Δt·φ₁(Δtλ)."""
    eigenvalues, step = np.array([-0.2 + np.pi * 1j, -1.5 + 0.0j, 0.4j]), 0.25
    multipliers, gains = _pair(ask(answer, eigenvalues, step))
    right = np.exp(step * eigenvalues), step * _phi1(step * eigenvalues)
    if agree(multipliers, right[1], 1e-4) and agree(gains, right[0], 1e-4):
        raise NotYet("the two came in the wrong order: return multipliers first, then gains.")
    mistakes = _wrong_multipliers(eigenvalues, step)
    compare(multipliers, right[0], mistakes, what="the multipliers", tolerance=1e-5)
    mistakes = _wrong_gains(*right, step)
    compare(gains, right[1], mistakes, what="the gains", tolerance=1e-5)
    _still_mode(_pair(ask(answer, np.array([0.0 + 0.0j]), step)), step)
    return "exact at the samples for every step, and safe for a mode that neither decays nor turns."


def _wrong_multipliers(eigenvalues: np.ndarray, step: float) -> list[tuple[str, Any]]:
    z = step * eigenvalues
    return [
        ("this is Euler's rule, 1 + Δtλ. It agrees only for tiny steps and can grow where the "
         "mode decays; the zero-order hold is exact: exp(Δtλ).", 1 + z),
        ("this is the implicit Euler rule 1/(1 − Δtλ). The zero-order hold is exact: exp(Δtλ).",
         1 / (1 - z)),
        ("Δt is forgotten: this is exp(λ), one whole unit of time. Take exp(Δtλ).",
         np.exp(eigenvalues)),
        ("wrong sign: exp(−Δtλ) runs backwards in time, so a decaying mode grows.", np.exp(-z)),
        ("only the decay is here: the rotation went with the imaginary part. Take the exponential "
         "of the complex number.", np.exp(z.real)),
        ("Δt must multiply λ, not divide it.", np.exp(eigenvalues / step)),
    ]  # fmt: skip


def _wrong_gains(multipliers: np.ndarray, gains: np.ndarray, step: float) -> list[tuple[str, Any]]:
    return [
        ("the multipliers are right; the gains are Euler's, Δt. An input that is held while the "
         "mode turns acts with Δt·φ₁(Δtλ).", np.full(len(gains), step)),
        ("Δt is forgotten in the gain: it is Δt·φ₁(Δtλ), not φ₁(Δtλ).", gains / step),
        ("the division by λ is missing in the gain: (exp(Δtλ) − 1)/λ.", multipliers - 1),
        ("the gain is (exp(Δtλ) − 1)/λ; you multiplied by Δt once too often.", gains * step),
        ("wrong sign in the gain: (exp(Δtλ) − 1)/λ.", -gains),
    ]  # fmt: skip


def _pair(result: Any) -> tuple[np.ndarray, np.ndarray]:
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise NotYet("return two arrays, `multipliers, gains`.")
    return numbers(result[0], "the multipliers"), numbers(result[1], "the gains")


def _still_mode(result: tuple[np.ndarray, np.ndarray], step: float) -> None:
    if not all(np.isfinite(part).all() for part in result):
        raise NotYet(
            "division by zero at λ = 0: the gain of a mode at rest came out as "
            f"{result[1].ravel()[0]}. Its limit is Δt, which Δt·φ₁(Δtλ) gives by itself."
        )
    compare(result[1], np.full(1, step), what="the gain of λ = 0", tolerance=1e-5)


@check
def check_decay_and_frequency(answer: Callable[[complex, float], Any]) -> str:
    """`decay_and_frequency(multiplier, dt)`: lifetime in seconds, frequency in Hz."""
    dt = 0.05
    multiplier = complex(np.exp(dt * (-0.8 + 2 * np.pi * 1.5j)))
    lifetime, frequency = 1 / 0.8, 1.5
    got = numbers(ask(answer, multiplier, dt), "the answer")
    if got.shape != (2,):
        raise NotYet("return two numbers, `lifetime, frequency`.")
    if agree(got, np.array([frequency, lifetime]), 1e-6):
        raise NotYet("the two came in the wrong order: return the lifetime first.")
    compare(got[0], lifetime, _wrong_lifetimes(multiplier, dt, lifetime), what="the lifetime")
    compare(got[1], frequency, _wrong_frequencies(multiplier, dt), what="the frequency")
    return f"|λ̄| tells {lifetime:.3g} s, and its angle tells {frequency:.3g} Hz."


def _wrong_lifetimes(multiplier: complex, dt: float, lifetime: float) -> list[tuple[str, Any]]:
    return [
        ("wrong sign: log|λ̄| is negative for a decaying mode, and its lifetime is positive. Take "
         "−Δt/log|λ̄|.", -lifetime),
        ("Δt is forgotten in the lifetime: yours counts steps, not seconds.", lifetime / dt),
        ("this is the decay rate in 1/s. The lifetime is its inverse.", 1 / lifetime),
        ("this is the half-life. The lifetime is the time to 1/e, without log 2.",
         lifetime * np.log(2)),
        ("use the natural logarithm: 1/e, not 1/10.", lifetime * np.log(10)),
        ("the real part of λ̄ mixes decay and rotation. Only |λ̄| tells the decay.",
         -dt / np.log(multiplier.real)),
    ]  # fmt: skip


def _wrong_frequencies(multiplier: complex, dt: float) -> list[tuple[str, Any]]:
    angle = float(np.angle(multiplier))
    turns = angle / (2 * np.pi)
    return [
        ("2π is forgotten: yours is in radians per second. A turn has 2π radians.", angle / dt),
        ("Δt is forgotten in the frequency: yours is in turns per step.", turns),
        ("Δt and 2π are forgotten: this is the angle per step, in radians.", angle),
        ("degrees: a turn has 360 of them or 2π radians, and yours were divided by 2π.",
         np.degrees(angle) / (2 * np.pi * dt)),
        ("degrees: yours is in degrees per second. Divide by 360.", np.degrees(angle) / dt),
        ("this is the period in seconds. The frequency is its inverse.", dt / turns),
        ("wrong sign: the angle of λ̄ is positive here.", -turns / dt),
        ("2π must divide, not multiply.", angle * 2 * np.pi / dt),
        ("the imaginary part of λ̄ is not its angle, only near 1. Use `np.angle`.",
         multiplier.imag / (2 * np.pi * dt)),
    ]  # fmt: skip


@check
def check_vandermonde(answer: Callable[[np.ndarray, int], Any]) -> str:
    """`vandermonde(multipliers, horizon)`: (modes, horizon), Λ[j, k−1] = λ̄_j^k."""
    multipliers, horizon = np.array([0.9 + 0.2j, -0.5j]), 4
    powers = lambda first, stop: multipliers[:, None] ** np.arange(first, stop)[None, :]
    right = powers(1, horizon + 1)
    mistakes = [
        ("off by one: the first column must be λ̄¹, one step ahead. Yours begins with λ̄⁰ = 1, which "
         "belongs to the inputs.", powers(0, horizon)),
        ("off by one: one column too many. `horizon` counts the predicted steps, 1 … horizon.",
         powers(1, horizon + 2)),
        ("the start does not belong to it: drop the column λ̄⁰ = 1.", powers(0, horizon + 1)),
        ("off by one: the last column is missing. `np.arange(1, horizon)` stops before `horizon`.",
         powers(1, horizon)),
        ("transposed: modes are rows, steps are columns.", right.T),
        ("wrong direction: NumPy's `vander` begins with the highest power. Steps go forward in "
         "time.", right[:, ::-1]),
        ("multiples, not powers: a mode is multiplied by λ̄ at every step, so it is `λ̄ ** k`.",
         multipliers[:, None] * np.arange(1, horizon + 1)[None, :]),
        ("only the real part came back. Keep the result complex.", right.real),
        ("only the size came back, and the rotation is lost. Take powers of the complex number.",
         np.abs(right)),
    ]  # fmt: skip
    compare(ask(answer, multipliers, horizon), right, mistakes, what="the matrix")
    return "one product with it carries a start state through every step at once."
