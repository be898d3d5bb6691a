"""Generators of symmetries: random matrices that commute with a Koopman operator.

The commutator, the polynomial and the control have the same mean square Frobenius norm, that of
the identity, √N: at size ε a shift then moves a latent state by about ε times its own length. So
does the eigenspace generator of a symmetric operator. Of a normal one each pair of complex
eigenvalues counts one in place of two, of others the norm is larger; the published commutator's
is smaller.

Source: arXiv:2111.01365 §4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Complex, Float

from toolkit.types import Key, Scalar

Operator = Float[Array, "latent latent"]

#: Highest power of K in the polynomials.
DEGREE = 6
#: By how much orthogonalisation may have magnified rounding before powers count as dependent.
LARGEST_AMPLIFICATION = 1e3
#: Eigenvectors that are worse conditioned than this, in the norm of `condition_number`, are not
#: inverted in float32; the polynomial generator stands in.
LARGEST_CONDITION = 1e4
#: Largest Frobenius norm of an eigenspace generator, as a multiple of √N.
LARGEST_NORM = 10.0
#: Scale of the published commutator generator: the mean of its entries.
PUBLISHED_MEAN = 1e-5


class Generator(eqx.Module):
    """σ, and whether it was made in the way its name says.

    `sound` is false where the operator is defective, or so nearly that its eigenvectors cannot be
    inverted, and another commuting generator stands in.
    """

    matrix: Operator
    sound: Bool[Array, ""]


def commuting_basis(
    operator: Operator, degree: int = DEGREE
) -> tuple[Float[Array, "powers latent latent"], Bool[Array, " powers"]]:
    """An orthonormal basis of span{I, K, …, K^degree} under ⟨X, Y⟩ = tr(XᵀY), and what it holds.

    Arnoldi's process on X ↦ K·X from the identity, with modified Gram–Schmidt: what is lost of
    orthogonality is rounding times the amplification that is allowed. Every element is a
    polynomial in K and so commutes with it, whether or not K has a basis of eigenvectors. Where
    powers depend on each other (at the degree of K's minimal polynomial, or to rounding), the
    remaining elements are zero and marked false.

    Shapes: `powers` = degree + 1.
    """
    size = len(operator)
    scale = jnp.linalg.norm(operator)
    operator = operator / jnp.where(scale > 0, scale, 1.0)
    basis = [jnp.eye(size) * size**-0.5]
    holds, amplified = [jnp.ones((), bool)], jnp.ones(())
    for _ in range(degree):
        new = operator @ basis[-1]
        before = jnp.sqrt(_inner(new, new))
        for element in basis:
            new = new - _inner(element, new) * element
        after = jnp.sqrt(_inner(new, new))
        amplified = amplified * before / jnp.maximum(after, 1e-30)
        good = holds[-1] & (after > 0) & (amplified < LARGEST_AMPLIFICATION)
        basis.append(jnp.where(good, new / jnp.where(after > 0, after, 1.0), 0.0))
        holds.append(good)
    return jnp.stack(basis), jnp.stack(holds)


def _inner(x: Operator, y: Operator) -> Scalar:
    """tr(XᵀY), column by column: a CPU adds columns side by side, and one long sum number by
    number.
    """
    return jnp.sum(lax.optimization_barrier(jnp.sum(x * y, axis=0)))


def _combined(weights: Float[Array, " powers"], basis: Float[Array, "powers n n"]) -> Operator:
    """Σ_k w_k·X_k, in one pass over the basis."""
    return sum((w * x for w, x in zip(weights, basis, strict=True)), jnp.zeros(basis.shape[1:]))


def polynomial(operator: Operator, *, degree: int = DEGREE, key: Key) -> Generator:
    """σ = p(K(a)) with a random polynomial p: uniform over the directions that its powers span.

    It needs no eigenvectors, holds for defective operators and runs on any device.
    """
    basis, holds = commuting_basis(operator, degree)
    count = jnp.sum(holds.astype(jnp.float32))
    weights = jr.normal(key, holds.shape) * jnp.sqrt(len(operator) / count)
    return Generator(_combined(weights, basis), jnp.ones((), bool))


def commutator(operator: Operator, *, key: Key) -> Generator:
    """ε·σ with one σ for each operator, [K(a), σ] = 0, and ε ~ N(0, 1): KFC.

    σ is what of a fixed matrix lies in the span of K's powers: unlike the solution of the
    published Sylvester equation it does not depend on rounding.
    """
    basis, _ = commuting_basis(operator)
    fixed = jr.normal(jr.key(0), operator.shape)
    direction = _combined(jnp.stack([_inner(element, fixed) for element in basis]), basis)
    unit = direction * jnp.sqrt(1.0 * len(operator)) / jnp.linalg.norm(direction)
    return Generator(unit * jr.normal(key), jnp.ones((), bool))


def eigenspace(operator: Operator, *, key: Key) -> Generator:
    """σ = Re(U·diag(ε)·U⁻¹) with K(a) = U·Λ·U⁻¹ and independent ε_j ~ N(0, 1): KFC++.

    Its norm is capped, as it has no bound where K is nearly defective; where U cannot be inverted
    a polynomial in K stands in, of the first degree because it is made for every operator.
    """
    size = len(operator)
    eigen_key, other_key = jr.split(key)
    vectors, inverse = eigenvectors(operator)
    sound = condition_number(vectors, inverse) < LARGEST_CONDITION
    weights = jr.normal(eigen_key, (size,))
    raw = ((vectors * lax.complex(weights, jnp.zeros_like(weights))[None]) @ inverse).real
    largest = LARGEST_NORM * size**0.5
    capped = raw * jnp.minimum(1.0, largest / jnp.maximum(jnp.linalg.norm(raw), 1e-30))
    other = polynomial(operator, degree=1, key=other_key).matrix
    return Generator(jnp.where(sound, capped, other), sound)


def sylvester(operator: Operator, *, key: Key) -> Generator:
    """The published construction of KFC: X of K·X − X·K = I, over its mean entry, times 10⁻⁵·ε.

    The equation has no solution. What a solver returns is a commuting matrix that rounding has
    picked, and its scale is whatever the mean makes of it; kept to compare with.

    Source: code published with arXiv:2111.01365.
    """
    shape = jax.ShapeDtypeStruct(operator.shape, jnp.float32)
    solution = jax.pure_callback(_solve, shape, operator, vmap_method="sequential")
    mean = jnp.mean(solution)
    sound = jnp.all(jnp.isfinite(solution)) & (mean != 0)
    unit = PUBLISHED_MEAN * solution / jnp.where(sound, mean, 1.0)
    other = commutator(operator, key=key).matrix * PUBLISHED_MEAN
    return Generator(jnp.where(sound, unit * jr.normal(key), other), sound)


def random(operator: Operator, *, key: Key) -> Generator:
    """The control: independent normal entries, of the others' norm, that commute with nothing."""
    size = len(operator)
    return Generator(jr.normal(key, (size, size)) * size**-0.5, jnp.ones((), bool))


GENERATORS: dict[str, Callable[..., Generator]] = {
    "eigenspace": eigenspace,
    "commutator": commutator,
    "polynomial": polynomial,
    "sylvester": sylvester,
    "random": random,
}


def eigenvectors(
    operator: Operator,
) -> tuple[Complex[Array, "latent latent"], Complex[Array, "latent latent"]]:
    """U and U⁻¹ of K = U·Λ·U⁻¹; not finite where U is singular.

    Only CPUs have this decomposition compiled; elsewhere the host computes it.
    """
    shape = jax.ShapeDtypeStruct(operator.shape, jnp.complex64)

    def on_host(matrix: Array) -> Array:
        return jax.pure_callback(_eigenvectors, shape, matrix, vmap_method="expand_dims")

    vectors = lax.platform_dependent(
        operator, cpu=lambda matrix: jnp.linalg.eig(matrix)[1], default=on_host
    )
    return vectors, jnp.linalg.inv(vectors)


def condition_number(
    vectors: Complex[Array, "latent latent"], inverse: Complex[Array, "latent latent"]
) -> Float[Array, ""]:
    """κ(U) = ‖U‖·‖U⁻¹‖/N in the Frobenius norm, at least 1; infinite where U is singular.

    A normal operator has 1. What the eigenspace generator loses of its digits grows with it.
    """
    product = jnp.linalg.norm(vectors) * jnp.linalg.norm(inverse) / len(vectors)
    return jnp.where(jnp.isfinite(product), product, jnp.inf)


def _eigenvectors(matrix: Any) -> np.ndarray:
    return np.linalg.eig(np.asarray(matrix))[1].astype(np.complex64)


def _solve(matrix: Any) -> np.ndarray:
    import scipy.linalg

    matrix = np.asarray(matrix, np.float32)
    with np.errstate(all="ignore"):
        found = scipy.linalg.solve_sylvester(matrix, -matrix, np.eye(len(matrix), dtype=np.float32))
    return np.asarray(found, np.float32)
