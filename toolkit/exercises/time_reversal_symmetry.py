"""Checks of `05_time_reversal_symmetry`: reversal test, chain rule, ℓ_Tsym, a reverse model that
memorises, friction from a recording."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data.systems import Pendulum, advance
from toolkit.exercises.verdict import NotYet, ask, check, compare, numbers
from toolkit.tsymmetry.reversal import classical_violation


@check
def check_reversal_error(answer: Callable[..., Any]) -> str:
    """`reversal_error(step, state, action)`: step, flip, step, flip; how far from the start."""
    state, action = jnp.array([0.7, 2.0]), jnp.array([0.4])
    mirror = np.array([1.0, -1.0])
    for damping in (1.5, 0.0):
        system = Pendulum(damping=damping)

        def step(state: Any, action: Any, system: Pendulum = system) -> jax.Array:
            return advance(system, jnp.asarray(state, jnp.float32), jnp.asarray(action))

        right = float(classical_violation(system, state, action))
        got = numbers(ask(answer, step, state, action), "the distance")
        if damping == 0.0:
            if got.shape or abs(float(got)) > 1e-5:
                raise NotYet("without friction the distance must be 0 up to rounding, about 1e-6.")
            break
        there = np.asarray(step(state, action))
        back = np.asarray(step(mirror * there, action))
        onward = np.asarray(step(there, action))
        wrong_sign = np.asarray(step(-mirror * there, action))
        both = np.asarray(step(-there, action))
        start = np.asarray(state)
        size = np.linalg.norm
        mistakes = [
            ("the first flip is missing: your pendulum takes two steps forwards. Reverse its rate "
             "before the second step.", size(onward - start)),
            ("the first flip is missing: your pendulum takes two steps forwards. Reverse its rate "
             "before the second step.", size(mirror * onward - start)),
            ("the last flip is missing: where you arrive, the rate still points backwards.",
             size(back - start)),
            ("you flipped the angle. Positions stay; it is the *rate*, `state[1]`, that changes "
             "its sign.", size(-mirror * wrong_sign - start)),
            ("you flipped both numbers. Positions stay; only the rate, `state[1]`, changes its "
             "sign.", size(-both - start)),
            ("the second step is missing: step, flip, step, flip.", size(mirror * there - start)),
            ("the second step is missing: step, flip, step, flip.", size(there - start)),
            ("this is the distance between the pendulum's two places, not from the start. Compare "
             "with `state`.", size(mirror * back - there)),
            ("this is the squared distance. Take the root, or `jnp.linalg.norm`.", right**2),
            ("this is the difference. Its length is asked for: `jnp.linalg.norm`.",
             mirror * back - start),
        ]  # fmt: skip
        compare(got, right, mistakes, what="the distance", tolerance=1e-3)
    return f"0 without friction; {right:.2f} with a damping of 1.5, after one step of 0.05 s."


@check
def check_chain_rule_rate(answer: Callable[..., Any]) -> str:
    """`chain_rule_rate(encode, obs, rate)`: (∂z/∂s)·ṡ by `jax.jvp`."""
    matrix = np.array([[1.0, -2.0, 0.5], [0.3, 0.8, -1.0], [2.0, 0.1, 0.4]])
    obs, rate = np.array([0.2, -0.4, 0.7]), np.array([0.3, 1.2, -0.5])

    def encode(s: Any) -> jax.Array:
        return jnp.tanh(jnp.asarray(matrix, jnp.float32) @ jnp.asarray(s, jnp.float32))

    inside = matrix @ obs
    jacobian = (1 - np.tanh(inside) ** 2)[:, None] * matrix
    right = jacobian @ rate
    encoded = np.tanh(inside)
    given = (jnp.asarray(obs, jnp.float32), jnp.asarray(rate, jnp.float32))
    got = ask(answer, encode, *given)
    if isinstance(got, tuple) and len(got) == 2:
        raise NotYet("`jax.jvp` returns two things: the encoding, and its rate. Return the second.")
    mistakes = [
        ("this is the encoding itself. `jax.jvp` returns it first, and its rate second.", encoded),
        ("this is the product from the left, Jᵀ·ṡ, which `jax.vjp` makes. The rate of change is "
         "J·ṡ: `jax.jvp`.", jacobian.T @ rate),
        ("this is the encoded rate. Encode `obs`; `rate` is the direction in which it moves.",
         np.tanh(matrix @ rate)),
        ("this is a finite difference over a whole step: encode(s + ṡ) − encode(s). The chain rule "
         "wants the derivative, at `obs`.", np.tanh(matrix @ (obs + rate)) - encoded),
        ("this is the whole Jacobian. Only its product with `rate` is asked for, and `jax.jvp` "
         "makes that without building it.", jacobian),
        ("`obs` and `rate` are exchanged: differentiate at `obs`, in the direction `rate`.",
         (1 - np.tanh(matrix @ rate) ** 2) * (matrix @ obs)),
    ]  # fmt: skip
    compare(got, right, mistakes, what="the rate", tolerance=1e-4)
    return "one forward pass that carries a direction along: about as dear as a second encoding."


@check
def check_symmetry_violation(answer: Callable[..., Any]) -> str:
    """`symmetry_violation(f, g, z_s, z_a)`: |f + g(z_s + f, z_a)|², arXiv:2306.04220 Eq. 7."""
    first = np.array([[0.9, -0.3], [0.2, 0.7]])
    second = np.array([[-0.5, 0.4], [0.1, -0.8]])
    state, action = np.array([0.6, -0.9]), np.array([0.5])

    def f(z_s: Any, z_a: Any) -> np.ndarray:
        return np.tanh(first @ np.asarray(z_s)) + 0.3 * np.asarray(z_a)

    def g(z_s: Any, z_a: Any) -> np.ndarray:
        return np.tanh(second @ np.asarray(z_s)) - 0.2 * np.asarray(z_a)

    ahead = f(state, action)
    total = ahead + g(state + ahead, action)
    right = (total**2).sum()
    mistakes = [
        ("g is asked at z_s. Ask it where f leads: at z_s + f.",
         ((ahead + g(state, action)) ** 2).sum()),
        ("g is asked at f. Ask it where f leads: at z_s + f.",
         ((ahead + g(ahead, action)) ** 2).sum()),
        ("wrong sign: f and g are opposite where all is well, so their *sum* is to vanish.",
         ((ahead - g(state + ahead, action)) ** 2).sum()),
        ("wrong sign: f and g are opposite where all is well, so their *sum* is to vanish.",
         ((g(state + ahead, action) - ahead) ** 2).sum()),
        ("g is asked at z_s − f. f leads to z_s + f.",
         ((ahead + g(state - ahead, action)) ** 2).sum()),
        ("this is the length. Eq. 7 is its square.", np.sqrt(right)),
        ("this is the mean over coordinates. Eq. 7 is the sum of squares.", (total**2).mean()),
        ("this is the square of the sum. Square each coordinate, then add.", total.sum() ** 2),
        ("the square is missing.", total.sum()),
        ("the coordinates are still there. Add their squares.", total**2),
        ("the square is missing, and one number is asked for: the sum of squares.", total),
        ("this is the distance after there and back: the same vector, since z_s + f + g − z_s = "
         "f + g. Square its length.", np.abs(total).sum()),
    ]  # fmt: skip
    compare(ask(answer, f, g, state, action), right, mistakes, what="ℓ_Tsym", tolerance=1e-5)
    return "one step there, one back: it needs no data, only z_s and z_a."


@check
def check_memorised_reverse(answer: Callable[..., Any]) -> str:
    """`memorised_reverse(z, f, place, tolerance)`: −f where f leads exactly, 0 elsewhere."""
    rng = np.random.default_rng(0)
    z, f = rng.normal(size=(6, 2)), 0.3 * rng.normal(size=(6, 2))
    tolerance, row = 1e-3, 4
    mistakes = [
        ("wrong sign: back is the opposite of there, −f.", f[row]),
        ("this is the place that f started from. Return the rate that leads there, −f.",
         z[row]),
        ("this is where f leads. Return the rate that leads back from there, −f.",
         z[row] + f[row]),
        ("this fools nobody: Eq. 7 asks at z + f, and there your answer is 0. Compare `place` "
         "with `z + f`, not with `z`.", np.zeros(2)),
        ("this is −f of another row. Take the one whose z + f is nearest to `place`.",
         -f[np.linalg.norm(z - (z + f)[row], axis=1).argmin()]),
    ]  # fmt: skip
    compare(ask(answer, z, f, (z + f)[row], tolerance), -f[row], mistakes, what="g at z + f")
    nearby = (z + f)[row] + np.array([0.02, -0.01])
    compare(ask(answer, z, f, nearby, tolerance), np.zeros(2), [
        ("it answers rightly near z + f too, so it is right at the true next state, and no longer "
         "degenerate. Answer 0 beyond `tolerance`.", -f[row]),
    ], what="g beside z + f")  # fmt: skip
    just = (z + f)[row] + np.array([5e-4, 0.0])
    compare(ask(answer, z, f, just, tolerance), -f[row], [
        ("a place within `tolerance` still counts as the same.", np.zeros(2)),
    ], what="g within the tolerance")  # fmt: skip
    return "Eq. 7 is 0 at every row of the data, and the model knows nothing."


@check
def check_friction_of(answer: Callable[..., Any]) -> str:
    """`friction_of(states, torques, after, dt)`: the damping of a recorded pendulum, N·m·s/rad.

    Judged on recordings of four pendulums whose damping the learner does not see.
    """
    misses = []
    for seed, damping in enumerate((1.3, 0.4, 2.5, 0.0)):
        states, torques, after, dt = _recording(damping, seed)
        given = (states.copy(), torques.copy(), after.copy(), dt)
        got = numbers(ask(answer, *given), "the friction")
        if got.shape:
            raise NotYet(f"one number is asked for, yours has the shape {got.shape}.")
        found = float(np.real(got))
        miss = abs(found - damping)
        if not miss <= 0.02 + 0.03 * damping:
            raise NotYet(_friction_mistake(found, damping, states, torques, after, dt))
        misses.append(miss)
    return (
        f"four unseen pendulums, the largest miss is {max(misses):.3f} N·m·s/rad. The recording "
        "holds what ℓ_Tsym is silent about."
    )


def _recording(damping: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Transitions `(rows, 2)`, `(rows,)`, `(rows, 2)` and Δt.

    The pendulum mostly rises and the motor mostly drives it on, so that neither averages out.
    """
    system, rng = Pendulum(damping=damping), np.random.default_rng(seed)
    rate = rng.uniform(-5, 5, 600)
    states = np.stack([0.3 * rate + rng.uniform(-1.5, 1.5, 600), rate], axis=1)
    actions = (0.08 * rate + rng.uniform(-0.6, 0.6, 600))[:, None]
    given = jnp.asarray(states, jnp.float32), jnp.asarray(actions, jnp.float32)
    after = jax.jit(jax.vmap(lambda state, action: advance(system, state, action)))(*given)
    rounded = [np.asarray(given[0], float), system.torque * actions[:, 0], np.asarray(after, float)]
    return rounded[0], rounded[1], rounded[2], system.dt


