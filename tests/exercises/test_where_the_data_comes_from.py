"""The files of the puzzle of the notebook on data, and film strips as pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.exercises.answers.where_the_data_comes_from import FILES
from toolkit.data import check, load
from toolkit.errors import UserError
from toolkit.exercises.pictures import figures, picture_file, write_pictures
from toolkit.exercises.where_the_data_comes_from import SABOTAGES, TIME_LIMIT, write_puzzle
from toolkit.figures.endings import LAGS, action_lags


@pytest.fixture(scope="module")
def puzzle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_puzzle(load("toolkit/hopper-medium-replay"), tmp_path_factory.mktemp("puzzle"))


def test_every_file_has_its_own_fault_and_no_label(puzzle: dict[str, Path]):
    assert sorted(puzzle) == sorted(FILES)
    assert sorted(FILES.values()) == sorted(SABOTAGES)
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
