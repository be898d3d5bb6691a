"""The ablation of the spectrum's initialisation, beside the paper's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.figures.theme import PALETTE, QUIET_INK, themed

SCHEMES = ("constant, increasing", "constant, random", "bounded, increasing", "bounded, random")

#: State prediction error over 100 steps, mean and spread by data set, in the order of `SCHEMES`.
#: Source: arXiv:2306.11941, Tables 4 to 6 of App. G ("learnable" there is `bounded` here).
PAPER_STATE_ERROR: dict[str, tuple[tuple[float, float], ...]] = {
    "halfcheetah-expert-v2": ((0.300, 0.060), (0.340, 0.047), (0.320, 0.024), (0.360, 0.040)),
    "walker2d-expert-v2": ((0.090, 0.008), (0.104, 0.008), (0.102, 0.003), (0.096, 0.007)),
    "hopper-expert-v2": ((0.007, 0.000), (0.010, 0.007), (0.008, 0.006), (0.008, 0.004)),
}


def ablation_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """State error of each initialisation relative to the first: ours, and the paper's beside it.

    Relative, because data, budget and normalisation differ; what can be compared is the order.
    A row is one trained seed: `scheme` (one of `SCHEMES`), `error`, and `dataset`. All rows are
    of one data set, and the paper's bars are drawn where it reports that data set.

    Raises:
        UserError: a scheme is unknown or the first has no row, an error is not positive, or the
            rows are of several data sets.
    """
    dataset, errors = _by_scheme(rows)
    fig = go.Figure()
    reference = float(np.mean(errors[SCHEMES[0]]))
    measured = [scheme for scheme in SCHEMES if errors[scheme]]
    ours = [(float(np.mean(errors[s])), float(np.std(errors[s]))) for s in measured]
    _bars(fig, "measured here", measured, ours, reference, PALETTE[0])
    _seeds(fig, measured, errors, reference)
    paper = PAPER_STATE_ERROR.get(dataset)
    if paper:
        _bars(fig, "paper, App. G", list(SCHEMES), list(paper), paper[0][0], "#b8c1cc")
    fig.add_hline(1, line={"color": QUIET_INK, "dash": "dot"}, layer="below")
    fig.update_yaxes(title_text="state error / that of the first", rangemode="tozero")
    fig.update_xaxes(title_text="real part, imaginary part")
    return themed(
        fig, f"Initialisation of the spectrum: {dataset}", height=420, barmode="group",
        scattermode="group",
    )  # fmt: skip


def _by_scheme(rows: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, list[float]]]:
    datasets = {row["dataset"] for row in rows}
    if len(datasets) != 1:
        raise UserError(f"`rows` must be of one data set, got {sorted(datasets)}.")
    errors: dict[str, list[float]] = {scheme: [] for scheme in SCHEMES}
    for row in rows:
        if row["scheme"] not in errors:
            raise UserError(f"`scheme` must be one of {SCHEMES}, got {row['scheme']!r}.")
        if not (np.isfinite(row["error"]) and row["error"] > 0):
            raise UserError(f"`error` must be positive, got {row['error']}.")
        errors[row["scheme"]].append(float(row["error"]))
    if not errors[SCHEMES[0]]:
        raise UserError(f"`rows` must hold a row of {SCHEMES[0]!r}, the reference; got none.")
    return datasets.pop(), errors


def _bars(
    fig: go.Figure, name: str, schemes: list[str], values: list[tuple[float, float]],
    reference: float, tone: str,
) -> None:  # fmt: skip
    mean, spread = np.asarray(values).T / reference
    fig.add_bar(
        x=_broken(schemes), y=mean, name=name, marker_color=tone, offsetgroup=name,
        error_y={"type": "data", "array": spread, "color": QUIET_INK, "thickness": 1.5},
    )  # fmt: skip


def _seeds(fig: go.Figure, schemes: list[str], errors: dict[str, list[float]], reference: float):
    """Every seed as a ring, since a mean of few hides how few."""
    fig.add_scatter(
        x=_broken([scheme for scheme in schemes for _ in errors[scheme]]),
        y=[error / reference for scheme in schemes for error in errors[scheme]],
        mode="markers", name="seeds", offsetgroup="measured here",
        marker={"color": "white", "size": 7, "line": {"color": QUIET_INK, "width": 1.5}},
    )  # fmt: skip


def _broken(names: list[str]) -> list[str]:
    """Names in two lines, so that they stand upright below the axis."""
    return [name.replace(", ", ",<br>") for name in names]
