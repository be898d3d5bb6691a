"""Predict first: the answer opens only when the learner's guess is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.widgets.controls import Choice, Sketch, Slider
from toolkit.widgets.support import INSTALL, has_widgets

Answer = str | go.Figure


def predict_first(
    question: str,
    guesses: Sequence[str] | Mapping[str, Any] | Slider | Sketch,
    reveal: Answer | Callable[[Any], Answer],
    *,
    truth: Any = None,
) -> Any:
    """A card with a question, a choice, slider or sketch, and an answer that opens after the guess.

    The guess is stored in the card's `guess` and cannot be changed afterwards; the answer then
    stands beside it. `reveal` is a text, a plotly figure, or a function from the guess to either;
    it is called once here with the first guess, so that an error surfaces in the cell.

    With the `truth` (an option, a number, or the curve `(points,)` of a sketch) the guess is
    scored, here and for nobody else: the card says how near it came, and keeps it as `score`, from
    0 to 1.

    Raises:
        UserError: the answer is neither a text nor a figure, or the truth is none of the guesses.
    """
    control = guesses if isinstance(guesses, Slider | Sketch) else Choice(guesses)
    check_truth(control, truth)
    answer = reveal if callable(reveal) else lambda _guess: reveal
    first = answer(control.start)
    if not isinstance(first, Answer):
        raise UserError(f"`reveal` must give a text or a figure, got {type(first).__name__}.")
    if not has_widgets():
        print(f"{question}\nThis card needs the widget packages: {INSTALL}.")
        return first
    from toolkit.widgets.prediction_card import PredictionCard

    return PredictionCard(question, control, answer, truth)


def check_truth(control: Choice | Slider | Sketch, truth: Any) -> None:
    """Refuse a truth that cannot be guessed; None is no truth.

    Raises:
        UserError: it is no option, outside the slider, or no curve of the sketch.
    """
    if truth is None:
        return
    if isinstance(control, Sketch):
        control.heights(truth)
    elif isinstance(control, Slider):
        if not control.low <= truth <= control.high:
            raise UserError(
                f"`truth` must lie between {control.low} and {control.high}, got {truth}."
            )
    elif truth not in control.ends():
        raise UserError(f"`truth` must be one of {list(control.ends())}, got {truth!r}.")
