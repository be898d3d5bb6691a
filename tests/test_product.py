"""The row product equals the plain one under every transformation of JAX that the models use."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.product import row_product

X = jr.normal(jr.key(0), (5, 4, 3))
M = jr.normal(jr.key(1), (3, 2))
TWO = jnp.stack([M, 2 * M])


def twice(f):
    return jax.vmap(jax.vmap(f, (0, None)), (0, None))


def energy(f):
    return lambda *args: jnp.sum(jnp.square(f(*args)))


def summed(f):
    """A scan that adds the products of its inputs."""
    return lambda m, rows: jax.lax.scan(lambda c, x: (c + f(x, m), None), jnp.zeros(2), rows)[0]


CASES = {
    "single": lambda f: f(X[0, 0], M),
    "leading axes": lambda f: f(X, M),
    "vmap twice": lambda f: twice(f)(X, M),
    "vmap over another axis": lambda f: jax.vmap(jax.vmap(f, (0, None)), (1, None), 1)(X, M),
    "vmap over the last axis": lambda f: jax.vmap(f, (1, None))(X[0].T, M),
    "batch of matrices": lambda f: jax.vmap(lambda m: twice(f)(X, m))(TWO),
    "both batched": lambda f: jax.vmap(f)(X[:2], TWO),
    "gradient": lambda f: jax.grad(energy(twice(f)), (0, 1))(X, M),
    "gradient of one row": lambda f: jax.grad(energy(f), (0, 1))(X[0, 0], M),
    "gradients in a batch": lambda f: jax.vmap(jax.grad(energy(f), (0, 1)), (0, None))(X[0], M),
    "gradient of a batch of matrices": lambda f: jax.grad(
        lambda ms: jnp.sum(jax.vmap(lambda m: energy(twice(f))(X, m))(ms))
    )(TWO),
    "gradient of a scan": lambda f: jax.grad(energy(summed(f)))(M, X[0]),
    "gradient of a batched scan": lambda f: jax.grad(
        energy(jax.vmap(summed(f), (None, 0)))
    )(M, X),
    "forward mode": lambda f: jax.jvp(lambda x: f(x, M), (X[0, 0],), (X[0, 1],)),
    "second derivatives": lambda f: jax.hessian(lambda x: jnp.tanh(f(x, M)).sum())(X[0, 0]),
    "rematerialised": lambda f: jax.grad(energy(jax.checkpoint(twice(f))), 1)(X, M),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_equals_the_plain_product(case):
    found, expected = (jax.jit(lambda f=f: CASES[case](f))() for f in (row_product, jnp.matmul))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_without_compilation_too():
    np.testing.assert_allclose(row_product(X, M), X @ M, rtol=1e-5)
