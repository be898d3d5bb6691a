"""The widget behind `predict_first`."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import traitlets

from toolkit.widgets.controls import Choice, Sketch, Slider, build
from toolkit.widgets.live import ErrorLine, LiveFigure
from toolkit.widgets.requirements import ipywidgets as ipw
from toolkit.widgets.support import one_sentence


class PredictionCard(ipw.VBox):
    """Question, guess, and the answer once the guess is stored.

    `guess` is None until then; `revealed` says whether the answer is open. With a truth, `score`
    then says how near the guess came: 1 is right, 0 as wrong as can be.
    """

    guess = traitlets.Any(None)
    revealed = traitlets.Bool(False)
    score = traitlets.Float(None, allow_none=True)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        question: str,
        control: Choice | Slider | Sketch,
        answer: Callable[[Any], Any],
        truth: Any = None,
    ):
        self._answer, self._asked_for, self._truth = answer, control, truth
        self.control = _guess_widget(control)
        self.store_button = ipw.Button(description="Store my guess", button_style="primary")
        self.reveal_button = ipw.Button(description="Reveal", disabled=True)
        self._said, self._line = ipw.HTML(), ErrorLine()
        self._place = ipw.VBox()
        asked = ipw.HTML(f"<b>Predict first.</b> {html.escape(question)}")
        buttons = ipw.HBox([self.store_button, self.reveal_button])
        super().__init__(
            [asked, self.control, buttons, self._said, self._line, self._place],
            layout={"border": "1px solid #9aa5b1", "padding": "8px 12px"},
        )
        self.store_button.on_click(self._keep)
        self.reveal_button.on_click(self._reveal)

    def _keep(self, _button: Any) -> None:
        if self.control.value is None:
            return  # nothing chosen yet
        self.guess = self.control.value
        self.control.disabled = self.store_button.disabled = True
        self.reveal_button.disabled = False
        self._said.value = self._guess_text()

    def _reveal(self, _button: Any) -> None:
        try:
            answer = self._answer(self.guess)
        except Exception as problem:
            self.error = one_sentence(problem)
            raise
        self.error = ""
        self._place.children = [
            LiveFigure(answer) if isinstance(answer, go.Figure) else ipw.HTML(answer)
        ]
        if self._truth is not None:
            self.score, words = self._judged()
            self._said.value = f"{self._guess_text()} {html.escape(words)}"
        self.reveal_button.disabled = self.revealed = True

    def _guess_text(self) -> str:
        if isinstance(self._asked_for, Sketch):
            return "Your curve is stored."
        told = str(getattr(self.control, "label", None) or f"{self.guess:.4g}")
        return f"Your guess: <b>{html.escape(told)}</b>."

    def _judged(self) -> tuple[float, str]:
        """How near the guess came, and that in words."""
        asked, truth = self._asked_for, self._truth
        if isinstance(asked, Sketch):
            missed = self.control.show_truth(truth)
            near = "very near" if missed < 0.05 else "near" if missed < 0.12 else "far"
            return 1 - missed, (
                f"It is {near}: on average {missed:.0%} of the height away from the true one, "
                "which is dashed."
            )
        if isinstance(asked, Slider):
            missed = abs(self.guess - truth)
            return 1 - missed / (asked.high - asked.low), f"It is {truth:.4g}: {missed:.3g} off."
        if self.guess == truth:
            return 1.0, "Right."
        names = dict(self.control._options_full)
        return 0.0, f"Not so: {next(name for name, value in names.items() if value == truth)}."

    @traitlets.observe("error")
    def _tell(self, change: Any) -> None:
        self._line.error = change["new"]


def _guess_widget(control: Choice | Slider | Sketch) -> Any:
    """Radio buttons with none chosen, a slider, or a pad to draw on."""
    if isinstance(control, Sketch):
        from toolkit.widgets.sketch import SketchPad

        return SketchPad(control)
    if isinstance(control, Slider):
        return build(control.label or "my guess", control)
    return ipw.RadioButtons(options=control.options, value=None, layout={"width": "max-content"})
