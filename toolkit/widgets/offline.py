"""Explorers of committed tables of agents' scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from toolkit.figures.profiles import profile_figure
from toolkit.figures.scores import aggregates_figure, short, size_figure
from toolkit.figures.theme import themed
from toolkit.studies.results import by_size, passport
from toolkit.studies.table import Row
from toolkit.widgets.controls import Choice, Slider
from toolkit.widgets.explore import explore

#: Scores `(runs, sets)` by agent, and the sets.
Block = tuple[Mapping[str, np.ndarray], Sequence[str]]


def explore_sizes(rows: Sequence[Row], more: str = "") -> Any:
    """A dial over the number of transitions, above the scores of every agent there.

    `rows` are those of `toolkit study data-size`, and `more` is added to their passport below the
    figure. Without rows, a figure that says so; without the widget packages, the first figure.
    """
    if not rows:
        return empty_figure("No table of scores by size came with this toolkit.")
    scores, caption = by_size(rows), f"Parts by whole episodes. {passport(rows)} {more}".strip()

    def view(size: int) -> go.Figure:
        return size_figure(scores, size, caption)

    sizes = sorted({size for found in scores.values() for size in found})
    options = {short(size): size for size in sizes}
    start = 10_000 if 10_000 in sizes else sizes[0]
    return explore(view, size=Choice(options, start, label="transitions", dial=True))


def explore_aggregates(blocks: Mapping[str, Block], captions: Mapping[str, str]) -> Any:
    """A choice between comparisons, above mean and IQM of each agent and its score on every set.

    `captions` say where the scores of each comparison are from.
    """
    if not blocks:
        return empty_figure("No table of scores came with this toolkit.")

    def view(scores: str) -> go.Figure:
        values, sets = blocks[scores]
        return aggregates_figure(values, sets, captions.get(scores, ""))

    return explore(view, scores=Choice(list(blocks)))


def explore_profiles(blocks: Mapping[str, Block]) -> Any:
    """A choice between comparisons and a threshold, above the agents' performance profiles."""
    if not blocks:
        return empty_figure("No table of scores came with this toolkit.")

    def view(scores: str, threshold: int) -> go.Figure:
        return profile_figure(blocks[scores][0], float(threshold))

    return explore(
        view, scores=Choice(list(blocks)), threshold=Slider(20, 0, 110, label="threshold τ")
    )


def empty_figure(sentence: str) -> go.Figure:
    """A figure that says why there is none."""
    return (
        themed(go.Figure(), sentence, height=120)
        .update_xaxes(visible=False)
        .update_yaxes(visible=False)
    )
