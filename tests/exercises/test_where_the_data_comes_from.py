"""Checks of the notebook on data: typical wrong answers, and the puzzle's files."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from toolkit.data import check, load
from toolkit.errors import UserError
from toolkit.exercises.pictures import figures, picture_file, write_pictures
from toolkit.exercises.where_the_data_comes_from import (
    SABOTAGES,
    TIME_LIMIT,
    check_log_density,
    check_nearest_kept,
    check_sabotage,
    check_td_target,
    write_puzzle,
)
from toolkit.figures.endings import LAGS, action_lags

RIGHT = {
    "A": "timeouts stored as terminals",
    "B": "actions one row late",
    "C": "healthy",
    "D": "rewards all zero",
    "E": "actions of other rows",
}


def td(reward, value, terminal, timeout, discount):
    return reward + discount * ~terminal * value


def density(action, mean, log_std):
    u = np.arctanh(action)
    normal = -0.5 * ((u - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)
    return normal - np.log(1 - action**2)


def normal(value, mean, log_std):
    return -0.5 * ((value - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)


def distance(rows, kept):
    return np.sqrt(((rows[:, None] - kept[None]) ** 2).mean(2))


def said(**changes: str) -> Callable[[], dict[str, str]]:
    return lambda: RIGHT | changes


SOLVED: list[tuple[Callable, Callable]] = [
    (check_td_target, td),
    (check_log_density, lambda a, m, s: density(a, m, s).sum(1)),
    (check_nearest_kept, lambda r, k: distance(r, k).min(1).mean()),
    (check_sabotage, said()),
]

WRONG: list[tuple[Callable, Callable, str]] = [
    (check_td_target, lambda r, v, t, c, g: r + g * ~(t | c) * v, "stop at timeouts too"),
    (check_td_target, lambda r, v, t, c, g: r + g * ~c * v, "flags are exchanged"),
    (check_td_target, lambda r, v, t, c, g: r + g * v, "nothing stops"),
    (check_td_target, lambda r, v, t, c, g: r + g * t * v, "wrong sense"),
    (check_td_target, lambda r, v, t, c, g: r + ~t * v, "γ is missing"),
    (check_td_target, lambda r, v, t, c, g: r - g * ~t * v, "wrong sign"),
    (check_td_target, lambda r, v, t, c, g: ~t * (r + g * v), "reward goes away"),
    (check_td_target, lambda r, v, t, c, g: r + g * ~np.roll(t, 1) * v, "off by one"),
    (check_td_target, lambda r, v, t, c, g: g * ~t * v, "reward is missing"),
    (check_td_target, lambda r, v, t, c, g: g * (r + ~t * v), "is not discounted"),
    (check_log_density, lambda a, m, s: normal(np.arctanh(a), m, s).sum(1), "change of variables"),
    (check_log_density,
     lambda a, m, s: (2 * normal(np.arctanh(a), m, s) - density(a, m, s)).sum(1),
     "wrong sign of the correction"),
    (check_log_density, lambda a, m, s: normal(a, m, s).sum(1), "Undo the tanh"),
    (check_log_density, lambda a, m, s: (normal(a, m, s) - np.log(1 - a**2)).sum(1), "Undo"),
    (check_log_density, lambda a, m, s: density(a, m, s).sum(0), "wrong axis"),
    (check_log_density, lambda a, m, s: density(a, m, s), "one number per coordinate"),
    (check_log_density, lambda a, m, s: density(a, m, s).mean(1), "mean over coordinates"),
    (check_log_density, lambda a, m, s: -density(a, m, s).sum(1), "wrong sign: .* a loss"),
    (check_log_density, lambda a, m, s: np.exp(density(a, m, s).sum(1)), "its logarithm"),
    (check_log_density, lambda a, m, s: (density(a, m, s) + s).sum(1), "log σ is missing"),
    (check_nearest_kept, lambda r, k: distance(r, k).min(0).mean(), "wrong axis"),
    (check_nearest_kept, lambda r, k: distance(r, k).mean(), "typical kept row"),
    (check_nearest_kept, lambda r, k: (distance(r, k) ** 2).min(1).mean(), "root is missing"),
    (check_nearest_kept, lambda r, k: 2 * distance(r, k).min(1).mean(), "summed over coordinates"),
    (check_nearest_kept, lambda r, k: distance(r, k).min(1), "one number per row"),
    (check_nearest_kept, lambda r, k: distance(r, k).max(1).mean(), "farthest"),
    (check_sabotage, said(A="healthy"), "file A.*where its episodes end"),
    (check_sabotage, said(C="rewards all zero"), "file C.*rewards vary"),
    (check_sabotage, said(B="actions of other rows"), "file B.*at another lag"),
    (check_sabotage, said(E="healthy"), "file E.*does any lag stand out"),
    (check_sabotage, said(D="late"), "file D: 'late' is none of"),
    (check_sabotage, lambda: {"A": "healthy"}, "one entry for each of A, B, C, D, E"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer"), SOLVED)
def test_the_right_answer_passes(check: Callable, answer: Callable):
    verdict = check(answer)
    assert verdict, verdict.message


@pytest.mark.parametrize(("check", "answer", "words"), WRONG)
def test_a_typical_wrong_answer_is_recognised(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    assert re.search(words, verdict.message), verdict.message


@pytest.mark.parametrize("check", [check for check, _ in SOLVED])
def test_stubs_and_accidents_get_a_sentence(check: Callable):
    def stub(*_inputs: Any) -> Any:
        raise NotImplementedError

    def broken(*_inputs: Any) -> Any:
        raise IndexError("index 9 is out of bounds")

    assert repr(check(stub)).startswith("Not yet: still to write")
    assert "raised IndexError: index 9" in check(broken).message
    assert "Is there a `return`" in check(lambda *_: None).message
    assert not check(lambda *_: 12345.0)


@pytest.fixture(scope="module")
def puzzle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_puzzle(load("toolkit/hopper-medium-replay"), tmp_path_factory.mktemp("puzzle"))


def test_every_file_has_its_own_fault_and_no_label(puzzle: dict[str, Path]):
    assert sorted(puzzle) == sorted(RIGHT)
    assert sorted(RIGHT.values()) == sorted(SABOTAGES)
    data = {letter: load(path) for letter, path in puzzle.items()}
    sound = data["C"]
    lengths = np.diff(sound.episode_bounds(), axis=1)
    assert lengths.max() == TIME_LIMIT
    assert 20 < int(sound.timeout.sum()) < sound.num_episodes - 20
    assert not data["A"].timeout.any()
    assert int(data["A"].terminal.sum()) == sound.num_episodes
    assert not data["D"].rewards.any()
    best = {letter: LAGS[int(np.argmax(action_lags(d)))] for letter, d in data.items()}
    assert {letter: best[letter] for letter in "ABCD"} == {"A": 0, "B": 1, "C": 0, "D": 0}
    assert action_lags(data["E"]).max() < 0.02
    for letter, path in puzzle.items():
        assert data[letter].source.name == f"file {letter}"
        same = np.asarray(data[letter].observations) == np.asarray(sound.observations)
        assert same.all()
        found = {item.code for item in check(path).findings}
        assert found == {"A": {"terminals-at-limit"}, "D": {"rewards-zero"}}.get(letter, set())


def film_notebook(path: Path, variable: str) -> Any:
    cells = [
        new_code_cell(f"strip = {str(path)!r}\nnothing = None"),
        new_code_cell("strip", metadata={"tags": [f"picture:film.png={variable}"]}),
    ]
    return new_notebook(cells=cells)


def test_a_film_strip_is_a_picture_too(tmp_path: Path):
    image = pytest.importorskip("PIL.Image")
    import nbformat

    source = tmp_path / "strip.png"
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    image.fromarray(noise).save(source)
    notebook = film_notebook(source, "strip")
    assert dict(figures(notebook)) == {"film.png": source}
    nbformat.write(notebook, tmp_path / "02_title.ipynb")
    (written,) = write_pictures(tmp_path / "02_title.ipynb")
    assert written == tmp_path / "images" / "film.png"
    with image.open(written) as small:
        assert small.size == (60, 40)
    with pytest.raises(UserError, match="'film.png' must be a file that the cell wrote, got None"):
        dict(figures(film_notebook(source, "nothing")))


def test_the_file_of_a_picture():
    assert picture_file("00_data") == "00_data.svg"
    assert picture_file("00_data=answer") == "00_data.svg"
    assert picture_file("02_film.png=strip") == "02_film.png"
