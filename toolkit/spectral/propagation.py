"""The recurrence z ← λ̄·z + c over time, in four forms with one reverse rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex

from toolkit.errors import UserError

Form = Literal["auto", "sequential", "associative", "fft", "toeplitz"]


def propagate(
    multipliers: Complex[Array, " modes"],
    start: Complex[Array, "*batch modes"],
    inputs: Complex[Array, "time *batch modes"],
    form: Form = "auto",
) -> Complex[Array, "time *batch modes"]:
    """States z₁ … z_T of z_{k+1} = λ̄·z_k + c_k from z₀ = `start` (Eq. 6).

    Input k acts on state k + 1 with weight one and never on an earlier state. All forms give the
    same result to rounding:

    - `sequential`: the recurrence itself, one scan. Reads and writes every number once.
    - `associative`: a parallel prefix over pairs (λ̄, c); log T levels.
    - `fft`: the paper's zero-padded convolution (Eq. 9); T log T.
    - `toeplitz`: one dense matrix product per mode (Γ of Eq. 6); T², for short T.
    - `auto`: by platform and length; see `choose_form`.

    The gradient is the adjoint recurrence, the same one run backwards with conjugate multipliers.

    Shapes: time leads; any batch axes between time and modes.
    Source: arXiv:2306.11941 Eq. 6, 8, 9.
    Raises:
        UserError: `form` is unknown.
    """
    if form != "auto" and form not in _FORMS:
        raise UserError(f"`form` must be 'auto' or one of {sorted(_FORMS)}, got {form!r}.")
    if len(inputs) == 0:
        return inputs
    return _propagate(form, multipliers, start, inputs)


def choose_form(platform: str, horizon: int) -> Form:
    """The fastest form for a platform and a length.

    On a CPU the scan runs at memory speed at every length (`toolkit bench propagation`). On an
    accelerator a step of a scan costs a kernel launch, so the prefix wins beyond a few steps.
    """
    if platform == "cpu":
        return "sequential"
    return "toeplitz" if horizon <= 8 else "associative"


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _propagate(form: Form, multipliers: Array, start: Array, inputs: Array) -> Array:
    return _run(form, multipliers, start, inputs)


def _forward(form: Form, multipliers: Array, start: Array, inputs: Array):
    states = _run(form, multipliers, start, inputs)
    return states, (multipliers, start, states)


def _backward(form: Form, saved: tuple[Array, Array, Array], cotangents: Array):
    """p_k = λ̄·p_{k+1} + g_k backwards; then ∂c_{k−1} = p_k, ∂z₀ = λ̄·p₁, ∂λ̄ = Σ z_k·p_{k+1}.

    JAX's cotangents transpose a product by λ̄ into a product by λ̄, without the conjugate: `grad`
    of a real loss conjugates once, where it meets the complex number.
    """
    return _run(form, *saved, cotangents, adjoint=True)


_propagate.defvjp(_forward, _backward)


def _run(form: Form, *operands: Array, adjoint: bool = False):
    """The recurrence or its adjoint in one form; `auto` is settled when the platform is known."""
    table = _ADJOINTS if adjoint else _FORMS
    if form != "auto":
        return table[form](*operands)
    horizon = len(operands[-1])
    return lax.platform_dependent(
        *operands,
        cpu=table[choose_form("cpu", horizon)],
        default=table[choose_form("gpu", horizon)],
    )


def _sequential(multipliers: Array, start: Array, inputs: Array) -> Array:
    weights = _beside(multipliers, start)

    def step(state: Array, control: Array) -> tuple[Array, Array]:
        state = weights * state + control
        return state, state

    return lax.scan(step, start, inputs)[1]


def _sequential_adjoint(multipliers: Array, start: Array, states: Array, cotangents: Array):
    """One pass backwards that gathers ∂λ̄ on the way, so that no array is read twice."""
    weights = _beside(multipliers, start)

    def step(carry: tuple[Array, Array], xs: tuple[Array, Array]):
        (later, slope), (state, cotangent) = carry, xs
        slope = slope + state * later
        adjoint = weights * later + cotangent
        return (adjoint, slope), adjoint

    zero = jnp.zeros_like(start)
    (first, slope), adjoint = lax.scan(step, (zero, zero), (states, cotangents), reverse=True)
    return _over_batch(slope + start * first), weights * first, adjoint


def _parallel_adjoint(
    form: str, multipliers: Array, start: Array, states: Array, cotangents: Array
):
    """The same adjoint through a parallel form, run on the cotangents in reverse order."""
    adjoint = _FORMS[form](multipliers, jnp.zeros_like(start), cotangents[::-1])[::-1]
    slope = start * adjoint[0] + (states[:-1] * adjoint[1:]).sum(0)
    return _over_batch(slope), _beside(multipliers, start) * adjoint[0], adjoint


def _associative(multipliers: Array, start: Array, inputs: Array) -> Array:
    weights = _beside(multipliers, start)
    inputs = inputs.at[0].add(weights * start)
    # The factors carry no batch: they are the same for every sample, so a prefix over them is
    # a prefix over (time, modes) only.
    factors = jnp.broadcast_to(weights[None], (len(inputs), *weights.shape))

    def combine(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
        return left[0] * right[0], right[0] * left[1] + right[1]

    return lax.associative_scan(combine, (factors, inputs))[1]


def _fft(multipliers: Array, start: Array, inputs: Array) -> Array:
    """Eq. 9: the circular convolution is made causal by padding to twice the length."""
    horizon = len(inputs)
    powers = _powers(multipliers, horizon + 1)  # λ̄^0 … λ̄^T
    length = 2 * horizon
    kernel = jnp.fft.fft(powers[:-1], length, axis=0)
    spectrum = jnp.fft.fft(inputs, length, axis=0)
    forced = jnp.fft.ifft(_rows_beside(kernel, inputs) * spectrum, axis=0)[:horizon]
    return forced + _rows_beside(powers[1:], inputs) * start[None]


def _toeplitz(multipliers: Array, start: Array, inputs: Array) -> Array:
    """Eq. 6 as written: Γ[k, i] = λ̄^(k−i) for i ≤ k, a dense triangle for every mode."""
    horizon = len(inputs)
    powers = _powers(multipliers, horizon + 1)
    lag = np.arange(horizon)[:, None] - np.arange(horizon)[None, :]
    triangle = jnp.where(lag[..., None] >= 0, powers[np.maximum(lag, 0)], 0)
    forced = jnp.einsum("kim,i...m->k...m", triangle, inputs)
    return forced + _rows_beside(powers[1:], inputs) * start[None]


def _powers(multipliers: Array, count: int) -> Array:
    """λ̄^k for k = 0 … count − 1, `(count, modes)`.

    Multiplied up one by one: rounding then grows like √k, where squaring or a logarithm lets it
    grow like k, which at k = 500 costs the fifth digit.
    """
    return lax.scan(lambda power, _: (power * multipliers, power),
                    jnp.ones_like(multipliers), length=count)[1]  # fmt: skip


def _beside(multipliers: Array, state: Array) -> Array:
    """`(modes,)` → `(1, …, modes)`, with the rank of a state."""
    return multipliers.reshape((1,) * (state.ndim - 1) + multipliers.shape)


def _rows_beside(rows: Array, states: Array) -> Array:
    """`(time, modes)` → `(time, 1, …, modes)`, with the rank of a trajectory."""
    return rows.reshape(rows.shape[:1] + (1,) * (states.ndim - 2) + rows.shape[1:])


def _over_batch(per_sample: Array) -> Array:
    """Sum over every axis but the modes."""
    return per_sample.sum(tuple(range(per_sample.ndim - 1)))


_FORMS: dict[str, Callable] = {
    "sequential": _sequential,
    "associative": _associative,
    "fft": _fft,
    "toeplitz": _toeplitz,
}
_ADJOINTS: dict[str, Callable] = {
    form: _sequential_adjoint if form == "sequential" else partial(_parallel_adjoint, form)
    for form in _FORMS
}
