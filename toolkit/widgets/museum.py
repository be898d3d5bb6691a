"""The failure museum's room: an exhibit's board, a list of causes, and what is said to a guess."""

from __future__ import annotations

from functools import partial
from typing import Any

import plotly.graph_objects as go

from toolkit.exercises.failure_museum import diagnose
from toolkit.figures.museum import board_figure
from toolkit.studies.museum_exhibits import CAUSES, EXHIBITS, Museum
from toolkit.widgets.controls import Choice
from toolkit.widgets.explore import explore
from toolkit.widgets.support import has_widgets


def exhibit_view(museum: Museum, exhibit: int) -> go.Figure:
    """The board of an exhibit, counted from 1, before the healthy one."""
    return board_figure(
        museum.exhibit(exhibit), museum.healthy, title=f"Exhibit {exhibit}", name="exhibit"
    )


def explore_museum(museum: Museum) -> Any:
    """Exhibits by number, their boards, and a list of causes with a button that judges.

    Without the widget packages, the first board; `diagnose` judges there.
    """
    numbers = {f"exhibit {n}": n for n in range(1, len(EXHIBITS) + 1)}
    shown = explore(partial(exhibit_view, museum), exhibit=Choice(numbers, dial=True))
    if not has_widgets():
        return shown
    from toolkit.widgets.museum_room import MuseumRoom

    return MuseumRoom(shown, partial(diagnose, museum), CAUSES)
