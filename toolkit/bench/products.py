"""The matrix products in a program: how many of which shape, and the machine's rate at them.

A convolution counts as the product of its patches and its kernel.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

#: (rows, inner, columns) of a product, and how often it is made.
Shape = tuple[int, int, int]
Products = Mapping[Shape, int | float]


def products_of(jaxpr: Any, *, branch_share: float = 1.0) -> dict[Shape, int | float]:
    """How often a program makes each product, loops counted in full.

    Of a conditional the branch with more work is counted, at `branch_share`: how often it is due;
    of what depends on the platform, this platform's.
    """
    inner: Any = getattr(jaxpr, "jaxpr", jaxpr)
    found: dict[Shape, int | float] = Counter()
    for equation in inner.eqns:
        name, shapes = equation.primitive.name, [v.aval.shape for v in equation.invars]
        if name == "dot_general":
            shape, times = _dot_general(*shapes, equation.params["dimension_numbers"])
            found[shape] += times
        elif name == "conv_general_dilated":
            found[_convolution(equation)] += 1
        elif name == "row_product":
            x, matrix = shapes
            found[math.prod(x[:-1]), *matrix] += 1
        elif name == "cond" and equation.params.get("branches_platforms"):
            _add(found, products_of(_of_this_platform(equation.params)), 1)
        elif name == "cond":
            branches = [
                products_of(b, branch_share=branch_share) for b in equation.params["branches"]
            ]
            heaviest = max(branches, key=flops)
            _add(found, heaviest, branch_share)
        else:
            repeats = equation.params.get("length", 1) if name == "scan" else 1
            for part in equation.params.values():
                if hasattr(part, "eqns") or hasattr(part, "jaxpr"):
                    within = products_of(part, branch_share=branch_share)
                    _add(found, within, repeats)
    return found


def _of_this_platform(params: Mapping[str, Any]) -> Any:
    """The branch of `lax.platform_dependent` that runs here."""
    here = jax.default_backend()
    pairs = zip(params["branches"], params["branches_platforms"], strict=True)
    return next(branch for branch, platforms in pairs if platforms is None or here in platforms)


def _add(found: dict[Shape, int | float], more: Products, times: int | float) -> None:
    for shape, count in more.items():
        found[shape] += times * count


def _dot_general(
    left: tuple[int, ...], right: tuple[int, ...], dimensions: Any
) -> tuple[tuple[int, int, int], int]:
    (contracted, other), (batched, _) = dimensions
    depth = math.prod(left[i] for i in contracted)
    times = math.prod(left[i] for i in batched)
    assert depth == math.prod(right[i] for i in other)
    rows, columns = math.prod(left) // (depth * times), math.prod(right) // (depth * times)
    return (rows, depth, columns), times


def _convolution(equation: Any) -> Shape:
    """Patches, one for each place of the output, times kernel; groups of features are not ours."""
    kernel, out = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
    numbers = equation.params["dimension_numbers"]
    columns = out[numbers.out_spec[1]]
    assert equation.params["feature_group_count"] == equation.params["batch_group_count"] == 1
    return math.prod(out) // columns, math.prod(kernel) // kernel[numbers.rhs_spec[0]], columns


def flops(products: Products) -> float:
    """Floating-point operations of all products."""
    return float(sum(2 * m * k * n * times for (m, k, n), times in products.items()))


def make_products(products: Products, times: int) -> Callable[[], Any]:
    """As many products of each shape as `times` programs make, and nothing else, compiled.

    Products of one shape follow each other, (m, k)·(k, n) and (m, n)·(n, k) in turn, each the
    next one's operand, so that none can be left out and nothing is copied between them. They come
    in pairs, so an even `times` makes exactly as many.
    """
    pairs = [max(1, round(count * times / 2)) for count in products.values()]
    rng = np.random.default_rng(0)  # JAX would compile a generator for every shape
    normal = lambda rows, columns, size: jnp.asarray(
        (size * rng.standard_normal((rows, columns))).astype(np.float32)
    )
    operands = [  # of sizes that keep the chain near its own
        (normal(m, k, 1.0), normal(k, n, k**-0.5), normal(n, k, n**-0.5)) for m, k, n in products
    ]

    @jax.jit
    def chains(operands: list[tuple[Array, Array, Array]]) -> list[Array]:
        return [
            lax.fori_loop(0, count, lambda _, x, b=b, c=c: (x @ b) @ c, a)
            for count, (a, b, c) in zip(pairs, operands, strict=True)
        ]

    return lambda: chains(operands)
