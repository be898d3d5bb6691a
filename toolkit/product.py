"""Rows times a matrix, for rows with any number of leading axes, fast under nested `vmap`.

A vector-matrix product that is vmapped twice becomes a product with two leading axes. XLA's CPU
backend computes its gradient with respect to the matrix from a transposed copy of the cotangent,
which took longer than the product itself (a third of a training update). Here leading axes are
kept together as rows, so that forward and backward are plain matrix products.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float


def row_product(
    x: Float[Array, "*leading inner"], matrix: Float[Array, "inner outer"]
) -> Float[Array, "*leading outer"]:
    """x·M over the last axis of x; all transformations of JAX apply."""
    return _product_p.bind(x, matrix)


def _rows(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _product(x: Array, matrix: Array) -> Array:
    return (_rows(x) @ matrix).reshape(*x.shape[:-1], matrix.shape[1])


def _batched(operands: Any, axes: Any) -> tuple[Array, int]:
    """Another axis of x is one more leading axis; a batch of matrices is an ordinary product."""
    (x, matrix), (x_axis, matrix_axis) = operands, axes
    if matrix_axis is None:
        if x_axis == x.ndim - 1:
            x, x_axis = jnp.moveaxis(x, x_axis, 0), 0
        return row_product(x, matrix), x_axis
    plain = jax.vmap(_product, (x_axis, matrix_axis))
    return plain(x, matrix), 0


def _transposed_product(x: Array, y: Array) -> Array:
    """xᵀ·y. With a single column XLA would write out xᵀ first, and yᵀ·x needs no copy."""
    return (y.T @ x).T if y.shape[1] == 1 else x.T @ y


_product_p = Primitive("row_product")
_product_p.def_impl(jax.jit(_product))
_product_p.def_abstract_eval(
    lambda x, matrix: ShapedArray((*x.shape[:-1], matrix.shape[1]), x.dtype)
)
mlir.register_lowering(_product_p, mlir.lower_fun(_product, multiple_results=False))
batching.primitive_batchers[_product_p] = _batched
ad.defbilinear(
    _product_p,
    lambda cotangent, x, matrix: row_product(cotangent, matrix.T),
    lambda cotangent, x, matrix: _transposed_product(_rows(x), _rows(cotangent)),
)
