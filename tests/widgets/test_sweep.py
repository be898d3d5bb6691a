"""Working every control of an explorer: where it goes, what it times, and what it finds."""

from __future__ import annotations

import time

import jax.numpy as jnp
import plotly.graph_objects as go
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from toolkit.bench.explorers import LIMITS, rows_of, summary
from toolkit.widgets import Choice, Slider, Toggle, explore
from toolkit.widgets.explorer import ALIVE
from toolkit.widgets.sweep import enters, sweep


def line(slope=1.0, *, wait=0.0):
    time.sleep(wait)
    return go.Figure(go.Scatter(y=[0, float(slope)]))


def test_every_control_is_moved_to_its_ends_and_back():
    seen = []

    def view(size, scale, kind, shown):
        seen.append((size, round(scale, 6), kind, shown))
        return line(size)

    explorer = explore(
        view, size=Slider(2, 1, 5, 1), scale=Slider(0.1, 0.01, 1.0, log=True),
        kind=Choice(list("abc")), shown=Toggle(True),
    )  # fmt: skip
    swept = sweep(explorer, turns=1)
    visited = [(answer.control, answer.value) for answer in swept.answers]
    assert visited == [
        ("size", "1"), ("size", "5"), ("scale", "0.01"), ("scale", "1.0"), ("kind", "b"),
        ("kind", "c"), ("shown", "False"),
    ]  # fmt: skip
    assert explorer.values == {"size": 2, "scale": 0.1, "kind": "a", "shown": True}
    assert {values[0] for values in seen} == {1, 2, 5}
    assert {values[2] for values in seen} == set("abc")
    assert swept.name == "size, scale, kind, shown" and not swept.computes


def test_a_long_list_is_tried_at_its_ends_and_between():
    explorer = explore(lambda at: line(at), at=Choice(list(range(100))))
    visited = [int(answer.value) for answer in sweep(explorer, turns=1).answers]
    assert visited[-1] == 99 and 4 <= len(visited) <= 6


def test_answers_are_timed_and_turns_told_apart():
    explorer = explore(lambda slope: line(slope, wait=0.02), slope=Slider(1.0, 0.0, 2.0))
    answers = sweep(explorer, turns=2).answers
    assert [answer.turn for answer in answers] == [0, 0, 1, 1]
    assert all(0.02 <= answer.seconds < 2 for answer in answers)


def test_a_view_that_computes_is_told_from_one_that_only_draws():
    drawing = explore(lambda slope: line(slope), slope=Slider(1.0, 0.0, 2.0))
    computing = explore(lambda slope: line(jnp.sin(slope)), slope=Slider(1.0, 0.0, 2.0))
    assert not sweep(drawing, 1).computes and sweep(computing, 1).computes
    assert enters(("json",), lambda: __import__("json").dumps({})) and not enters(("json",), int)


def test_a_failing_redraw_is_raised():
    def view(slope):
        if slope > 1.5:
            raise ValueError("too steep")
        return line(slope)

    with pytest.raises(ValueError, match="too steep"):
        sweep(explore(view, slope=Slider(1.0, 0.0, 2.0)))


def test_explorers_are_known_in_the_order_of_their_making():
    first = explore(lambda a: line(a), a=Slider(1.0, 0.0, 2.0))
    second = explore(lambda b: line(b), b=Slider(1.0, 0.0, 2.0))
    known = [ALIVE[number] for number in sorted(ALIVE)]
    assert known.index(first) < known.index(second)


def swept(computes, *seconds):
    answers = [
        {"control": "a", "value": "1", "turn": turn, "seconds": time}
        for turn, times in enumerate(seconds) for time in times
    ]  # fmt: skip
    return {"name": "a", "computes": computes, "answers": answers}


def test_rows_hold_the_slowest_place_against_the_limit_of_its_kind():
    rows = rows_of("00_x", [swept(False, [0.05, 0.2], [0.05, 0.04]), swept(True, [0.5], [0.1])])
    found = {row.case: (row.seconds, row.reference_seconds, row.ratio) for row in rows}
    assert found == {
        "explorers/00_x/1: a/first": (0.2, LIMITS[False], pytest.approx(2.0)),
        "explorers/00_x/1: a/later": (0.05, LIMITS[False], pytest.approx(0.5)),
        "explorers/00_x/2: a/first": (0.5, LIMITS[True], pytest.approx(0.5)),
        "explorers/00_x/2: a/later": (0.1, LIMITS[True], pytest.approx(0.1)),
    }
    assert summary(rows).startswith("first visits: 1 of 2 explorers within their limit")


def test_a_notebook_is_run_and_its_explorers_worked(tmp_path, capfd, monkeypatch):
    pytest.importorskip("nbclient")
    import json
    from pathlib import Path

    import nbformat

    from toolkit.cli import main

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    cells = [
        "import plotly.graph_objects as go\nfrom toolkit.widgets import Slider, explore",
        "explore(lambda slope: go.Figure(go.Scatter(y=[0, slope])), slope=Slider(1.0, 0.0, 2.0))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "00_start_here.ipynb")
    words = ["bench", "explorers", "--notebooks", str(tmp_path), "--json", str(tmp_path / "r.json")]
    assert main(words) == 0
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    assert [row["case"] for row in rows] == [
        "explorers/00_start_here/1: slope/first", "explorers/00_start_here/1: slope/later",
    ]  # fmt: skip
    assert rows[0]["reference_seconds"] == 0.1 and rows[0]["repetitions"] == 2
    assert "of 1 explorers within their limit" in capfd.readouterr().out
    assert main([*words, "--only", "07"]) == 2
    assert "`only` must name the beginning" in capfd.readouterr().err
