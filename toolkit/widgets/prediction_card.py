"""The widget behind `predict_first`."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import traitlets

from toolkit.widgets.controls import Choice, Slider, build
from toolkit.widgets.live import ErrorLine, LiveFigure
from toolkit.widgets.requirements import ipywidgets as ipw
from toolkit.widgets.support import one_sentence


class PredictionCard(ipw.VBox):
    """Question, guess, and the answer once the guess is stored.

    `guess` is None until then; `revealed` says whether the answer is open.
    """

    guess = traitlets.Any(None)
    revealed = traitlets.Bool(False)
    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, question: str, control: Choice | Slider, answer: Callable[[Any], Any]):
        self._answer = answer
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
        self._said.value = f"Your guess: <b>{html.escape(self._guess_text())}</b>"

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
        self.reveal_button.disabled = self.revealed = True

    def _guess_text(self) -> str:
        return str(getattr(self.control, "label", None) or f"{self.guess:.4g}")

    @traitlets.observe("error")
    def _tell(self, change: Any) -> None:
        self._line.error = change["new"]


def _guess_widget(control: Choice | Slider) -> Any:
    """Radio buttons with none chosen, or a slider."""
    if isinstance(control, Slider):
        return build(control.label or "my guess", control)
    return ipw.RadioButtons(options=control.options, value=None, layout={"width": "max-content"})
