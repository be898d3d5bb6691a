"""Wrong answers to the exercises of `05_time_reversal_symmetry`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toolkit.exercises.time_reversal_symmetry import (
    check_chain_rule_rate,
    check_friction_of,
    check_memorised_reverse,
    check_reversal_error,
    check_symmetry_violation,
)

R = jnp.array([1.0, -1.0])


def reversal(step: Any, s: Any, a: Any) -> Any:
    return jnp.linalg.norm(R * step(R * step(s, a), a) - s)


def table(z: Any, f: Any, place: Any, tolerance: float) -> Any:
    apart = np.linalg.norm(z + f - place, axis=1)
    row = apart.argmin()
    return -f[row] if apart[row] <= tolerance else np.zeros_like(place)


def jvp(encode: Any, s: Any, v: Any) -> Any:
    return jax.jvp(encode, (s,), (v,))


def norm2(x: Any) -> Any:
    return np.sum(x**2)


def energy(state: Any) -> Any:
    return 0.5 * state[:, 1] ** 2 + 9.81 * (1 - np.cos(state[:, 0]))


def friction(s: Any, t: Any, s2: Any, dt: float, motor: float = 1.0, stored: Any = energy) -> float:
    """By what is missing in the balance of energy."""
    lost = motor * t * (s2[:, 0] - s[:, 0]) - stored(s2) + stored(s)
    squares = (s[:, 1] ** 2 + s[:, 1] * s2[:, 1] + s2[:, 1] ** 2) / 3
    return lost.sum() / squares.sum() / dt


def newton(s: Any, t: Any, s2: Any, dt: float, at: float = 0.5) -> float:
    """By the torque that is missing, at some time of the step."""
    angle, rate = ((1 - at) * s + at * s2).T
    missing = t - 9.81 * np.sin(angle) - (s2[:, 1] - s[:, 1]) / dt
    return missing @ rate / (rate @ rate)


RIGHT: list[tuple[Callable, Callable]] = [
    (check_chain_rule_rate, lambda e, s, v: jax.jacfwd(e)(s) @ v),
    (check_friction_of, newton),
]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(R * p(p(s, a), a) - s), "first flip"),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(p(R * p(s, a), a) - s), "last flip"),
    (
        check_reversal_error,
        lambda p, s, a: jnp.linalg.norm(-R * p(-R * p(s, a), a) - s),
        "flipped the angle",
    ),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(-p(-p(s, a), a) - s), "flipped both"),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(R * p(s, a) - s), "second step"),
    (check_reversal_error, lambda p, s, a: reversal(p, s, a) ** 2, "squared"),
    (check_reversal_error, lambda p, s, a: R * p(R * p(s, a), a) - s, "length is asked"),
    (check_reversal_error, lambda p, s, a: reversal(p, s, a) + 0.5, "must be"),
    (check_chain_rule_rate, lambda e, s, v: jvp(e, s, v)[0], "encoding itself"),
    (check_chain_rule_rate, jvp, "returns two things"),
    (check_chain_rule_rate, lambda e, s, v: jax.vjp(e, s)[1](v)[0], "from the left"),
    (check_chain_rule_rate, lambda e, s, v: e(s + v) - e(s), "whole step"),
    (check_chain_rule_rate, lambda e, s, v: e(v), "encoded rate"),
    (check_chain_rule_rate, lambda e, s, v: jax.jacfwd(e)(s), "whole Jacobian"),
    (check_chain_rule_rate, lambda e, s, v: jvp(e, v, s)[1], "exchanged"),
    (check_symmetry_violation, lambda f, g, z, a: norm2(f(z, a) + g(z, a)), "asked at z_s."),
    (
        check_symmetry_violation,
        lambda f, g, z, a: norm2(f(z, a) - g(z + f(z, a), a)),
        "wrong sign",
    ),
    (check_symmetry_violation, lambda f, g, z, a: norm2(f(z, a) + g(f(z, a), a)), "asked at f"),
    (
        check_symmetry_violation,
        lambda f, g, z, a: np.mean((f(z, a) + g(z + f(z, a), a)) ** 2),
        "mean over coordinates",
    ),
    (
        check_symmetry_violation,
        lambda f, g, z, a: np.linalg.norm(f(z, a) + g(z + f(z, a), a)),
        "this is the length",
    ),
    (check_symmetry_violation, lambda f, g, z, a: f(z, a) + g(z + f(z, a), a), "one number"),
    (check_memorised_reverse, lambda *i: -table(*i), "wrong sign"),
    (check_memorised_reverse, lambda z, f, p, t: table(z, f, p, 1e9), "no longer degenerate"),
    (check_memorised_reverse, lambda z, f, p, t: table(z, f, p, 0.0), "within `tolerance`"),
    (check_memorised_reverse, lambda z, f, p, t: np.zeros(2), "fools nobody"),
    (check_memorised_reverse, lambda z, f, p, t: 0 * p, "fools nobody"),
    (check_friction_of, lambda *given: -friction(*given), "wrong sign: friction"),
    (
        check_friction_of,
        lambda s, t, s2, dt: friction(s, t, s2, dt, motor=0.0),
        "motor is forgotten",
    ),
    (check_friction_of, lambda s, t, s2, dt: friction(s, t, s2, dt, motor=-1.0), "of the motor"),
    (
        check_friction_of,
        lambda s, t, s2, dt: friction(s, t, s2, dt, stored=lambda x: 0.5 * x[:, 1] ** 2),
        "gravity is forgotten",
    ),
    (check_friction_of, lambda s, t, s2, dt: newton(s, t, s2, dt, at=0.0), "for the whole step"),
    (check_friction_of, lambda s, t, s2, dt: dt * friction(s, t, s2, dt), "Δt is forgotten"),
    (check_friction_of, lambda *given: 2 * friction(*given), "factor of 2"),
    (check_friction_of, lambda *given: 1.3, "must be 0.4, got 1.3"),
    (check_friction_of, lambda *given: np.nan, "must be finite"),
    (check_friction_of, lambda s, t, s2, dt: s[:, 1], "one number"),
]
