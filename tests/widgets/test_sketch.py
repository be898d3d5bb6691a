"""Drawing the expected curve before the true one is shown, and scoring guesses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from toolkit.errors import UserError
from toolkit.widgets import Sketch, Slider, predict_first
from toolkit.widgets.sketch import SketchPad

LINE = Sketch(range(5), 0.0, 10.0, x_label="step", y_label="size")


def test_heights_and_values_are_each_others_inverse_on_both_scales():
    for sketch in (LINE, Sketch(range(5), 0.01, 100.0, log=True)):
        heights = np.array([0.0, 0.25, 0.5, 0.9, 1.0])
        np.testing.assert_allclose(sketch.heights(sketch.values(heights)), heights, atol=1e-12)
    assert Sketch(range(2), 0.01, 100.0, log=True).start.tolist() == pytest.approx([1.0, 1.0])


def test_a_curve_counts_once_it_was_drawn_at_two_places():
    pad = SketchPad(LINE)
    assert pad.value is None
    pad.set_state({"heights": [None, 0.2, None, None, None]})
    assert pad.value is None
    pad.set_state({"heights": [None, 0.2, None, 0.6, None]})
    np.testing.assert_allclose(pad.value, [2, 2, 4, 6, 6])  # joined, and continued at the ends


@pytest.mark.parametrize("heights", [[0.5] * 4, [0.5, 0.5, 0.5, 0.5, 1.5]])
def test_what_the_browser_cannot_have_drawn_is_refused(heights):
    pad = SketchPad(LINE)
    with pytest.raises(UserError, match="must be 5 numbers from 0 to 1"):
        pad.heights = heights


def test_the_miss_is_the_mean_distance_as_a_share_of_the_axis():
    pad = SketchPad(LINE)
    with pytest.raises(UserError, match="no drawn curve"):
        pad.show_truth([0, 0, 0, 0, 0])
    pad.value = [0, 0, 0, 0, 0]
    assert pad.show_truth([0, 10, 0, 99, 5]) == pytest.approx((0 + 1 + 0 + 1 + 0.5) / 5)
    assert pad.truth == [0, 1, 0, 1, 0.5]


def answered(card, guess):
    card.control.value = guess
    card.store_button.click()
    before = card.score
    card.reveal_button.click()
    assert before is None
    return card.score, card._said.value


def test_a_sketched_guess_is_stored_then_scored():
    card = predict_first("How does it grow?", LINE, "see", truth=[0, 1, 2, 3, 4])
    card.store_button.click()
    assert card.guess is None and card.reveal_button.disabled  # nothing drawn yet
    score, words = answered(card, [1, 2, 3, 4, 5])
    assert score == pytest.approx(0.9) and "near: on average 10%" in words
    np.testing.assert_allclose(card.guess, [1, 2, 3, 4, 5])
    assert card.control.disabled and card.control.truth == [0, 0.1, 0.2, 0.3, 0.4]


def test_the_answer_to_a_sketch_may_use_it():
    seen = []
    card = predict_first("How?", LINE, lambda guess: seen.append(guess) or "so")
    assert seen[0].tolist() == [5.0] * 5  # called once with a level line
    score, words = answered(card, [0, 0, 0, 0, 0])
    assert score is None and words == "Your curve is stored." and seen[-1].tolist() == [0.0] * 5


def test_choices_and_numbers_are_scored():
    assert answered(predict_first("Which?", ["a", "b"], "so", truth="b"), "b") == (
        1.0, "Your guess: <b>b</b>. Right.",
    )  # fmt: skip
    score, words = answered(predict_first("Which?", {"x < 1": 1, "y": 2}, "so", truth=1), 2)
    assert score == 0.0 and words == "Your guess: <b>y</b>. Not so: x &lt; 1."
    score, words = answered(predict_first("How much?", Slider(1, 0, 4), "so", truth=4), 3)
    assert score == 0.75 and words.endswith("It is 4: 1 off.")


@pytest.mark.parametrize(
    ("guesses", "truth", "sentence"),
    [
        (["a"], "c", r"`truth` must be one of \['a'\], got 'c'"),
        (Slider(1, 0, 4), 5, "`truth` must lie between 0 and 4, got 5"),
        (LINE, [1, 2], r"A curve must hold 5 numbers, got \(2,\)"),
        (LINE, [1, 2, 3, 4, np.nan], "A curve must hold 5 numbers"),
    ],
)
def test_a_truth_that_cannot_be_guessed_is_refused(guesses, truth, sentence):
    with pytest.raises(UserError, match=sentence):
        predict_first("Why?", guesses, "so", truth=truth)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"x": [1]}, "at least two places, got 1"),
        ({"low": 3.0, "high": 3.0}, "`low` must be below `high` 3.0, got 3.0"),
        ({"low": 0.0, "log": True}, "`low` must be positive and below"),
    ],
)
def test_an_axis_that_is_none_is_refused(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        Sketch(**({"x": range(3), "low": 0.0, "high": 1.0} | settings))
