"""The instructors' pages against the course: minutes, exercises, links, and both ways through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from toolkit.course import COURSE, Chapter, leads_to
from toolkit.exercises.listing import read_exercises

ROOT = Path(__file__).parents[1]
PACK = ROOT / "docs" / "instructor"
PAGES = sorted(PACK.glob("*.md"))
FOUND = read_exercises(ROOT / "notebooks")
LINK = re.compile(r"\]\((?!https?://)([^)\s#]+)\)")

each_chapter = pytest.mark.parametrize("chapter", COURSE, ids=lambda chapter: chapter.name)


def page(name: str) -> str:
    return (PACK / f"{name}.md").read_text()


def table(text: str, head: str) -> list[list[str]]:
    """The cells of the table whose first row begins like that."""
    below = text[text.index(f"| {head}") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in below]


def test_every_notebook_has_its_page_and_no_page_is_left_over():
    ways = {"README", "lecture-90-minutes", "course-five-days"}
    assert {path.stem for path in PAGES} == ways | {chapter.name for chapter in COURSE}


@each_chapter
def test_a_page_says_what_the_list_says(chapter: Chapter):
    title, _, line, *_ = page(chapter.name).splitlines()
    assert title == f"# {chapter.number} {chapter.title}"
    after = ", ".join(chapter.after) or "nothing"
    onward = ", ".join(other.number for other in leads_to(chapter)) or "your own data"
    assert line == (
        f"[The notebook](../../notebooks/{chapter.name}.ipynb): {chapter.minutes} minutes, "
        f"about {chapter.computing} of them computing. After: {after}. Leads to: {onward}."
    )


@each_chapter
def test_the_minutes_of_a_page_add_up(chapter: Chapter):
    plan = table(page(chapter.name), "minutes | what")
    assert sum(int(minutes) for minutes, _ in plan) == chapter.minutes
    mentioned = " ".join(what for _, what in plan)
    usual = [e for e in FOUND if e.notebook == chapter.name and e.level != "research"]
    for exercise in usual:  # each has its place in the plan
        assert re.search(rf"exercises? (\d and )?{exercise.number}\b", mentioned) or re.search(
            rf"exercises {exercise.number} and \d", mentioned
        ), exercise.name


@each_chapter
def test_every_exercise_has_its_answer(chapter: Chapter):
    rows = table(page(chapter.name), "exercise | level")
    own = [exercise for exercise in FOUND if exercise.notebook == chapter.name]
    assert [row[:2] for row in rows] == [
        [f"{e.number} {e.title}", f"{e.level}, {e.minutes}"] for e in own
    ]
    assert all(len(row) == 4 and all(row) for row in rows)


@each_chapter
def test_a_page_holds_aims_guesses_and_questions_with_answers(chapter: Chapter):
    text = page(chapter.name)
    for part in ("**Aims.**", "**Predict first.**", "**Discuss.**"):
        assert text.count(part) == 1
    questions = re.findall(r"^- \*.+?\* (.+)$", text[text.index("**Discuss.**") :], re.MULTILINE)
    assert len(questions) >= 4
    assert all(len(answer) > 20 for answer in questions)
    assert len(text) < 6000


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path: Path):
    text = path.read_text()
    links = LINK.findall(text)
    assert links
    for link in links:
        assert (path.parent / link).is_file(), link
    for row in re.findall(r"^\|.*\|$", text, re.MULTILINE):  # no cell is cut by a stray bar
        assert len(re.split(r"(?<!\\)\|", row)) - 2 in {2, 3, 4}


def test_the_table_of_the_pack_is_the_course():
    rows = table(page("README"), "notebook | minutes")
    assert rows == [
        [f"{c.number} {c.title}", str(c.minutes), str(c.computing),
         f"[{c.number}]({c.name}.md)"] for c in COURSE
    ]  # fmt: skip


def test_the_lecture_lasts_ninety_minutes_and_goes_forward():
    rows = table(page("lecture-90-minutes"), "minutes | notebook")
    assert sum(int(row[0]) for row in rows) == 90
    shown = [re.search(r"\d\d", row[1])[0] for row in rows if row[1]]
    assert shown == sorted(shown)
    text = page("lecture-90-minutes")
    told = int(re.search(r"about (\d+) minutes of computing in all", text)[1])
    assert told == sum(c.computing for c in COURSE if c.number in shown)


def test_the_five_days_hold_every_notebook_once_after_what_it_needs():
    rows = table(page("course-five-days"), "day | morning")
    assert len(rows) == 5
    order = [number for row in rows for number in re.findall(r"\[(\d\d) ", " ".join(row[1:3]))]
    assert sorted(order) == [chapter.number for chapter in COURSE]
    for chapter in COURSE:
        assert all(order.index(need) < order.index(chapter.number) for need in chapter.after)
    research = {exercise.title for exercise in FOUND if exercise.level == "research"}
    named = set(re.findall(r"\*([^*]+)\*", " ".join(row[3] for row in rows)))
    assert named == research
    block = table(page("course-five-days"), "minutes | what")
    assert sum(int(minutes) for minutes, _ in block) == 90
