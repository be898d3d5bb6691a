"""Every exercise of every notebook: its stub, its solution, and typical wrong answers.

Exercises are found in the notebooks. The wrong answers stand in `answers`, a module for each
notebook, as `WRONG`: check, answer, and words of the message that it must get, in their order and
with ` … ` between words that do not touch. `RIGHT` may add right answers beside the solution.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.helpers import unchecked
from toolkit.exercises import Verdict
from toolkit.exercises.listing import Exercise, read_exercises
from toolkit.exercises.pictures import run_cell

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
EXERCISES = read_exercises(NOTEBOOKS)
ANSWERS = [
    importlib.import_module(f"tests.exercises.answers.{path.stem}")
    for path in sorted((Path(__file__).parent / "answers").glob("*.py"))
]
WRONG = [row for module in ANSWERS for row in module.WRONG]
RIGHT = [row for module in ANSWERS for row in getattr(module, "RIGHT", [])]

each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda found: found.name)


def imports(name: str) -> dict[str, Any]:
    """The names that a notebook imports before its first exercise."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    (source,) = (c.source for c in cells if "from toolkit.exercises" in c.source)
    space: dict[str, Any] = {}
    run_cell(source, space)
    return space


@pytest.fixture(scope="module")
def spaces() -> dict[str, dict[str, Any]]:
    return {name: imports(name) for name in dict.fromkeys(e.notebook for e in EXERCISES)}


@each_exercise
def test_a_stub_raises_not_implemented_and_nothing_else(exercise: Exercise, spaces: Any):
    (function,) = ast.parse(exercise.stub_cell).body
    assert isinstance(function, ast.FunctionDef)
    documentation, last = function.body
    assert isinstance(documentation, ast.Expr)
    assert ast.unparse(last) == "raise NotImplementedError"
    space = dict(spaces[exercise.notebook])
    run_cell(exercise.stub_cell, space)
    stub = space[exercise.function]
    with pytest.raises(NotImplementedError):
        stub(*[None] * len(inspect.signature(stub).parameters))
    verdict = run_cell(exercise.check_cell, space)
    assert repr(verdict).startswith("Not yet: still to write"), verdict


@each_exercise
def test_the_solution_passes(exercise: Exercise, spaces: Any):
    assert f"def {exercise.function}(" in exercise.solution_cell
    space = dict(spaces[exercise.notebook])
    solved = run_cell(exercise.solution_cell, space)
    assert isinstance(solved, Verdict)
    assert solved, solved
    assert run_cell(exercise.check_cell, space)


@each_exercise
def test_two_typical_wrong_answers_are_known(exercise: Exercise, spaces: Any):
    judge = spaces[exercise.notebook][exercise.check]
    messages = {words for check, _, words in WRONG if check is judge}
    assert len(messages) >= 2, (
        f"tests/exercises/answers must hold two wrong answers to {exercise.name} "
        f"({exercise.check}), each with its own message; it holds {len(messages)}"
    )


def names(rows: list) -> list[str]:
    return [row[0].__name__ for row in rows]


def test_no_answer_is_left_over(spaces: Any):
    assert set(names(WRONG)) | set(names(RIGHT)) == {exercise.check for exercise in EXERCISES}


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=names(RIGHT))
def test_another_right_answer_passes(check: Callable, answer: Callable):
    assert check(answer), check(answer)


@pytest.mark.parametrize(("check", "answer", "words"), WRONG, ids=names(WRONG))
def test_a_wrong_answer_is_told_what_is_wrong(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    pattern = ".*".join(map(re.escape, words.split(" … ")))
    assert re.search(pattern, verdict.message), verdict.message


@each_exercise
def test_what_no_check_foresees_still_gets_a_sentence(exercise: Exercise, spaces: Any):
    check = spaces[exercise.notebook][exercise.check]

    def broken(*_inputs: Any) -> Any:
        raise IndexError("index 9 is out of bounds")

    assert "raised IndexError: index 9" in check(broken).message
    assert re.search("Is there a `return`|got None", check(lambda *_: None).message)
    for odd in (12345.0, "words"):
        verdict = check(lambda *_, odd=odd: odd)
        assert not verdict
        assert re.search("must|return|asked|shape", verdict.message), verdict.message
    with unchecked():
        assert "without parentheses" in check(3.0).message
