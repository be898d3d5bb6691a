"""Eigenvalues in the plane: discrete in the unit disc, continuous in the left half-plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Num
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import ComplexArray, complex_vector, labels_for, positive
from toolkit.figures.theme import (
    INK,
    PALETTE,
    QUIET_INK,
    STABLE_FILL,
    UNSTABLE,
    UNSTABLE_FILL,
    AnyArray,
    themed,
)  # fmt: skip


def spectrum_figure(
    multipliers: Num[AnyArray, " modes"],
    start_multipliers: Num[AnyArray, " modes"] | None = None,
    names: Sequence[str] | None = None,
    dt: float | None = None,
) -> go.Figure:
    """Discrete eigenvalues λ̄ beside the unit circle; with `start_multipliers`, how they moved.

    Outside the circle a mode grows at every step; such modes are drawn as red diamonds. The faint
    mirror below (or above) is the conjugate of each eigenvalue, which real dynamics imply. With
    `dt`, hovering tells frequency and lifetime.

    Shapes: `modes` eigenvalues, one of each conjugate pair.
    Units:  `dt` in seconds per environment step.
    Raises:
        UserError: an array is empty, not finite, or differs in size from the other.
    """
    points = complex_vector("multipliers", multipliers)
    labels = labels_for(names, len(points), "mode")
    start = None
    if start_multipliers is not None:
        start = complex_vector("start_multipliers", start_multipliers)
        if start.shape != points.shape:
            raise UserError(
                f"`start_multipliers` must hold {len(points)} values, got {len(start)}."
            )
    fig = go.Figure()
    texts = [describe_mode(z, dt, label) for z, label in zip(points, labels, strict=True)]
    add_modes(fig, points, start, texts)
    add_disc(fig, points)
    return themed(fig, "Discrete eigenvalues λ̄", width=560, height=560, showlegend=False)


def generator_figure(
    eigenvalues: Num[AnyArray, " modes"],
    dt: float | None = None,
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Continuous eigenvalues λ = μ + iω; modes with μ > 0 grow.

    With `dt`, the band |ω| ≤ π/dt is drawn: a mode beyond it looks slower than it is, because it
    turns by more than half a circle per step.

    Shapes: `modes` eigenvalues.
    Units:  λ in 1/time and `dt` in the same time per step.
    Raises:
        UserError: an array is empty or not finite, or `dt` is not positive.
    """
    points = complex_vector("eigenvalues", eigenvalues)
    texts = [
        f"{label}<br>μ = {z.real:.3g}, ω = {z.imag:.3g}"
        for label, z in zip(labels_for(names, len(points), "mode"), points, strict=True)
    ]
    fig = go.Figure()
    _points(fig, points, texts, points.real > 0)
    reach = max(0.1, 1.3 * float(np.abs(points.real).max()))
    fig.update_xaxes(title_text="real part μ: growth", range=[-reach, reach])
    fig.update_yaxes(title_text="imaginary part ω: rotation")
    fig.add_vrect(-reach, 0, fillcolor=STABLE_FILL, line_width=0, layer="below")
    fig.add_vrect(0, reach, fillcolor=UNSTABLE_FILL, line_width=0, layer="below")
    fig.add_vline(0, line_color=INK, line_width=1.5, layer="below")
    if dt is not None:
        _nyquist(fig, np.pi / positive("dt", dt))
    return themed(fig, "Continuous eigenvalues λ", width=560, height=480, showlegend=False)


