"""Controls, explorers, live plots, cards and static pictures, without a browser."""

from __future__ import annotations

import base64
import json
import shutil
from importlib import import_module
from pathlib import Path

import ipywidgets
import numpy as np
import plotly.graph_objects as go
import pytest

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.figures import aliasing_figure
from toolkit.widgets import (
    Choice,
    LivePlot,
    Slider,
    Toggle,
    explore,
    predict_first,
    save_picture,
    static,
)  # fmt: skip
from toolkit.widgets.controls import build
from toolkit.widgets.live import LiveFigure, differences
from toolkit.widgets.picture import tidy_svg


def curve(factor: float = 1.0, points: int = 3, dashed: bool = False) -> go.Figure:
    if factor > 5:
        raise ValueError("the factor is <too> large")
    fig = go.Figure(go.Scatter(y=factor * np.arange(points), line_dash="dash" if dashed else None))
    for extra in range(points - 3):
        fig.add_bar(y=[extra])
    return fig


def test_a_control_redraws_the_figure():
    explorer = explore(curve, factor=Slider(1.0, 0.0, 5.0), dashed=Toggle())
    widget = explorer.figure.widget
    explorer.controls["factor"].value = 4.0
    np.testing.assert_array_equal(widget.data[0].y, [0, 4, 8])
    explorer.controls["dashed"].value = True
    assert widget.data[0].line.dash == "dash"
    explorer.controls["dashed"].value = False
    assert widget.data[0].line.dash is None  # what the new figure lacks is gone
    assert explorer.values == {"factor": 4.0, "dashed": False}


def test_traces_may_come_and_go():
    explorer = explore(curve, points=Slider(3, 3, 6))
    explorer.controls["points"].value = 6
    assert [trace.type for trace in explorer.figure.widget.data] == ["scatter"] + 3 * ["bar"]
    explorer.controls["points"].value = 3
    assert len(explorer.figure.widget.data) == 1


def test_an_error_is_told_raised_and_forgotten():
    explorer = explore(curve, factor=Slider(1.0, 0.0, 10.0))
    with pytest.raises(ValueError, match="too"):
        explorer.controls["factor"].value = 6.0
    assert explorer.error == "ValueError: the factor is <too> large"
    line = explorer.children[1]
    assert "&lt;too&gt; large" in line.value
    explorer.controls["factor"].value = 2.0
    assert explorer.error == line.value == ""


def test_the_first_error_surfaces_at_once():
    with pytest.raises(ValueError, match="too"):
        explore(curve, factor=Slider(6.0, 0.0, 10.0))
    with pytest.raises(UserError, match="`view` must return a plotly figure, got int"):
        explore(lambda x: x, x=Slider(1, 0, 2))


def test_only_differences_are_sent():
    before, after = aliasing_figure(1.0, 0.1), aliasing_figure(1.5, 0.1)
    old, new = (f.data[2].to_plotly_json() for f in (before, after))
    assert [path for path, _ in differences(old, new)] == ["y"]
    assert list(differences(old, old)) == []
    assert list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})) == [
        ("a.b", 3),
        ("a.c", None),
    ]


def test_a_figure_changed_in_place_is_noticed():
    figure = curve()
    live = LiveFigure(figure)
    figure.data[0].y = [7, 7, 7]
    live.show(figure)
    assert list(live.widget.data[0].y) == [7, 7, 7]


@pytest.mark.parametrize(
    ("control", "kind", "ends"),
    [
        (Slider(1, 0, 9), ipywidgets.IntSlider, (0, 9)),
        (Slider(1.0, 0.0, 9.0), ipywidgets.FloatSlider, (0.0, 9.0)),
        (Slider(1e-3, 1e-5, 1.0, log=True), ipywidgets.FloatLogSlider, (1e-5, 1.0)),
        (Choice(["a", "b"]), ipywidgets.Dropdown, ("a", "b")),
        (Choice({"one": 1, "two": 2}, start=2), ipywidgets.Dropdown, (1, 2)),
        (Toggle(start=True), ipywidgets.Checkbox, (False, True)),
    ],
)
def test_controls_become_widgets(control: Slider | Choice | Toggle, kind: type, ends: tuple):
    widget = build("learning_rate", control)
    assert type(widget) is kind
    assert widget.description == "learning rate"
    assert widget.value == pytest.approx(control.start) if kind is not ipywidgets.Dropdown else True
    assert control.ends() == ends
    for end in ends:
        widget.value = end
        assert widget.value == end


def test_an_ipywidget_is_a_control_too():
    box = ipywidgets.BoundedFloatText(2.0, min=0, max=4)
    explorer = explore(curve, factor=box)
    assert explorer.controls["factor"] is box
    np.testing.assert_array_equal(explorer.figure.widget.data[0].y, [0, 2, 4])


def test_control_arguments_are_checked():
    with pytest.raises(UserError, match="`start` must lie between `low` 0 and `high` 1, got 2"):
        Slider(2, 0, 1)
    with pytest.raises(UserError, match="logarithmic slider must be positive, got 0"):
        Slider(0.5, 0.0, 1.0, log=True)
    with pytest.raises(UserError, match="`options` must hold at least one value"):
        Choice([])


def test_without_widgets_the_first_figure_remains(monkeypatch: pytest.MonkeyPatch, capsys):
    for name in ("explore", "predict", "live_plot"):
        module = import_module(f"toolkit.widgets.{name}")
        monkeypatch.setattr(module, "has_widgets", lambda: False)
    figure = explore(curve, factor=Slider(2.0, 0.0, 5.0))
    np.testing.assert_array_equal(figure.data[0].y, [0, 2, 4])
    assert predict_first("Why?", ["a", "b"], "because") == "because"
    assert capsys.readouterr().out.count("koopman-toolkit[notebooks]") == 2
    plot = LivePlot()
    plot.add(1, loss=2.0)
    assert list(plot.figure().data[0].y) == [2.0]


