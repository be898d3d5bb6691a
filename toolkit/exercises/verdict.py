"""What a check says about an answer, and how it finds out what went wrong."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

STILL_TO_WRITE = (
    "still to write. Replace the line that raises `NotImplementedError`, run your cell, then "
    "run this one again."
)
_TONES = {True: ("#009e73", "Correct"), False: ("#e69f00", "Not yet")}


@dataclass(frozen=True, repr=False)
class Verdict:
    """Passed or not, and why, in words that help. True where passed."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return f"{_TONES[self.passed][1]}: {self.message}"

    def _repr_html_(self) -> str:
        tone, word = _TONES[self.passed]
        return (
            f'<div role="status" style="border-left: 5px solid {tone}; padding: 6px 12px; '
            f'margin: 4px 0; max-width: 60em"><b>{word}:</b> {_with_code(self.message)}</div>'
        )


class NotYet(Exception):
    """Raised inside a check: the answer is wrong, and this sentence says how."""


def check(judge: Callable[..., str]) -> Callable[..., Verdict]:
    """Make a check: `judge` returns what to say when all is well, or raises `NotYet`."""

    @functools.wraps(judge)
    def run(*answers: Any) -> Verdict:
        try:
            return Verdict(True, judge(*answers))
        except NotYet as problem:
            return Verdict(False, str(problem))

    return run


def ask(answer: Callable[..., Any], *inputs: Any) -> Any:
    """What the learner's function returns; anything it raises becomes a sentence.

    Raises:
        NotYet: it is no function, still a stub, it failed, or it returned nothing.
    """
    if not callable(answer):
        kind = type(answer).__name__
        raise NotYet(f"give the check the function itself, without parentheses; it got a {kind}.")
    try:
        with np.errstate(all="ignore"):  # a division by zero shows in the values
            result = answer(*inputs)
    except NotImplementedError:
        raise NotYet(STILL_TO_WRITE) from None
    except Exception as problem:
        raise NotYet(f"your function raised {type(problem).__name__}: {problem}") from None
    if result is None:
        raise NotYet("your function returned nothing. Is there a `return` at its end?")
    return result


def compare(
    got: Any,
    right: Any,
    mistakes: Sequence[tuple[str, Any]] = (),
    *,
    what: str = "the result",
    tolerance: float = 1e-6,
) -> None:
    """Fail unless `got` is `right`; a value that a known mistake gives is told as that mistake.

    `mistakes` are sentences, each with the value that it explains; the first that fits is told. A
    single-precision answer is judged with single precision.

    Raises:
        NotYet: they differ; the message is the mistake's, else shape, else the first difference.
    """
    values, wanted = numbers(got, what), np.asarray(right)
    if np.asarray(got).dtype in (np.float32, np.complex64):
        tolerance = max(tolerance, 1e-4)
    if agree(values, wanted, tolerance):
        return
    for sentence, wrong in mistakes:
        if agree(values, np.asarray(wrong), tolerance):
            raise NotYet(sentence)
    raise NotYet(_difference(values, wanted, what, tolerance))


def numbers(got: Any, what: str) -> np.ndarray:
    """The answer as an array.

    Raises:
        NotYet: it does not hold numbers.
    """
    try:
        values = np.asarray(got)
    except ValueError:
        values = np.asarray(None)
    if values.dtype.kind not in "biufc":
        raise NotYet(f"{what} must be numbers, got {type(got).__name__}.")
    return values


def agree(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    """Same shape, and the same values to within a relative tolerance."""
    if one.shape != other.shape:
        return False
    scale = float(np.max(np.abs(other), initial=0.0, where=np.isfinite(other)))
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


def _difference(values: np.ndarray, wanted: np.ndarray, what: str, tolerance: float) -> str:
    if values.shape != wanted.shape:
        return f"{what} must have the shape {wanted.shape}, got {values.shape}."
    if not np.isfinite(values).all():
        return f"{what} must be finite, got {_short(values[~np.isfinite(values)][0])}."
    scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-300)
    off = np.abs(values - wanted) > tolerance * (np.abs(wanted) + scale)
    at = tuple(int(i) for i in np.argwhere(off)[0]) if off.any() else (0,) * wanted.ndim
    where = f" at {list(at)}" if at else ""
    return f"{what}{where} must be {_short(wanted[at])}, got {_short(values[at])}."


def _short(value: Any) -> str:
    number = complex(value)
    if np.iscomplexobj(value):
        return f"{number.real:.4g} {'−' if number.imag < 0 else '+'} {abs(number.imag):.4g}i"
    return f"{number.real:.5g}"


def _with_code(message: str) -> str:
    """The message as HTML, with `code` between backticks."""
    parts = html.escape(message).split("`")
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))
