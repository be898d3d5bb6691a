"""The widget behind `explore_museum`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from toolkit.exercises.verdict import Verdict
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.requirements import ipywidgets as ipw


class MuseumRoom(ipw.VBox):
    """An exhibit's board above a list of causes; `solved` counts the exhibits that were found.

    What was said belongs to one exhibit, and goes when another is chosen.
    """

    solved = traitlets.Int(0)

    def __init__(
        self, board: Explorer, judge: Callable[[int, str], Verdict], causes: Mapping[str, str]
    ):
        self.board, self._judge, self._found = board, judge, set()
        self.causes = ipw.RadioButtons(
            options=[(name, cause) for cause, name in causes.items()], value=None,
            layout={"width": "max-content"},
        )  # fmt: skip
        self.button = ipw.Button(description="Diagnose", button_style="primary")
        self.said, self._count = ipw.HTML(), ipw.HTML()
        asked = ipw.HTML("<b>What was done to it?</b>")
        super().__init__([board, asked, self.causes, self.button, self.said, self._count])
        self.button.on_click(self._answer)
        board.controls["exhibit"].observe(self._enter, names="value")

    @property
    def figure(self) -> Any:
        """The board that is shown."""
        return self.board.figure

    def _answer(self, _button: Any) -> None:
        if self.causes.value is None:
            self.said.value = "Choose a cause first."
            return
        exhibit = self.board.controls["exhibit"].value
        verdict = self._judge(exhibit, self.causes.value)
        self.said.value = verdict._repr_html_()
        if verdict:
            self._found.add(exhibit)
            self.solved = len(self._found)
            total = len(self.board.controls["exhibit"].options)
            self._count.value = f"Found: {self.solved} of {total} exhibits."

    def _enter(self, _change: Any) -> None:
        self.causes.value, self.said.value = None, ""
