"""The course's one list against everything that repeats it: notebooks, README, their exercises."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from toolkit.course import COURSE, THEMES, Chapter, column, header_line, leads_to
from toolkit.errors import UserError
from toolkit.exercises.__main__ import main
from toolkit.exercises.listing import LEVELS, exercises, read_exercises

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
FOUND = read_exercises(NOTEBOOKS)

each_chapter = pytest.mark.parametrize("chapter", COURSE, ids=lambda chapter: chapter.name)


def header(chapter: Chapter) -> str:
    return nbformat.read(NOTEBOOKS / f"{chapter.name}.ipynb", as_version=4).cells[0].source


def test_every_notebook_is_in_the_course_and_in_its_place():
    assert [chapter.name for chapter in COURSE] == sorted(p.stem for p in NOTEBOOKS.glob("*.ipynb"))
    assert [chapter.number for chapter in COURSE if not chapter.after] == ["00"]
    assert {chapter.theme for chapter in COURSE} <= set(THEMES)
    assert all(chapter.question.endswith("?") for chapter in COURSE)
    assert [column(chapter) for chapter in COURSE[:5]] == [0, 1, 1, 2, 3]


def test_what_leads_on_is_what_needs_it():
    by_number = {chapter.number: chapter for chapter in COURSE}
    assert [other.number for other in leads_to(by_number["00"])] == ["01", "02"]
    pairs = {(n, chapter.number) for chapter in COURSE for n in chapter.after}
    assert pairs == {(c.number, other.number) for c in COURSE for other in leads_to(c)}
    with pytest.raises(UserError, match="must come after 09, which is not before it"):
        column(replace(COURSE[0], after=("09",)), [replace(COURSE[0], after=("09",)), *COURSE[1:]])


@each_chapter
def test_a_header_says_what_the_list_says(chapter: Chapter):
    first = header(chapter)
    assert first.count("**Prerequisites:**") == 1
    assert header_line(chapter) in first.splitlines()
    spent = re.search(r"about (\d+) minutes? of computing on two CPU cores, (\d+) minutes", first)
    assert spent, first
    assert (int(spent[1]), int(spent[2])) == (chapter.computing, chapter.minutes)


@each_chapter
def test_the_exercises_fit_into_the_minutes(chapter: Chapter):
    own = [exercise for exercise in FOUND if exercise.notebook == chapter.name]
    assert len(own) >= 2
    usual = sum(exercise.minutes for exercise in own if exercise.level != "research")
    assert usual <= 0.6 * chapter.minutes
    more = re.search(r"with the exercises, (\d+) more with the one for research", header(chapter))
    research = [exercise.minutes for exercise in own if exercise.level == "research"]
    assert research == ([int(more[1])] if more else [])


def test_the_course_goes_from_warm_up_to_research():
    counts = {level: sum(e.level == level for e in FOUND) for level in LEVELS}
    assert len(FOUND) >= 25
    assert counts["research"] >= 3
    assert min(counts.values()) >= 3


def test_the_readme_lists_the_course():
    rows = re.findall(
        r"^\| \[`(\w+)`\]\(notebooks/\1\.ipynb\) \| .+ \| (\d+) \|$",
        (ROOT / "README.md").read_text(), re.MULTILINE,
    )  # fmt: skip
    assert rows == [(chapter.name, str(chapter.minutes)) for chapter in COURSE]


def test_the_first_notebook_leads_to_all_others():
    cells = nbformat.read(NOTEBOOKS / f"{COURSE[0].name}.ipynb", as_version=4).cells
    (below,) = (cell.source for cell in cells if "images/00_map.svg" in cell.source)
    for chapter in COURSE[1:]:
        assert chapter.link in below
    assert (NOTEBOOKS / "images" / "00_map.svg").stat().st_size < 25_000


def test_the_list_of_exercises(capsys: Any):
    assert main(["list"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert re.split(r"  +", told[0]) == ["notebook", "exercise", "level", "minutes", "check"]
    assert re.split(r"  +", told[1]) == [
        "00_start_here", "1 count the windows", "warm-up", "4", "check_count_windows",
    ]  # fmt: skip
    assert len(told) == len(FOUND) + 2
    assert told[-1].startswith(f"{len(FOUND)} exercises: ")
    with pytest.raises(UserError, match="must hold notebooks"):
        main(["list", str(ROOT / "docs")])


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("### Exercise 1", "### Task 1", "exercise 1 must stand below a heading"),
        ("### Exercise 1", "### Exercise 2", "`### Exercise 1: TITLE`"),
        ("*Warm-up, about 4 minutes.*", "*Easy, about 4 minutes.*", "must say its level and time"),
        ("(count_windows)", "(3)", "must be one call, `check_NAME"),
        ("def count_windows", "import os\ndef count_windows", "must be one function"),
    ],
)
def test_an_exercise_without_its_heading_or_level_is_refused(old: str, new: str, sentence: str):
    book = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    for cell in book.cells:
        cell.source = cell.source.replace(old, new)
    with pytest.raises(UserError, match=re.escape(sentence)):
        exercises(book, "00_start_here")


def test_the_list_loads_nothing_heavy():
    program = (
        "import sys, toolkit.course; print([m for m in ('jax', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
