"""The map of the course: boxes, arrows, what hovering tells, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from toolkit.course import COURSE
from toolkit.errors import UserError
from toolkit.figures import course_figure


def test_a_box_for_every_notebook_and_an_arrow_for_every_need():
    fig = course_figure()
    boxes = [shape for shape in fig.layout.shapes if shape.layer != "below"]
    assert len(boxes) == len(COURSE)
    for one in boxes:  # no two touch
        for other in boxes:
            if one is not other:
                assert abs(one.x0 - other.x0) > 0.9 or abs(one.y0 - other.y0) > 0.9
    told = [note.text for note in fig.layout.annotations]
    for chapter in COURSE:
        (label,) = (text for text in told if text.startswith(f"<b>{chapter.number}</b>"))
        assert label.replace("<br>", " ") == f"<b>{chapter.number}</b> {chapter.title}"
    arrows = [note for note in fig.layout.annotations if note.showarrow]
    assert len(arrows) == sum(len(chapter.after) for chapter in COURSE)
    assert all(arrow.x > arrow.ax for arrow in arrows)  # to the right


def test_hovering_tells_the_question():
    (points,) = course_figure().data
    for chapter, text, x in zip(COURSE, points.hovertext, points.x, strict=True):
        assert chapter.question in text.replace("<br>", " ")
        assert f"{chapter.minutes} minutes" in text
        assert ("begin here" in text) == (x == 0)


def test_titles_fit_into_narrower_boxes_too():
    longer = [
        *COURSE,
        replace(COURSE[-1], name="98_more", title="A title of some words", after=("11",)),
        replace(COURSE[-1], name="99_last", title="Last", after=("98",)),
    ]
    fig = course_figure(longer)
    assert max(fig.data[0].x) == 7
    lines = [part for note in fig.layout.annotations for part in note.text.split("<br>")]
    assert max(len(line.replace("<b>", "").replace("</b>", "")) for line in lines) <= 12


def test_what_cannot_be_drawn_is_refused():
    twice = [*COURSE, replace(COURSE[-1], name="98_more")]
    with pytest.raises(UserError, match="two notebooks of one theme into one column"):
        course_figure(twice)
    with pytest.raises(UserError, match="`theme` must be one of prediction.*got 'cooking'"):
        course_figure([replace(COURSE[0], theme="cooking")])
