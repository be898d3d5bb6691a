"""One step of an optimiser on a model."""

from __future__ import annotations

from typing import Any, TypeVar

import equinox as eqx
import jax
import optax

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
