"""The latent recurrence in all its forms, as multiples of one pass over the array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array

from toolkit.bench.timing import Row, interleaved, memory_bytes, rows
from toolkit.spectral.propagation import Form, choose_form, propagate

FORMS: tuple[Form, ...] = ("sequential", "associative", "fft", "toeplitz", "auto")
HORIZONS = (10, 100, 500, 2000)
REFERENCE = "one pass over the array"

#: Beyond this length the dense T² products of `toeplitz` take longer than all else together.
_LONGEST_TOEPLITZ = 100
#: Arrays of the input's size that the hungriest form (`fft` with its gradient) holds at once.
_ARRAYS_HELD = 16
_MOST_BYTES = 12 * 10**9


def measure(
    horizons: Sequence[int] = HORIZONS,
    *,
    batch: int = 256,
    modes: int = 256,
    repetitions: int = 20,
    on_horizon: Callable[[list[Row]], None] = lambda rows: None,
) -> tuple[list[Row], list[str]]:
    """Every form at every horizon, forward and with its gradient, and notes on what was left out.

    Arrays are complex64 and `(time, batch, modes)`. The loss behind the gradient is the mean of
    |z|², and the gradient is taken with respect to multipliers, start and inputs. The reference
    multiplies the same array by two. The forms that never win on this kind of device take part in
    every fourth repetition only, and horizons above 500 have a quarter of the repetitions.
    """
    measured, notes = [], []
    for horizon in horizons:
        fitting = fitting_batch(horizon, batch, modes)
        if fitting < batch:
            notes.append(f"T={horizon}: batch {fitting} in place of {batch}, for want of memory")
        if horizon > _LONGEST_TOEPLITZ:
            notes.append(f"T={horizon}: no toeplitz, whose work grows with T²")
        count = repetitions if horizon <= 500 else max(repetitions // 4, 3)
        cases = dict(_cases(horizon, fitting, modes))
        found = rows(interleaved(cases, count, is_rare=_is_rare), REFERENCE)
        on_horizon(found)
        measured += found
    return measured, notes


def fitting_batch(horizon: int, batch: int, modes: int) -> int:
    """The batch halved until all that is held at once fits into half of the memory."""
    limit = min(_MOST_BYTES, memory_bytes() // 2)
    while batch > 1 and _ARRAYS_HELD * horizon * batch * modes * 8 > limit:
        batch //= 2
    return batch


def _is_rare(case: str) -> bool:
    """Whether a case is of a form that is neither chosen here nor the plain recurrence."""
    often = {"auto", "sequential", choose_form(jax.default_backend(), 100)}
    return case != REFERENCE and case.split("/")[1] not in often


def _cases(horizon: int, batch: int, modes: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    operands = make_operands(horizon, batch, modes)
    double = jax.jit(lambda array: 2 * array)
    yield REFERENCE, partial(double, operands[2])
    for form in FORMS:
        if form == "toeplitz" and horizon > _LONGEST_TOEPLITZ:
            continue
        forward = jax.jit(partial(propagate, form=form))
        gradient = jax.jit(jax.value_and_grad(partial(mean_energy, form), argnums=(0, 1, 2)))
        yield f"propagation/{form}/forward/T={horizon}", partial(forward, *operands)
        yield f"propagation/{form}/grad/T={horizon}", partial(gradient, *operands)


def make_operands(horizon: int, batch: int, modes: int) -> tuple[Array, Array, Array]:
    """Multipliers just inside the unit circle, a start and inputs: nothing overflows."""
    parts = jr.normal(jr.key(0), (2, horizon + 1, batch, modes))
    values = lax.complex(parts[0], parts[1])
    angle = jnp.linspace(0, jnp.pi, modes)
    multipliers = 0.99 * lax.complex(jnp.cos(angle), jnp.sin(angle))
    return multipliers, values[0], values[1:]


def mean_energy(form: Form, multipliers: Array, start: Array, inputs: Array) -> Array:
    """Mean of |z|² over time, batch and modes."""
    states = propagate(multipliers, start, inputs, form)
    return jnp.mean(jnp.square(states.real) + jnp.square(states.imag))
