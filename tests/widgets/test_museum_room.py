"""The museum's room without a browser: exhibits, causes, and what is said to a guess."""

from __future__ import annotations

from functools import partial

import plotly.graph_objects as go
import pytest

from toolkit.exercises.verdict import Verdict
from toolkit.widgets import explore
from toolkit.widgets.controls import Choice

pytest.importorskip("ipywidgets")

from toolkit.widgets.museum_room import MuseumRoom

CAUSES = {"a": "the first cause", "b": "the second"}
HIDDEN = {1: "b", 2: "a"}


def judge(exhibit: int, cause: str) -> Verdict:
    right = HIDDEN[exhibit] == cause
    return Verdict(right, "that is it" if right else "<look> elsewhere")


def view(exhibit: int) -> go.Figure:
    return go.Figure(go.Scatter(y=[exhibit]), {"title": {"text": f"Exhibit {exhibit}"}})


@pytest.fixture
def room() -> MuseumRoom:
    board = explore(view, exhibit=Choice({"exhibit 1": 1, "exhibit 2": 2}, dial=True))
    return MuseumRoom(board, partial(judge), CAUSES)


def test_nothing_is_chosen_at_first_and_nothing_is_judged(room: MuseumRoom):
    assert room.causes.value is None and room.said.value == ""
    room.button.click()
    assert "Choose a cause" in room.said.value and room.solved == 0


def test_a_wrong_guess_is_told_and_a_right_one_counts_once(room: MuseumRoom):
    room.causes.value = "a"
    room.button.click()
    assert "Not yet" in room.said.value and "&lt;look&gt;" in room.said.value
    assert room.solved == 0
    for _ in range(2):
        room.causes.value = "b"
        room.button.click()
    assert "Correct" in room.said.value and room.solved == 1


def test_another_exhibit_shows_its_board_and_clears_what_was_said(room: MuseumRoom):
    room.causes.value = "b"
    room.button.click()
    room.board.controls["exhibit"].value = 2
    assert room.causes.value is None and room.said.value == ""
    assert room.figure.widget.layout.title.text == "Exhibit 2"
    room.causes.value = "a"
    room.button.click()
    assert room.solved == 2
