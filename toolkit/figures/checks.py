"""Checks of what a figure is given: done once, at its door, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import UserError
from toolkit.figures.theme import AnyArray

ComplexArray = NDArray[np.complex128]


def finite(name: str, values: AnyArray | Sequence[complex]) -> np.ndarray:
    """The values on the host.

    Raises:
        UserError: one of them is not finite.
    """
    array = np.asarray(values)
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise UserError(f"`{name}` must be finite, got {bad} of {array.size} values that are not.")
    return array


def vector(name: str, values: AnyArray | Sequence[complex]) -> np.ndarray:
    """A non-empty finite array with one axis.

    Raises:
        UserError: it has another shape or is not finite.
    """
    array = finite(name, values)
    if array.ndim != 1 or not array.size:
        raise UserError(f"`{name}` must be a non-empty vector, got the shape {array.shape}.")
    return array


def complex_vector(name: str, values: AnyArray | Sequence[complex]) -> ComplexArray:
    """A non-empty finite vector of complex numbers.

    Raises:
        UserError: it has another shape or is not finite.
    """
    return vector(name, values).astype(np.complex128)


def matrix(name: str, values: AnyArray, like: np.ndarray | None = None) -> np.ndarray:
    """A finite (time, dims) array, of the shape of `like` if that is given.

    Raises:
        UserError: it has another shape or is not finite.
    """
    array = finite(name, values)
    if array.ndim != 2 or 0 in array.shape:
        raise UserError(f"`{name}` must be a (time, dims) array, got the shape {array.shape}.")
    if like is not None and array.shape != like.shape:
        raise UserError(f"`{name}` must have the shape {like.shape}, got {array.shape}.")
    return array


def positive(name: str, value: float) -> float:
    """The number itself.

    Raises:
        UserError: it is not a positive finite number.
    """
    if not (value > 0 and np.isfinite(value)):
        raise UserError(f"`{name}` must be positive, got {value}.")
    return float(value)


def labels_for(given: Sequence[str] | None, count: int, stem: str) -> list[str]:
    """The given names, or `stem 1`, `stem 2`, … where none are given.

    Raises:
        UserError: there are too few or too many.
    """
    if not given:
        return [f"{stem} {i + 1}" for i in range(count)]
    if len(given) != count:
        raise UserError(f"`names` must hold {count} names, got {len(given)}.")
    return list(given)
