"""Steps of an optimiser on a model, and steps that are not always due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import equinox as eqx
import jax
import optax
from jax import lax
from jaxtyping import Array, Bool

Params = TypeVar("Params")


def gradient_step(
    optimiser: optax.GradientTransformation, params: Params, grads: Any, opt_state: Any
) -> tuple[Params, Any]:
    """The parameters after one step along `grads`, and the optimiser's state after it."""
    with jax.numpy_dtype_promotion("standard"):  # Adam's bias correction mixes int and float
        updates, opt_state = optimiser.update(
            grads, opt_state, eqx.filter(params, eqx.is_inexact_array)
        )
    return eqx.apply_updates(params, updates), opt_state


def start(optimiser: optax.GradientTransformation, params: Any) -> Any:
    """The optimiser's state before the first step."""
    return optimiser.init(eqx.filter(params, eqx.is_inexact_array))


def when(due: Bool[Array, ""], change: Callable[[Params], Params], state: Params) -> Params:
    """`change(state)` where it is due, else the state; what is not due costs nothing."""
    arrays, static = eqx.partition(state, eqx.is_array)

    def changed(arrays: Any) -> Any:
        return eqx.filter(change(eqx.combine(arrays, static)), eqx.is_array)

    return eqx.combine(lax.cond(due, changed, lambda same: same, arrays), static)
