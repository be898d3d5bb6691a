"""Generators of symmetries: they commute, whatever the operator, and their size is what it says."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.linalg

from toolkit.symmetry import GENERATORS, commuting_basis
from toolkit.symmetry.generators import (
    DEGREE,
    PUBLISHED_MEAN,
    condition_number,
    eigenvectors,
)

SIZE = 8
COMMUTING = [name for name in GENERATORS if name != "random"]
COUNT = 400


def operator(seed=0, size=SIZE):
    return jr.normal(jr.key(seed), (size, size)) * size**-0.5


def jordan(size=SIZE):
    """A single Jordan block: as defective as a matrix can be."""
    return jnp.eye(size, k=1) + 0.5 * jnp.eye(size)


OPERATORS = {
    "random": operator(),
    "symmetric": operator() + operator().T,
    "defective": jordan(),
    "identity": jnp.eye(SIZE),
    "zero": jnp.zeros((SIZE, SIZE)),
    "repeated": jnp.diag(jnp.asarray([1.0, 1.0, 1.0, 0.5, 0.5, 0.2, 0.2, 0.2])),
    "large": 1e3 * operator(2),
}


def drawn(name, matrix, count=COUNT, seed=1):
    """`count` generators of one operator, as float64."""
    made = jax.jit(jax.vmap(lambda key: GENERATORS[name](matrix, key=key)))(
        jr.split(jr.key(seed), count)
    )
    return np.asarray(made.matrix, np.float64), np.asarray(made.sound)


def relative_commutator(matrix, sigma):
    k = np.asarray(matrix, np.float64)
    norms = np.linalg.norm(sigma, axis=(1, 2)) * max(np.linalg.norm(k), 1e-30)
    return np.linalg.norm(k @ sigma - sigma @ k, axis=(1, 2)) / norms


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("name", COMMUTING)
def test_it_commutes_with_the_operator(name, kind):
    sigma, _ = drawn(name, OPERATORS[kind], 20)
    assert relative_commutator(OPERATORS[kind], sigma).max() < 1e-4


@pytest.mark.parametrize("kind", OPERATORS)
@pytest.mark.parametrize("name", COMMUTING)
def test_it_is_finite_and_never_silently_zero(name, kind):
    sigma, _ = drawn(name, OPERATORS[kind], 20)
    assert np.isfinite(sigma).all()
    assert np.linalg.norm(sigma, axis=(1, 2)).min() > 1e-12


def test_the_control_commutes_with_nothing():
    sigma, _ = drawn("random", OPERATORS["random"], 20)
    assert relative_commutator(OPERATORS["random"], sigma).min() > 0.1


@pytest.mark.parametrize("name", ["commutator", "polynomial", "random"])
def test_the_mean_square_norm_is_that_of_the_identity(name):
    sigma, _ = drawn(name, OPERATORS["random"], 4000)
    mean_square = np.mean(np.linalg.norm(sigma, axis=(1, 2)) ** 2)
    assert mean_square == pytest.approx(SIZE, rel=0.1)


def test_the_eigenspace_generator_of_a_symmetric_operator_has_that_norm_too():
    sigma, sound = drawn("eigenspace", OPERATORS["symmetric"], 4000)
    assert sound.all()
    assert np.mean(np.linalg.norm(sigma, axis=(1, 2)) ** 2) == pytest.approx(SIZE, rel=0.1)


def test_the_eigenspace_generator_has_every_dimension_of_the_commutant():
    """Of a symmetric operator with distinct eigenvalues: as many as its size."""
    sigma, _ = drawn("eigenspace", OPERATORS["symmetric"], 50)
    assert np.linalg.matrix_rank(sigma.reshape(50, -1), tol=1e-3) == SIZE


def test_the_eigenspace_generator_is_the_real_part_in_eigenvectors():
    """Re(U diag(ε) U⁻¹) has the diagonal ε in the eigenvectors of a symmetric operator."""
    matrix = OPERATORS["symmetric"]
    _, vectors = np.linalg.eigh(np.asarray(matrix, np.float64))
    sigma, _ = drawn("eigenspace", matrix)
    inside = np.einsum("ij,bik,kl->bjl", vectors, sigma, vectors)
    weights = np.diagonal(inside, axis1=1, axis2=2)
    off = inside - np.einsum("bi,ij->bij", weights, np.eye(SIZE))
    assert np.abs(off).max() < 1e-4
    np.testing.assert_allclose(weights.std(axis=0), 1, atol=0.15)
    correlation = np.corrcoef(weights.T) - np.eye(SIZE)
    assert np.abs(correlation).max() < 0.25  # the ε_j are independent


def test_a_defective_operator_is_reported_and_a_polynomial_stands_in():
    sigma, sound = drawn("eigenspace", jordan(), 20)
    assert not sound.any()
    powers = np.stack(
        [np.linalg.matrix_power(np.asarray(jordan(), np.float64), k) for k in range(8)]
    )
    coefficients, *_ = np.linalg.lstsq(powers.reshape(8, -1).T, sigma.reshape(20, -1).T, rcond=None)
    left = powers.reshape(8, -1).T @ coefficients - sigma.reshape(20, -1).T
    assert np.abs(left).max() < 1e-3


def test_a_nearly_defective_operator_has_its_norm_capped():
    matrix = jordan(3) + 1e-3 * jnp.eye(3, k=-2)
    sigma, sound = drawn("eigenspace", matrix, 200)
    norms = np.linalg.norm(sigma, axis=(1, 2)) / 3**0.5
    assert sound.all()
    assert norms.max() == pytest.approx(10, rel=1e-3)


def test_the_condition_number_is_1_where_normal_and_infinite_where_defective():
    normal = condition_number(*eigenvectors(OPERATORS["symmetric"]))
    assert float(normal) == pytest.approx(1, rel=1e-3)
    assert float(condition_number(*eigenvectors(jordan()))) > 1e4
    vectors = np.linalg.eig(np.asarray(operator(), np.float64))[1]
    expected = np.linalg.norm(vectors) * np.linalg.norm(np.linalg.inv(vectors)) / SIZE
    assert float(condition_number(*eigenvectors(operator()))) == pytest.approx(expected, rel=1e-3)


def test_the_basis_is_orthonormal_and_spans_the_powers():
    matrix = np.asarray(operator(), np.float64)
    basis, holds = commuting_basis(operator())
    flat = np.asarray(basis, np.float64).reshape(DEGREE + 1, -1)
    assert holds.all()
    np.testing.assert_allclose(flat @ flat.T, np.eye(DEGREE + 1), atol=1e-5)
    for k in range(DEGREE + 1):
        power = np.linalg.matrix_power(matrix, k).reshape(-1)
        assert np.linalg.norm(power - flat.T @ (flat @ power)) < 1e-4 * np.linalg.norm(power)


@pytest.mark.parametrize(("kind", "degree"), [("identity", 1), ("zero", 1), ("repeated", 3)])
def test_the_basis_ends_at_the_degree_of_the_minimal_polynomial(kind, degree):
    basis, holds = commuting_basis(OPERATORS[kind])
    assert int(holds.sum()) == degree
    assert np.all(np.asarray(basis)[degree:] == 0)


def test_the_commutator_has_one_direction_for_an_operator():
    sigma, _ = drawn("commutator", operator(), 20)
    flat = sigma.reshape(20, -1)
    assert np.linalg.matrix_rank(flat, tol=1e-3) == 1
    other, _ = drawn("commutator", operator(3), 1)
    cosine = flat[0] @ other.reshape(-1) / np.linalg.norm(flat[0]) / np.linalg.norm(other)
    assert abs(cosine) < 0.99  # another operator, another direction


def test_the_commutator_lies_in_the_null_space_of_the_commutation():
    """Against the singular vectors of I⊗K − Kᵀ⊗I, which know nothing of polynomials."""
    matrix = np.asarray(operator(), np.float64)
    both = np.kron(np.eye(SIZE), matrix) - np.kron(matrix.T, np.eye(SIZE))
    null = scipy.linalg.null_space(both, rcond=1e-10)
    assert null.shape[1] == SIZE  # distinct eigenvalues
    sigma, _ = drawn("commutator", operator(), 1)
    flat = sigma[0].T.reshape(-1)  # columns one behind the other
    left = flat - null @ (null.T @ flat)
    assert np.linalg.norm(left) < 1e-4 * np.linalg.norm(flat)


def test_the_published_generator_has_its_mean_entry():
    sigma, sound = drawn("sylvester", operator(), 20)
    assert sound.all()
    means = sigma.mean(axis=(1, 2))
    unit = sigma / means[:, None, None]
    np.testing.assert_allclose(unit, np.broadcast_to(unit[0], unit.shape), rtol=1e-2, atol=1e-2)
    many, _ = drawn("sylvester", operator(), 4000)
    assert many.mean(axis=(1, 2)).std() == pytest.approx(PUBLISHED_MEAN, rel=0.1)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_batch_equals_single_samples(name):
    matrices = jnp.stack([operator(seed) for seed in range(3)])
    keys = jr.split(jr.key(4), 3)
    together = jax.vmap(lambda m, k: GENERATORS[name](m, key=k).matrix)(matrices, keys)
    single = jnp.stack(
        [GENERATORS[name](m, key=k).matrix for m, k in zip(matrices, keys, strict=True)]
    )
    scale = np.abs(np.asarray(single)).max()
    np.testing.assert_allclose(together, single, atol=2e-3 * scale)
