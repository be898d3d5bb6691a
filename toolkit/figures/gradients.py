"""Gradients through time: measured sizes, the envelope of the theory, and where it fails."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.theme import INK, LEGEND_BELOW, QUIET_INK, UNSTABLE, colour, fill, line, themed
from toolkit.spectral.nonnormal import distance_to_singular, kreiss_constant, power_norms

FLOOR, CEILING = 1e-8, 1e8  # what is drawn; single precision says nothing beyond

Curve = tuple[np.ndarray, np.ndarray]
"""Lags `(lags,)` and gradient sizes `(samples, lags)`."""


def gradient_figure(
    curves: Mapping[str, Curve],
    envelope: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    *,
    title: str = "Gradients through time",
    height: int = 420,
) -> go.Figure:
    """Median size of a gradient over the number of steps it went back, samples as a band.

    `envelope` is `(lags, low, high)` of `gradient_envelope`. Sizes beyond `FLOOR` and `CEILING`
    are drawn at them. 1 is a gradient that arrives as large as it left.

    Raises:
        UserError: there is no curve, or one has other lags than sizes.
    """
    if not curves:
        raise UserError("`curves` must hold at least one model, got none.")
    fig = go.Figure()
    fig.add_hline(1.0, line={"color": QUIET_INK, "width": 1, "dash": "dot"})
    for position, (name, (lags, sizes)) in enumerate(curves.items()):
        lags, sizes = np.asarray(lags), np.atleast_2d(sizes)
        if sizes.shape[1] != len(lags):
            raise UserError(f"{name}: {len(lags)} lags do not fit {sizes.shape[1]} sizes.")
        sizes = np.clip(np.nan_to_num(sizes, nan=CEILING, posinf=CEILING), FLOOR, CEILING)
        _ribbon(fig, lags, sizes.min(0), sizes.max(0), fill(name, position))
        fig.add_scatter(
            x=lags, y=np.median(sizes, axis=0), name=name, mode="lines",
            line=line(name, position, width=3.0),
        )  # fmt: skip
    if envelope is not None:
        lags, *bounds = envelope
        for bound, name, shown in zip(bounds, ("low", "high"), (False, True), strict=True):
            fig.add_scatter(
                x=lags, y=np.clip(bound, FLOOR, CEILING), mode="lines", name="theory: exp(kΔtμ)",
                legendgroup="theory", showlegend=shown, meta=name,
                line={"color": INK, "width": 1.5, "dash": "dash"},
            )  # fmt: skip
    fig.update_xaxes(title_text="steps back in time")
    drawn = np.concatenate([np.asarray(trace.y, float) for trace in fig.data])
    _log_axis(fig, drawn, "size of the gradient")
    return themed(fig, title, height=height, showlegend=True)


def _log_axis(fig: go.Figure, values: np.ndarray, title: str, **where: int) -> None:
    """Whole powers of ten where there are several, else 1, 2 and 5 of each."""
    low, high = np.log10(values.min()), np.log10(values.max())
    if high - low < 2:
        powers = 10.0 ** np.arange(np.floor(low), np.ceil(high) + 1)
        ticks = {"tickvals": np.outer(powers, [1, 2, 5]).ravel(), "tickformat": ".3~g"}
    else:
        ticks = {"exponentformat": "power", "dtick": max(1, round((high - low) / 6))}
    fig.update_yaxes(type="log", title_text=title, **ticks, **where)


def _ribbon(fig: go.Figure, x: np.ndarray, low: np.ndarray, high: np.ndarray, paint: str) -> None:
    fig.add_scatter(
        x=np.concatenate([x, x[::-1]]), y=np.concatenate([high, low[::-1]]), fill="toself",
        fillcolor=paint, line={"width": 0}, hoverinfo="skip", showlegend=False, mode="lines",
    )  # fmt: skip


def nonnormal_figure(
    matrix: Float[np.ndarray, "size size"], *, horizon: int = 100, points: int = 61
) -> go.Figure:
    """Left the pseudospectrum of K around the unit circle, right how its powers grow and decay.

    The contour −3 is that of ε = 10⁻³: it encloses every number that a change of
    K of size ε can make an eigenvalue. Where
    contours of small ε reach beyond the unit circle, powers of K rise first, whatever |λ| says.

    Raises:
        UserError: the matrix is not square.
    """
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UserError(f"`matrix` must be square, got shape {matrix.shape}.")
    fig = make_subplots(1, 2, column_widths=[0.44, 0.56], horizontal_spacing=0.12)
    eigenvalues, norms = np.linalg.eigvals(matrix), power_norms(matrix, horizon)
    radius = float(np.abs(eigenvalues).max())
    _pseudospectrum(fig, matrix, eigenvalues, points)
    _powers(fig, norms, radius, kreiss_constant(matrix))
    title = f"Every |λ| ≤ {radius:.3f}, {_stretched(float(norms.max()))}"
    return themed(
        fig, title, height=500, showlegend=True, legend=LEGEND_BELOW, margin={"b": 110}
    )  # fmt: skip


def _stretched(peak: float) -> str:
    if peak <= 1:
        return "and no power of K stretches"
    size = f"{peak:,.0f}" if peak >= 1000 else f"{peak:.3g}"
    return f"yet a power of K stretches by {size}"


def _pseudospectrum(
    fig: go.Figure, matrix: np.ndarray, eigenvalues: np.ndarray, points: int
) -> None:
    axis = np.linspace(-1.6, 1.6, points)
    plane = axis[None, :] + 1j * axis[:, None]
    level = np.log10(np.maximum(distance_to_singular(matrix, plane), 1e-6))
    fig.add_contour(
        x=axis, y=axis, z=level, colorscale="Blues_r", showscale=False,
        contours={
            "start": -5, "end": 0, "size": 1, "showlabels": True, "labelfont": {"size": 12},
        },
        name="ε", hovertemplate="%{x:.2f} %{y:+.2f}i: ε = 10^%{z:.1f}<extra></extra>",
    )  # fmt: skip
    turn = np.linspace(0, 2 * np.pi, 200)
    fig.add_scatter(
        x=np.cos(turn), y=np.sin(turn), mode="lines", name="unit circle", showlegend=False,
        line={"color": INK, "width": 1.5},
    )  # fmt: skip
    fig.add_scatter(
        x=eigenvalues.real, y=eigenvalues.imag, mode="markers", name="eigenvalues",
        showlegend=False,
        marker={"color": UNSTABLE, "size": 7, "line": {"color": "white", "width": 1}},
    )  # fmt: skip
    fig.update_xaxes(title_text="Re z", range=[-1.6, 1.6], constrain="domain", row=1, col=1)
    fig.update_yaxes(
        title_text="Im z",
        range=[-1.6, 1.6],
        scaleanchor="x",
        scaleratio=1,
        constrain="domain",
        row=1,
        col=1,
    )


def _powers(fig: go.Figure, norms: np.ndarray, radius: float, kreiss: float) -> None:
    steps = np.arange(1, len(norms) + 1)
    curves = [
        ("‖Kᵏ‖, the most k steps can do", norms, line("dense", width=3.0)),
        ("|λ|ᵏ, what eigenvalues promise", radius**steps, {"color": INK, "dash": "dash"}),
        (
            "Kreiss constant: some power is this large",
            np.full(len(norms), kreiss),
            {"color": colour("koopman"), "dash": "dot"},
        ),
    ]
    for name, values, style in curves:
        fig.add_scatter(
            x=steps, y=np.maximum(values, FLOOR), name=name, mode="lines", line=style, row=1, col=2
        )
    fig.add_hline(1.0, line={"color": QUIET_INK, "width": 1, "dash": "dot"}, row=1, col=2)
    fig.update_xaxes(title_text="power k", row=1, col=2)
    _log_axis(fig, np.concatenate([norms, radius**steps]), "size", row=1, col=2)