def test_a_live_plot_draws_seldom_and_ends_complete():
    with LivePlot(every=1e9) as plot:
        shown = plot._live.widget
        for update in range(5):
            plot.add(update, **{"loss/critic": 1.0 / (update + 1)})
        assert len(shown.data[0].y) == 1  # the first row at once, then not before `every`
    assert list(shown.data[0].y) == [1.0 / (k + 1) for k in range(5)]
    assert len(plot.history) == 5


def test_a_live_plot_counts_what_it_is_told_to():
    plot = LivePlot(every=1e9, x="seconds of training")
    plot.add(0.5, koopman=0.1)
    plot.add(1.5, gru=0.2)
    figure = plot.figure()
    assert figure.layout.xaxis.title.text == "seconds of training"
    assert [(trace.name, *trace.x, *trace.y) for trace in figure.data] == [
        ("koopman", 0.5, 0.1),
        ("gru", 1.5, 0.2),
    ]


def test_a_long_history_is_thinned_for_drawing():
    plot = LivePlot(every=1e9)
    for update in range(4001):
        plot.add(update, loss=1.0)
    steps = plot.figure(max_points=100).data[0].x
    assert len(steps) <= 102
    assert (steps[0], steps[-1]) == (0, 4000)


@pytest.mark.parametrize("guesses", [["it grows", "it decays"], Slider(0.5, 0.0, 1.0)])
def test_the_answer_opens_only_after_the_guess(guesses: list | Slider):
    card = predict_first("What happens?", guesses, lambda guess: f"You said {guess}")
    assert card.reveal_button.disabled
    card.reveal_button.disabled = True
    card.control.value = guesses[1] if isinstance(guesses, list) else 0.25
    card.store_button.click()
    assert card.guess == card.control.value
    assert card.control.disabled
    card.reveal_button.click()
    assert card.revealed
    assert card.children[-1].children[0].value == f"You said {card.guess}"


def test_nothing_is_stored_before_a_choice():
    card = predict_first("What happens?", ["a", "b"], "so")
    card.store_button.click()
    assert card.guess is None
    assert card.reveal_button.disabled


def test_a_failing_answer_is_told():
    card = predict_first("How much?", Slider(1.0, 0.0, 9.0), lambda guess: curve(guess))
    card.control.value = 8.0
    card.store_button.click()
    card.reveal_button.click()  # ipywidgets logs what a button raises
    assert "large" in card.error
    assert not card.revealed
    with pytest.raises(UserError, match="a text or a figure, got int"):
        predict_first("How much?", ["a"], lambda _guess: 3)


def test_a_static_figure_is_small_and_needs_no_kernel():
    bundle = static(curve())._repr_mimebundle_()
    assert list(bundle) == ["application/vnd.plotly.v1+json"]
    assert len(json.dumps(bundle)) < 10_000
    with unchecked(), pytest.raises(UserError, match="must be a plotly figure, got list"):
        static([1, 2])  # type: ignore[arg-type]


def test_a_picture_drawn_again_is_the_same_file():
    drawn = b'<defs id="defs-3c68a1"><g id="clip3c68a1x"/></defs><g clip-path="url(#clip3c68a1x)">'
    curve_there = b'<path d="M0.04,177.32000000000002L-12.26,5" style="opacity: 0.123456"/></g>'
    tidy = tidy_svg(drawn + curve_there)
    assert tidy == tidy_svg(drawn.replace(b"3c68a1", b"00ff00") + curve_there) == tidy_svg(tidy)
    assert b'd="M0,177.3L-12.3,5"' in tidy and b"opacity: 0.123456" in tidy
    assert b"url(#clipfigurex)" in tidy and b'id="clipfigurex"' in tidy


def test_a_picture_says_nothing_that_goes_without_saying():
    idle = b'<g class="trace" transform="translate(1.23456,0)"><g class="fills"><g class="x"/></g>'
    said = b'<path d="M0,1" style="opacity: 1; stroke-opacity: 1; stroke-width: 2px;"/></g>'
    assert tidy_svg(idle + said) == (
        b'<g transform="translate(1.23,0)"><path d="M0,1" style="stroke-width: 2px;"/></g>'
    )
    kept = b'<text style="fill-opacity: 0.1; font-weight: bold;">opacity: 1; </text>'
    assert tidy_svg(kept) == kept


def test_a_style_that_recurs_is_written_once_and_weighs_the_same():
    label = b'<text style="fill: red; font-size: 9px;">%d</text>'
    many = b"<svg>" + b"".join(label % i for i in range(3)) + b'<path style="fill: none;"/></svg>'
    tidy = tidy_svg(many)
    assert tidy == (
        b"<svg><style>.s0{fill: red; font-size: 9px;}</style>"
        b'<text class="s0">0</text><text class="s0">1</text><text class="s0">2</text>'
        b'<path style="fill: none;"/></svg>'
    )
    assert tidy_svg(tidy) == tidy


@pytest.mark.skipif(shutil.which("chromium") is None, reason="pictures need a browser")
def test_pictures_on_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    pytest.importorskip("kaleido")
    monkeypatch.setenv("TOOLKIT_PICTURES", "png")
    image = static(curve())._repr_mimebundle_()["image/png"]
    assert base64.b64decode(image).startswith(b"\x89PNG")
    with pytest.raises(UserError, match="must be one of"):
        save_picture(curve(), tmp_path / "figure.gif")
