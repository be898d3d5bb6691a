"""Checks of the notebook on gradients: right answers, and typical wrong ones told apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from toolkit.exercises.gradient_scaling import (
    check_gradient_factor,
    check_half_life,
    check_real_part_for,
    check_transient_peak,
)

power = np.linalg.matrix_power


def sizes(matrix: np.ndarray, horizon: int, norm: Any = 2) -> list[float]:
    return [float(np.linalg.norm(power(matrix, k), norm)) for k in range(1, horizon + 1)]


def peak(matrix: np.ndarray, horizon: int) -> tuple[float, int]:
    found = sizes(matrix, horizon)
    return max(found), int(np.argmax(found)) + 1


SOLVED: list[tuple[Callable, Callable]] = [
    (check_gradient_factor, lambda m, h, k: np.exp(k * h * m)),
    (check_half_life, lambda m, h: -np.log(2) / (m * h)),
    (check_real_part_for, lambda s, h, k: np.log(s) / (h * k)),
    (check_transient_peak, peak),
]
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_gradient_factor, lambda m, h, k: np.exp(-k * h * m), "wrong sign"),
    (check_gradient_factor, lambda m, h, k: np.exp(k * m), "Δt is forgotten"),
    (check_gradient_factor, lambda m, h, k: np.exp((k - 1) * h * m), "not k − 1"),
    (check_gradient_factor, lambda m, h, k: (1 + h * m) ** k, "Euler"),
    (check_half_life, lambda m, h: -1 / (m * h), "1/e"),
    (check_half_life, lambda m, h: np.log(2) / (m * h), "wrong sign"),
    (check_half_life, lambda m, h: -np.log(2) / m, "Δt is forgotten"),
    (check_real_part_for, lambda s, h, k: -np.log(s) / (h * k), "wrong sign"),
    (check_real_part_for, lambda s, h, k: np.log(s) / k, "Δt is forgotten"),
    (check_real_part_for, lambda s, h, k: s ** (1 / k), "the multiplier"),
    (check_transient_peak, lambda a, k: (max(sizes(a, k, "fro")), 1), "Frobenius"),
    (check_transient_peak, lambda a, k: (np.exp(-0.1), 1), "spectral radius"),
    (check_transient_peak, lambda a, k: (peak(a, k)[0], peak(a, k)[1] - 1), "off by one"),
    (check_transient_peak, lambda a, k: (sizes(a, k)[-1], k), "the last power"),
    (check_transient_peak, lambda a, k: peak(a, k)[0], "return two numbers"),
]


@pytest.mark.parametrize(("check", "answer"), SOLVED)
def test_right_answers_pass(check: Callable, answer: Callable):
    assert check(answer), check(answer)


@pytest.mark.parametrize(("check", "answer", "words"), WRONG)
def test_a_typical_wrong_answer_is_recognised(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("check", [check for check, _ in SOLVED])
def test_a_stub_is_told_so(check: Callable):
    def stub(*_inputs: Any) -> Any:
        raise NotImplementedError

    assert repr(check(stub)).startswith("Not yet: still to write")
