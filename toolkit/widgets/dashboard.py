"""Every explorer of one trained model in a page of tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets

from toolkit import explore
from toolkit.errors import UserError
from toolkit.widgets.live import ErrorLine
from toolkit.widgets.requirements import ipywidgets
from toolkit.widgets.subjects import Subject
from toolkit.widgets.support import one_sentence


class Dashboard(ipywidgets.VBox):
    """Tabs of explorers; one is built when it is first opened, so that the page comes at once.

    `window` chooses the stretch of data that the spectrum and the film show. What a tab cannot
    show, such as a film of data that are of no robot, it says in one sentence, also kept in
    `error`; the others go on working.
    """

    error = traitlets.Unicode("").tag(sync=True)

    def __init__(self, subject: Subject, *, tdm: Any = None, horizon: int = 100):
        of, count = (subject.trained, subject.data), len(subject.starts(horizon))
        at: dict[str, Any] = {"horizon": horizon}
        self.window = ipywidgets.IntSlider(
            0, 0, max(1, count - 1), description="window of data", disabled=count < 2,
            continuous_update=False, style={"description_width": "150px"},
            layout={"width": "min(100%, 560px)"},
        )  # fmt: skip
        self.builders: dict[str, Callable[[], Any]] = {
            "Spectrum": lambda: explore.eigenplane(*of, window=self.window.value, **at),
            "Rollout": lambda: explore.rollout({subject.name: of[0]}, of[1], **at),
            "Film": lambda: explore.film(*of, window=self.window.value, **at),
            "Gradients": lambda: explore.gradients({subject.name: of[0]}, of[1], **at),
            "Initialisation": lambda: explore.initialisation(dt=subject.dt),
        }
        if tdm is not None:
            self.builders["Filter"] = lambda: explore.augmentation(tdm)
        self._of_window = {"Spectrum", "Film"}
        self._built: dict[str, Any] = {}
        boxes = [ipywidgets.VBox(layout={"min_height": "120px"}) for _ in self.builders]
        self.tabs = ipywidgets.Tab(boxes, titles=list(self.builders))
        told = ipywidgets.HTML(
            f"<b>{subject.name}</b> on {subject.data.source.name}: {subject.data.num_episodes} "
            f"episodes, {subject.data.num_transitions:,} transitions"
        )
        super().__init__([told, self.window, self.tabs])
        self.tabs.observe(self._open, names="selected_index")
        self.window.observe(self._move, names="value")
        self.tabs.selected_index = 0
        self._open()

    @property
    def opened(self) -> str:
        """The tab that is open."""
        return list(self.builders)[self.tabs.selected_index]

    def shown(self, name: str) -> Any:
        """What a tab shows; none before it was first opened."""
        return self._built.get(name)

    def _open(self, _change: Any = None) -> None:
        name = self.opened
        if name in self._built:
            return
        box = self.tabs.children[self.tabs.selected_index]
        box.children = [ipywidgets.HTML("<i>building …</i>")]
        self.error = ""
        try:
            made = self.builders[name]()
        except UserError as problem:
            self.error = one_sentence(problem)
            made = ErrorLine()
            made.error = self.error
        self._built[name] = made
        box.children = [made]

    def _move(self, _change: Any) -> None:
        for name in self._of_window:
            self._built.pop(name, None)
        self._open()
