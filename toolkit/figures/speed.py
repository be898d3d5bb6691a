"""Times of several models beside one of them, by the length of what they compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import positive, vector
from toolkit.figures.theme import LEGEND_BELOW, line, themed

_TICKS = (0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 50)


def speed_figure(
    panels: Mapping[str, tuple[Sequence[int], Mapping[str, Sequence[float]]]],
    reference: str = "koopman",
) -> go.Figure:
    """Time as a multiple of the reference's, over the number of steps; one panel per kind of work.

    Each panel is `(lengths, {name: seconds})`, with one time per length. Names missing from a
    panel were not measured there.

    Raises:
        UserError: there is no panel, one lacks the reference, or a time is missing or not positive.
    """
    if not panels:
        raise UserError("`panels` must hold at least one kind of work, got none.")
    fig = make_subplots(1, len(panels), subplot_titles=list(panels), horizontal_spacing=0.12)
    named: set[str] = set()
    low, high = 0.7, 2.0  # shown at least, so that small differences look small
    for column, (title, (lengths, times)) in enumerate(panels.items(), start=1):
        ratios = time_ratios(times, reference, len(lengths), title)
        for position, (name, values) in enumerate(ratios.items()):
            low, high = min(low, *values), max(high, *values)
            fig.add_scatter(
                x=list(lengths), y=values, name=name, legendgroup=name, mode="lines+markers",
                line=line(name, position), showlegend=name not in named, row=1, col=column,
                hovertemplate=f"{name}, %{{x}} steps: %{{y:.3g}} times<extra></extra>",
            )  # fmt: skip
            named.add(name)
        fig.update_xaxes(
            type="log", tickvals=list(lengths), ticktext=[str(n) for n in lengths],
            title_text="environment steps", row=1, col=column,
        )  # fmt: skip
    fig.update_yaxes(type="log", range=np.log10([low / 1.15, high * 1.15]).tolist())
    fig.update_yaxes(tickvals=_TICKS, ticktext=[f"{tick:g}" for tick in _TICKS])
    fig.update_yaxes(title_text=f"time / time of {reference}", row=1, col=1)
    return themed(
        fig, "What longer sequences cost", height=440, margin_t=84, margin_b=110,
        legend=LEGEND_BELOW,
    )  # fmt: skip


def time_ratios(
    times: Mapping[str, Sequence[float]], reference: str, count: int, where: str = "times"
) -> dict[str, np.ndarray]:
    """Each model's times over the reference's.

    Raises:
        UserError: the reference is missing, or a time is missing or not positive.
    """
    if reference not in times:
        raise UserError(f"`{where}` must hold {reference!r}, got {', '.join(times) or 'nothing'}.")
    arrays = {}
    for name, values in times.items():
        arrays[name] = vector(name, np.asarray(values, float))
        if len(arrays[name]) != count:
            raise UserError(f"`{name}` must hold {count} times, got {len(arrays[name])}.")
        positive(name, float(arrays[name].min()))
    return {name: values / arrays[reference] for name, values in arrays.items()}
