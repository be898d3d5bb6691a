"""Every check tells typical wrong answers apart, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from tests.helpers import unchecked
from toolkit.exercises import Verdict
from toolkit.exercises.eigenvalues import (
    check_decay_and_frequency,
    check_discretise,
    check_phi1,
    check_vandermonde,
)
from toolkit.exercises.start_here import (
    check_count_windows,
    check_normalise,
    check_persistence_error,
)

CHECKS = [
    check_count_windows, check_normalise, check_persistence_error, check_phi1, check_discretise,
    check_decay_and_frequency, check_vandermonde,
]  # fmt: skip


def phi1(z: np.ndarray) -> np.ndarray:
    return np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z))


def zscore(rows: np.ndarray, like: np.ndarray, axis: int | None = 0) -> np.ndarray:
    return (rows - like.mean(axis)) / like.std(axis)


def square(obs: np.ndarray) -> np.ndarray:
    return (obs[1:] - obs[0]) ** 2


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_count_windows, lambda n, h: sum(max(0, k - h) for k in n), "off by one"),
    (check_count_windows, lambda n, h: sum(n) - h + 1, "cross episodes"),
    (check_count_windows, lambda n, h: sum(k - h + 1 for k in n), "must count 0"),
    (check_count_windows, lambda n, h: sum(k // h for k in n), "do not overlap"),
    (check_normalise, lambda train, test: zscore(test, test), "deviation of the test part"),
    (check_normalise, lambda train, test: zscore(test, train, None), "wrong axis"),
    (check_normalise, lambda train, test: zscore(test.T, test.T).T, r"wrong axis.*\(axis 1\)"),
    (check_normalise, lambda train, test: (test - train.mean(0)) / train.var(0), "variance"),
    (check_normalise, lambda train, test: zscore(train, train), "test rows"),
    (check_normalise, lambda train, test: -zscore(test, train), "wrong sign"),
    (check_persistence_error, lambda o: ((o - o[0]) ** 2).mean((1, 2)), "off by one.*`obs\\[1\\]`"),
    (check_persistence_error, lambda o: square(o).mean((0, 1)), "wrong axis.*per coordinate"),
    (check_persistence_error, lambda o: square(o).sum((1, 2)), "summed"),
    (check_persistence_error, lambda o: (np.diff(o, axis=0) ** 2).mean((1, 2)), "before it"),
    (check_persistence_error, lambda o: square(o).mean(), "time axis is gone"),
    (check_phi1, lambda z: (np.exp(z) - 1) / z, "division by zero"),
    (check_phi1, lambda z: np.where(z == 0, 1, (np.exp(z) - 1) / np.where(z == 0, 1, z)), "digits"),
    (check_phi1, lambda z: np.where(z == 0, 0, phi1(z)), "1, not 0"),
    (check_phi1, lambda z: np.exp(z) - 1, "division by z is missing"),
    (check_phi1, lambda z: 1 + z / 2 + z**2 / 6, "series alone"),
    (check_phi1, lambda z: phi1(z).real, "complex"),
    (check_discretise, lambda v, h: (1 + h * v, np.full(len(v), h)), "Euler's rule"),
    (check_discretise, lambda v, h: (np.exp(v), h * phi1(h * v)), "Δt is forgotten: this is exp"),
    (check_discretise, lambda v, h: (np.exp(h * v), phi1(h * v)), "Δt is forgotten in the gain"),
    (check_discretise, lambda v, h: (np.exp(-h * v), h * phi1(h * v)), "wrong sign"),
    (check_discretise, lambda v, h: (np.exp(h * v), np.full(len(v), h)), "gains are Euler's"),
    (check_discretise, lambda v, h: (np.exp(h * v), (np.exp(h * v) - 1) / v), "zero at λ = 0"),
    (check_discretise, lambda v, h: (h * phi1(h * v), np.exp(h * v)), "wrong order"),
    (check_discretise, lambda v, h: np.exp(h * v), "return two arrays"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m) / dt), "2π is forgotten"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m) / (2 * np.pi)), "Δt is forgotten"),
    (check_decay_and_frequency, lambda m, dt: (1.25, np.angle(m, deg=True) / dt), "degrees"),
    (check_decay_and_frequency, lambda m, dt: (dt / np.log(abs(m)), 1.5), "wrong sign"),
    (check_decay_and_frequency, lambda m, dt: (-1 / np.log(abs(m)), 1.5), "counts steps"),
    (check_decay_and_frequency, lambda m, dt: (1.5, 1.25), "wrong order"),
    (check_vandermonde, lambda m, h: m[:, None] ** np.arange(h), "off by one"),
    (check_vandermonde, lambda m, h: (m[:, None] ** np.arange(1, h + 1)).T, "transposed"),
    (check_vandermonde, lambda m, h: m[:, None] * np.arange(1, h + 1), "multiples"),
    (check_vandermonde, lambda m, h: abs(m[:, None]) ** np.arange(1, h + 1), "rotation is lost"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer", "words"), WRONG)
def test_a_typical_wrong_answer_is_recognised(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("check", CHECKS)
def test_what_no_check_foresees_still_gets_a_sentence(check: Callable):
    def stub(*_inputs: Any) -> Any:
        raise NotImplementedError

    def broken(*_inputs: Any) -> Any:
        raise IndexError("index 9 is out of bounds")

    assert repr(check(stub)).startswith("Not yet: still to write")
    assert "raised IndexError: index 9" in check(broken).message
    assert "Is there a `return`" in check(lambda *_: None).message
    assert re.search("must (be|have)|return two", check(lambda *_: 12345.0).message)
    assert not check(lambda *_: "words")
    with unchecked():
        assert "without parentheses" in check(3.0).message


def test_single_precision_is_judged_as_such():
    near = lambda z: jnp.where(abs(z) < 0.1, 1 + z / 2 + z**2 / 6 + z**3 / 24, (jnp.exp(z) - 1) / z)
    assert check_phi1(lambda z: near(jnp.asarray(z, jnp.complex64)))


def test_a_verdict_reads_well():
    verdict = Verdict(False, "use `np.angle`, not <imag>")
    assert repr(verdict) == "Not yet: use `np.angle`, not <imag>"
    assert "<code>np.angle</code>, not &lt;imag&gt;" in verdict._repr_html_()
    assert Verdict(True, "fine")