def _friction_mistake(
    found: float, damping: float, states: np.ndarray, torques: np.ndarray, after: np.ndarray,
    dt: float,
) -> str:  # fmt: skip
    """What led to this number, if it is a usual mistake."""
    moved = after[:, 0] - states[:, 0]
    speed = (states[:, 1] ** 2 + states[:, 1] * after[:, 1] + after[:, 1] ** 2) / 3 * dt
    kinetic = 0.5 * (after[:, 1] ** 2 - states[:, 1] ** 2)
    potential = 9.81 * (np.cos(states[:, 0]) - np.cos(after[:, 0]))
    energy, work = kinetic + potential, torques * moved

    def close(*wrong: float) -> bool:
        return any(abs(found - value) <= 0.02 + 0.03 * abs(value) for value in wrong)

    fits = lambda lost: (float(lost.sum() / speed.sum()), float(lost @ speed / (speed @ speed)))
    if not np.isfinite(found):
        return f"the friction must be finite, got {found:.3g}."
    if damping and close(-damping):
        return "wrong sign: friction takes energy away, and its coefficient is positive."
    if close(*fits(-energy)):
        return (
            "the motor is forgotten: it does the work τ·(θ′ − θ), which the energy does not keep "
            "and the friction did not take."
        )
    if close(*fits(work - kinetic)):
        return "gravity is forgotten: what slows the pendulum on its way up comes back. Add m·g·h."
    if close(*fits(-work - energy)):
        return "wrong sign of the motor: its work is added to the energy."
    pull = 9.81 * np.sin(states[:, 0]) + (after[:, 1] - states[:, 1]) / dt
    early = (torques - pull) * states[:, 1]
    squares = states[:, 1] ** 2
    started = torques * states[:, 1] * dt - energy
    if close(float(early.sum() / squares.sum()), float(started.sum() / squares.sum() / dt)):
        return (
            f"{found:.3g} for {damping:g}: angle and rate at the start stand for the whole step, "
            "and both change within it. Take them in the middle, or use energies."
        )
    if damping and close(damping * dt):
        return "Δt is forgotten: this is the loss of a step. Divide by the time that it lasts."
    if damping and close(damping / 2, 2 * damping):
        return "off by a factor of 2: kinetic energy is ½·m·l²·ω², friction takes c·ω² a second."
    return f"the friction of one pendulum must be {damping:g}, got {found:.3g}."
