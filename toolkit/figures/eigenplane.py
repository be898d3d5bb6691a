"""What the eigenvalue plane shows, as numbers and as a static picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Num
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import ComplexArray, complex_vector, positive
from toolkit.figures.spectrum import add_disc, add_modes
from toolkit.figures.theme import LEGEND_BELOW, QUIET_INK, AnyArray, line, themed

#: From multipliers (modes,) to a rollout (horizon + 1, obs), or to its coordinates by name.
Rollout = Callable[[np.ndarray], Any]
#: From multipliers (modes,) to impulse responses (modes, horizon).
Response = Callable[[np.ndarray], Any]

#: A curve may leave the range of truth and trained rollout by this factor before it is cut off.
ROOM_TO_GROW = 3.0


def unit_response(multipliers: ComplexArray, horizon: int) -> ComplexArray:
    """λ̄^(k−1) for k = 1…horizon, (modes, horizon): impulse responses at an input gain of one."""
    with np.errstate(over="ignore", invalid="ignore"):
        return multipliers[:, None] ** np.arange(horizon)


def coordinates(rollout: Any, labels: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """A rollout as named coordinates, each (horizon + 1,).

    Raises:
        UserError: it is neither a mapping nor a (horizon + 1, obs) array, or labels are amiss.
    """
    if isinstance(rollout, Mapping):
        return {str(name): np.asarray(values, float) for name, values in rollout.items()}
    array = np.asarray(rollout, float)
    if array.ndim != 2:
        raise UserError(f"`rollout` must return (horizon + 1, obs), got the shape {array.shape}.")
    names = list(labels) or [f"coordinate {d}" for d in range(array.shape[1])]
    if len(names) != array.shape[1]:
        raise UserError(f"`labels` must hold {array.shape[1]} names, got {len(names)}.")
    return dict(zip(names, array.T, strict=True))


def impulse_panel(
    response: ComplexArray, trained: ComplexArray, dt: float, label: str
) -> dict[str, Any]:
    """Real part and envelope of one mode's impulse response, beside the trained one's.

    Shapes: (horizon,) complex, both.
    """
    curves = [
        _curve("envelope", "envelope", np.abs(response)),
        _curve("trained", "trained", trained.real),
        _curve("now", "model", response.real),
    ]
    top = _cap(np.abs(trained).max(), np.abs(response))
    return {
        "title": f"Impulse response of {label}", "unit": "s", "start": dt, "step": dt,
        "range": [-1.1 * top, 1.1 * top], "curves": curves,
    }  # fmt: skip


def rollout_panels(
    now: Mapping[str, np.ndarray],
    trained: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    dt: float,
) -> list[dict[str, Any]]:
    """One panel per coordinate: truth, the trained rollout and the present one.

    Shapes: (horizon + 1,) per name; `truth` may lack names or be empty.
    """
    panels = []
    for name, values in now.items():
        known = [(n, r, c[name]) for n, r, c in (("truth", "truth", truth),
                 ("trained", "trained", trained)) if name in c]  # fmt: skip
        steady = np.concatenate([c for _, _, c in known]) if known else values
        panels.append({
            "title": name, "unit": "s", "start": 0.0, "step": dt,
            "range": _grown_range(steady, values),
            "curves": [_curve(*c) for c in (*known, ("now", "model", values))],
        })  # fmt: skip
    return panels


def strongest(weights: Num[AnyArray, " modes"] | None, count: int, modes: int) -> list[int]:
    """Numbers of the `count` modes with the largest weights, in ascending order.

    Without weights, `count` modes spread evenly over all.

    Raises:
        UserError: there are not as many weights as modes.
    """
    count = min(count, modes)
    if weights is None:
        return sorted({int(i) for i in np.linspace(0, modes - 1, count).round()})
    size = np.abs(np.asarray(weights))
    if size.shape != (modes,):
        raise UserError(f"`weights` must hold {modes} values, got the shape {size.shape}.")
    return sorted(int(i) for i in np.argsort(-size, kind="stable")[:count])


def eigenplane_figure(
    multipliers: Num[AnyArray, " modes"],
    trained: Num[AnyArray, " modes"] | None = None,
    *,
    dt: float,
    rollout: Rollout | None = None,
    truth: Any = None,
    labels: Sequence[str] = (),
    selected: int = 0,
    horizon: int = 100,
) -> go.Figure:
    """The eigenvalue plane as a static picture: spectrum, impulse response, rollout.

    For readers without a kernel, and for print. Arguments as those of `EigenPlane`; `trained` are
    the multipliers before they were moved (by default those shown).

    Raises:
        UserError: sizes differ, `selected` does not exist, or `dt` is not positive.
    """
    points = complex_vector("multipliers", multipliers)
    start = points if trained is None else complex_vector("trained", trained)
    if start.shape != points.shape:
        raise UserError(f"`trained` must hold {len(points)} values, got {len(start)}.")
    if not 0 <= selected < len(points):
        raise UserError(f"`selected` must lie in 0..{len(points) - 1}, got {selected}.")
    positive("dt", dt)
    before, now = (unit_response(z[selected : selected + 1], horizon)[0] for z in (start, points))
    panels = [impulse_panel(now, before, dt, f"mode {selected + 1}")]
    if rollout is not None:
        known = coordinates(truth, labels) if truth is not None else {}
        runs = [coordinates(rollout(z), labels) for z in (points, start)]
        panels += rollout_panels(runs[0], runs[1], known, dt)
    return _draw(points, start, panels, moved=trained is not None)


def _draw(points: ComplexArray, start: ComplexArray, panels: list[dict[str, Any]], moved: bool):
    rows = len(panels)
    specs = [[{"rowspan": rows} if row == 0 else None, {}] for row in range(rows)]
    fig = make_subplots(
        rows, 2, specs=specs, column_widths=[0.42, 0.58], horizontal_spacing=0.1,
        vertical_spacing=0.36 / rows,
        subplot_titles=["Eigenvalues λ̄", *(panel["title"] for panel in panels)],
    )  # fmt: skip
    add_modes(fig, points, start if moved else None, row=1, col=1)
    add_disc(fig, points, row=1, col=1)
    for row, panel in enumerate(panels, start=1):
        for curve in panel["curves"]:
            _draw_curve(fig, panel, curve, row)
        fig.update_yaxes(range=panel["range"], row=row, col=2)
    fig.update_xaxes(title_text="time, s", row=rows, col=2)
    return themed(fig, height=max(440, 90 + 165 * rows), margin_t=72, legend=LEGEND_BELOW)


_LOOKS = {
    "truth": line("truth", width=1.5),
    "trained": {"color": "#8a94a0", "dash": "dash", "width": 1.5},
    "model": line("koopman"),
    "envelope": {"color": QUIET_INK, "dash": "dot", "width": 1},
}


def _draw_curve(fig: go.Figure, panel: dict[str, Any], curve: dict[str, Any], row: int) -> None:
    values = np.asarray(curve["y"], float)
    time = panel["start"] + panel["step"] * np.arange(len(values))
    for sign in (1, -1) if curve["role"] == "envelope" else (1,):
        fig.add_scatter(
            x=time, y=sign * values, name=curve["name"], line=_LOOKS[curve["role"]], mode="lines",
            legendgroup=curve["role"], row=row, col=2,
            showlegend=sign > 0 and (row == 1 or (row == 2 and curve["role"] == "truth")),
        )  # fmt: skip


def _curve(name: str, role: str, values: np.ndarray) -> dict[str, Any]:
    """Five digits are below a pixel; a value that is not finite becomes a gap."""
    rounded = [float(f"{v:.5g}") if np.isfinite(v) else None for v in values.tolist()]
    return {"name": name, "role": role, "y": rounded}


def _cap(steady: float, values: np.ndarray) -> float:
    """The largest value, at most `ROOM_TO_GROW` times the steady one."""
    finite = values[np.isfinite(values)]
    largest = float(finite.max()) if finite.size else np.inf
    return float(np.clip(largest, max(steady, 1e-6), ROOM_TO_GROW * max(steady, 1e-6)))


def _grown_range(steady: np.ndarray, values: np.ndarray) -> list[float]:
    """The steady curves' range, widened towards `values` but not without end."""
    steady = steady[np.isfinite(steady)]
    low, high = (float(steady.min()), float(steady.max())) if steady.size else (-1.0, 1.0)
    half, middle = max((high - low) / 2, 1e-3), (low + high) / 2
    reach = _cap(half, np.abs(values - middle))
    return [middle - 1.1 * reach, middle + 1.1 * reach]
