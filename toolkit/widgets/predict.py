"""Predict first: the answer opens only when the learner's guess is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.widgets.controls import Choice, Slider
from toolkit.widgets.support import INSTALL, has_widgets

Answer = str | go.Figure


def predict_first(
    question: str,
    guesses: Sequence[str] | Mapping[str, Any] | Slider,
    reveal: Answer | Callable[[Any], Answer],
) -> Any:
    """A card with a question, a choice or slider, and an answer that opens after the guess.

    The guess is stored in the card's `guess` and cannot be changed afterwards; the answer then
    stands beside it. `reveal` is a text, a plotly figure, or a function from the guess to either;
    it is called once here with the first guess, so that an error surfaces in the cell.

    Raises:
        UserError: the answer is neither a text nor a figure.
    """
    control = guesses if isinstance(guesses, Slider) else Choice(guesses)
    answer = reveal if callable(reveal) else lambda _guess: reveal
    first = answer(control.start)
    if not isinstance(first, Answer):
        raise UserError(f"`reveal` must give a text or a figure, got {type(first).__name__}.")
    if not has_widgets():
        print(f"{question}\nThis card needs the widget packages: {INSTALL}.")
        return first
    from toolkit.widgets.prediction_card import PredictionCard

    return PredictionCard(question, control, answer)