def initialisation_figure(schemes: Mapping[str, Num[AnyArray, " modes"]]) -> go.Figure:
    """Spectra before training, side by side in the complex plane.

    One panel per scheme of App. G of arXiv:2306.11941: real part constant or bounded, imaginary
    part increasing or random. Colour runs with the mode's number, so order (or its absence) shows.

    Shapes: a vector of discrete eigenvalues per scheme.
    Raises:
        UserError: there is no scheme, or an array is empty or not finite.
    """
    if not schemes:
        raise UserError("`schemes` must hold at least one spectrum, got none.")
    columns = min(len(schemes), 4)
    rows = -(-len(schemes) // columns)
    fig = make_subplots(
        rows,
        columns,
        horizontal_spacing=0.04,
        vertical_spacing=0.16,
        subplot_titles=[name.replace(", ", ",<br>") for name in schemes],
    )
    for position, (name, values) in enumerate(schemes.items()):
        at = {"row": position // columns + 1, "col": position % columns + 1}
        points = complex_vector(name, values)
        fig.add_scatter(
            x=points.real, y=points.imag, mode="markers", name=name, showlegend=False, **at,
            marker={"size": 7, "color": np.arange(len(points)), "colorscale": "Cividis"},
        )  # fmt: skip
        add_disc(fig, points, **at)
    for position in range(len(schemes)):
        if position % columns:
            fig.update_yaxes(
                title_text="", showticklabels=False,
                row=position // columns + 1, col=position % columns + 1,
            )  # fmt: skip
    return themed(fig, "Spectra before training", height=80 + 270 * rows, margin_t=104)


def describe_mode(multiplier: complex, dt: float | None = None, label: str = "mode") -> str:
    """A mode in words for hovering: |λ̄|, angle and, with `dt` in seconds, frequency, lifetime."""
    size, angle = abs(multiplier), float(np.angle(multiplier))
    lines = [label, f"|λ̄| = {size:.4f}", f"angle = {angle:.3f} rad"]
    if dt is not None:
        decay = np.log(max(size, 1e-300)) / dt  # 1/s
        lines.append(f"{abs(angle) / (2 * np.pi * dt):.3g} Hz")
        lines.append(f"lifetime {-1 / decay:.3g} s" if decay < 0 else "does not decay")
    return "<br>".join(lines)


def add_modes(
    fig: go.Figure,
    points: ComplexArray,
    start: ComplexArray | None = None,
    texts: Sequence[str] | None = None,
    **at: Any,
) -> None:
    """Eigenvalues, their conjugates and, with `start`, the way they came; `at` names a subplot."""
    look = {"size": 6, "color": "white", "line": {"color": "#9aa5b1", "width": 1}}
    _markers(fig, "conjugates", np.conj(points), look, **at)
    if start is not None:
        path = np.stack([start, points, np.full_like(points, np.nan)], axis=1).ravel()
        fig.add_scatter(
            x=path.real, y=path.imag, mode="lines", name="path", hoverinfo="skip",
            line={"color": QUIET_INK, "width": 1}, showlegend=False, **at,
        )  # fmt: skip
        look = {"size": 7, "color": "white", "line": {"color": QUIET_INK, "width": 1.5}}
        _markers(fig, "start", start, look, **at)
    texts = texts or [describe_mode(z, label=f"mode {i + 1}") for i, z in enumerate(points)]
    _points(fig, points, texts, np.abs(points) > 1 + 1e-6, **at)


def add_disc(fig: go.Figure, points: ComplexArray, **at: Any) -> None:
    """The unit circle, stable inside, unstable outside, in equal axes that fit `points`."""
    extent = max(1.15, 1.1 * float(np.abs(points).max()))
    box = {"x0": -extent, "y0": -extent, "x1": extent, "y1": extent, "line_width": 0}
    fig.add_shape(type="rect", **box, fillcolor=UNSTABLE_FILL, layer="below", **at)
    circle = {"type": "circle", "x0": -1, "y0": -1, "x1": 1, "y1": 1, "layer": "below"}
    fig.add_shape(**circle, fillcolor="white", line={"color": INK, "width": 1.5}, **at)
    fig.add_shape(**circle, fillcolor=STABLE_FILL, line_width=0, **at)
    anchor = fig.data[-1]["xaxis"] or "x"
    span = {"range": [-extent, extent], "constrain": "domain", "showgrid": False, "dtick": 0.5}
    fig.update_xaxes(title_text="Re λ̄", **span, **at)
    fig.update_yaxes(title_text="Im λ̄", scaleanchor=anchor, constraintoward="top", **span, **at)


def _points(
    fig: go.Figure, points: ComplexArray, texts: Sequence[str], growing: np.ndarray, **at: Any
) -> None:
    edge = {"color": "white", "width": 1}
    decaying = {"color": PALETTE[0], "symbol": "circle", "size": 9, "line": edge}
    unstable = {"color": UNSTABLE, "symbol": "diamond", "size": 11, "line": edge}
    hover = np.asarray(texts)
    _markers(fig, "decaying", points[~growing], decaying, hover[~growing], **at)
    _markers(fig, "growing", points[growing], unstable, hover[growing], **at)


def _markers(
    fig: go.Figure, name: str, points: ComplexArray, look: dict, texts: np.ndarray | None = None,
    **at: Any,
) -> None:  # fmt: skip
    fig.add_scatter(
        x=points.real, y=points.imag, mode="markers", name=name, marker=look, text=texts,
        hoverinfo="skip" if texts is None else "text", showlegend=False, **at,
    )  # fmt: skip


def _nyquist(fig: go.Figure, limit: float) -> None:
    fig.update_yaxes(range=[-1.15 * limit, 1.15 * limit])
    for sign in (-1, 1):
        fig.add_hline(sign * limit, line={"color": QUIET_INK, "dash": "dash", "width": 1.5})
    fig.add_annotation(
        text="±π/dt: half a turn per step", x=0.02, xref="x domain", y=limit, yanchor="bottom",
        xanchor="left", font={"color": QUIET_INK},
    )  # fmt: skip
