"""Checks of the notebook on time reversal: right answers, and typical wrong ones told apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.exercises.time_reversal_symmetry import (
    check_chain_rule_rate,
    check_memorised_reverse,
    check_reversal_error,
    check_symmetry_violation,
)

R = jnp.array([1.0, -1.0])


def reversal(step: Any, s: Any, a: Any) -> Any:
    return jnp.linalg.norm(R * step(R * step(s, a), a) - s)


def table(z: Any, f: Any, place: Any, tolerance: float) -> Any:
    apart = np.linalg.norm(z + f - place, axis=1)
    row = apart.argmin()
    return -f[row] if apart[row] <= tolerance else np.zeros_like(place)


def jvp(encode: Any, s: Any, v: Any) -> Any:
    return jax.jvp(encode, (s,), (v,))


def norm2(x: Any) -> Any:
    return np.sum(x**2)


SOLVED: list[tuple[Callable, Callable]] = [
    (check_reversal_error, reversal),
    (check_chain_rule_rate, lambda e, s, v: jvp(e, s, v)[1]),
    (check_chain_rule_rate, lambda e, s, v: jax.jacfwd(e)(s) @ v),
    (check_symmetry_violation, lambda f, g, z, a: norm2(f(z, a) + g(z + f(z, a), a))),
    (check_memorised_reverse, table),
]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(R * p(p(s, a), a) - s), "first flip"),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(p(R * p(s, a), a) - s), "last flip"),
    (
        check_reversal_error,
        lambda p, s, a: jnp.linalg.norm(-R * p(-R * p(s, a), a) - s),
        "flipped the angle",
    ),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(-p(-p(s, a), a) - s), "flipped both"),
    (check_reversal_error, lambda p, s, a: jnp.linalg.norm(R * p(s, a) - s), "second step"),
    (check_reversal_error, lambda p, s, a: reversal(p, s, a) ** 2, "squared"),
    (check_reversal_error, lambda p, s, a: R * p(R * p(s, a), a) - s, "length is asked"),
    (check_reversal_error, lambda p, s, a: reversal(p, s, a) + 0.5, "must be"),
    (check_chain_rule_rate, lambda e, s, v: jvp(e, s, v)[0], "encoding itself"),
    (check_chain_rule_rate, jvp, "returns two things"),
    (check_chain_rule_rate, lambda e, s, v: jax.vjp(e, s)[1](v)[0], "from the left"),
    (check_chain_rule_rate, lambda e, s, v: e(s + v) - e(s), "whole step"),
    (check_chain_rule_rate, lambda e, s, v: e(v), "encoded rate"),
    (check_chain_rule_rate, lambda e, s, v: jax.jacfwd(e)(s), "whole Jacobian"),
    (check_chain_rule_rate, lambda e, s, v: jvp(e, v, s)[1], "exchanged"),
    (check_symmetry_violation, lambda f, g, z, a: norm2(f(z, a) + g(z, a)), "asked at z_s\\."),
    (
        check_symmetry_violation,
        lambda f, g, z, a: norm2(f(z, a) - g(z + f(z, a), a)),
        "wrong sign",
    ),
    (check_symmetry_violation, lambda f, g, z, a: norm2(f(z, a) + g(f(z, a), a)), "asked at f"),
    (
        check_symmetry_violation,
        lambda f, g, z, a: np.mean((f(z, a) + g(z + f(z, a), a)) ** 2),
        "mean over coordinates",
    ),
    (
        check_symmetry_violation,
        lambda f, g, z, a: np.linalg.norm(f(z, a) + g(z + f(z, a), a)),
        "this is the length",
    ),
    (check_symmetry_violation, lambda f, g, z, a: f(z, a) + g(z + f(z, a), a), "one number"),
    (check_memorised_reverse, lambda *i: -table(*i), "wrong sign"),
    (check_memorised_reverse, lambda z, f, p, t: table(z, f, p, 1e9), "no longer degenerate"),
    (check_memorised_reverse, lambda z, f, p, t: table(z, f, p, 0.0), "within `tolerance`"),
    (check_memorised_reverse, lambda z, f, p, t: np.zeros(2), "fools nobody"),
    (check_memorised_reverse, lambda z, f, p, t: 0 * p, "fools nobody"),
]


@pytest.mark.parametrize(("check", "answer"), SOLVED)
def test_right_answers_pass(check: Callable, answer: Callable):
    assert check(answer), check(answer)


@pytest.mark.parametrize(("check", "answer", "words"), WRONG)
def test_a_typical_wrong_answer_is_recognised(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("check", sorted({check for check, _ in SOLVED}, key=str))
def test_a_stub_is_told_so(check: Callable):
    def stub(*_inputs: Any) -> Any:
        raise NotImplementedError

    assert repr(check(stub)).startswith("Not yet: still to write")
