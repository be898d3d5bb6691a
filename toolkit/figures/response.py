"""What one mode does over time: to an impulse, to a held input, and between samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Num
from plotly.subplots import make_subplots

from toolkit.errors import UserError
from toolkit.figures.checks import (
    ComplexArray,
    complex_vector,
    finite,
    labels_for,
    positive,
    vector,
)  # fmt: skip
from toolkit.figures.theme import (
    LEGEND_BELOW,
    PALETTE,
    QUIET_INK,
    UNSTABLE,
    AnyArray,
    fill,
    line,
    themed,
)  # fmt: skip

#: The control of `zero_order_hold_figure`, one value per hold.
DEFAULT_INPUTS = (1.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.5, 0.0)


def impulse_response(
    multipliers: Num[AnyArray, " modes"], gain: Num[AnyArray, " modes"], horizon: int
) -> ComplexArray:
    """gain·λ̄^(k−1) for k = 1…horizon: each mode's answer to a unit control held for one step.

    Shapes: (modes, horizon).
    """
    powers = np.arange(horizon)
    with np.errstate(over="ignore", invalid="ignore"):  # a fast unstable mode may leave float64
        kernel = np.asarray(multipliers, np.complex128)[:, None] ** powers
        return np.asarray(gain, np.complex128)[:, None] * kernel


def impulse_figure(
    multipliers: Num[AnyArray, " modes"],
    gain: Num[AnyArray, " modes"],
    horizon: int,
    dt: float,
    names: Sequence[str] | None = None,
) -> go.Figure:
    """Real part of each mode's impulse response inside its envelope ±|gain|·|λ̄|^(k−1).

    One panel per mode, so pass the few that matter.

    Shapes: `modes` multipliers λ̄ and their input gains.
    Units:  `horizon` in environment steps, `dt` in seconds per step.
    Raises:
        UserError: sizes differ, the horizon is below 2, or the response overflows.
    """
    points, gains = complex_vector("multipliers", multipliers), complex_vector("gain", gain)
    if gains.shape != points.shape:
        raise UserError(f"`gain` must hold {len(points)} values, got {len(gains)}.")
    if horizon < 2:
        raise UserError(f"`horizon` must be at least 2, got {horizon}.")
    response = impulse_response(points, gains, horizon)
    finite("impulse response", response)
    labels = labels_for(names, len(points), "mode")
    titles = [f"{label}: |λ̄| = {abs(z):.4f}" for label, z in zip(labels, points, strict=True)]
    columns = min(2, len(points))
    rows = -(-len(points) // columns)
    fig = make_subplots(rows, columns, subplot_titles=titles, vertical_spacing=0.3 / rows)
    time = positive("dt", dt) * np.arange(1, horizon + 1)
    for position, values in enumerate(response):
        at = {"row": position // columns + 1, "col": position % columns + 1}
        _envelope(fig, time, np.abs(values), first=position == 0, **at)
        fig.add_scatter(
            x=time, y=values.real, mode="lines", name="real part", line=line("koopman"),
            showlegend=position == 0, **at,
        )  # fmt: skip
    fig.update_xaxes(title_text="time after the impulse, s", row=rows)
    fig.update_yaxes(title_text="Re x", col=1)
    return themed(
        fig, "Impulse response", height=max(360, 110 + 220 * rows), margin_t=84, legend=LEGEND_BELOW
    )


def zero_order_hold_figure(
    eigenvalue: complex, step: float, inputs: Sequence[float] = DEFAULT_INPUTS
) -> go.Figure:
    """One mode ẋ = λx + u under a piecewise constant u, and two ways of sampling it.

    The zero-order hold lies on the continuous solution at every sample, whatever the step. Euler's
    rule x + Δt·(λx + u) does not, and grows once |1 + Δtλ| > 1 even where the mode decays.

    Shapes: `inputs` holds one value per hold of `step`.
    Units:  λ in 1/time, `step` in the same time.
    Raises:
        UserError: an argument is not finite, or the step is not positive.
    """
    eigenvalue = complex(finite("eigenvalue", np.asarray([eigenvalue]))[0])
    step, controls = positive("step", step), vector("inputs", np.asarray(inputs, float))
    samples = sample_mode(np.exp(step * eigenvalue), hold_gain(eigenvalue, step), controls)
    euler = sample_mode(1 + step * eigenvalue, step, controls)
    fine, curve = _between_samples(eigenvalue, step, controls, samples)
    time = step * np.arange(len(controls) + 1)
    fig = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.75, 0.25], vertical_spacing=0.07)
    fig.add_scatter(
        x=fine, y=curve.real, name="continuous", line=line("truth"), mode="lines", row=1, col=1
    )
    for name, values, look in [
        ("zero-order hold", samples, {"color": PALETTE[0], "size": 10, "symbol": "circle"}),
        ("Euler", euler, {"color": UNSTABLE, "size": 10, "symbol": "x-thin-open"}),
    ]:
        fig.add_scatter(
            x=time, y=values.real, name=name, mode="markers", marker={**look, "line_width": 2},
            row=1, col=1,
        )  # fmt: skip
    held = np.append(controls, controls[-1])
    fig.add_scatter(
        x=time, y=held, name="input u", mode="lines", row=2, col=1,
        line={"color": QUIET_INK, "shape": "hv", "width": 2},
    )  # fmt: skip
    fig.update_yaxes(title_text="Re x", range=_range_around(curve.real), row=1)
    fig.update_yaxes(title_text="u", row=2)
    fig.update_xaxes(title_text="time", row=2)
    title = (
        f"One step multiplies by {abs(np.exp(step * eigenvalue)):.3f} (hold), "
        f"{abs(1 + step * eigenvalue):.3f} (Euler)"
    )
    return themed(fig, title, height=460, legend=LEGEND_BELOW)


def aliasing_figure(frequency: float, dt: float, num_samples: int = 16) -> go.Figure:
    """A rotation, its samples, and the slowest rotation through the same samples.

    Above half the sampling rate 1/dt the two differ: the model can only learn the slow one.

    Units:  `frequency` in Hz, `dt` in seconds.
    Raises:
        UserError: an argument is not finite, `dt` is not positive, or fewer than 2 samples.
    """
    frequency = float(finite("frequency", np.asarray([frequency]))[0])
    dt = positive("dt", dt)
    if num_samples < 2:
        raise UserError(f"`num_samples` must be at least 2, got {num_samples}.")
    apparent = apparent_frequency(frequency, dt)
    time = dt * np.arange(num_samples)
    fine = np.linspace(0, time[-1], int(min(6000, 400 + 40 * abs(frequency) * time[-1])))
    turn = 2 * np.pi
    fig = go.Figure()
    fig.add_scatter(
        x=fine, y=np.cos(turn * frequency * fine), name=f"true, {_hertz(frequency)}", mode="lines",
        line={"color": "#9aa5b1", "width": 1.5},
    )  # fmt: skip
    fig.add_scatter(
        x=fine, y=np.cos(turn * apparent * fine), name=f"apparent, {_hertz(apparent)}",
        mode="lines", line=line("gru"),
    )  # fmt: skip
    fig.add_scatter(
        x=time, y=np.cos(turn * frequency * time), name="samples", mode="markers",
        marker={"color": PALETTE[0], "size": 10},
    )  # fmt: skip
    fig.update_xaxes(title_text="time, s")
    fig.update_yaxes(title_text="Re x", range=[-1.2, 1.2])
    title = f"Sampled at {_hertz(1 / dt)}: seen up to {_hertz(0.5 / dt)}"
    return themed(fig, title, height=360, legend=LEGEND_BELOW)


def apparent_frequency(frequency: float, dt: float) -> float:
    """The frequency in (−1/(2dt), 1/(2dt)] Hz whose samples every `dt` seconds are the same."""
    turns = round(frequency * dt, 9)  # 20 Hz at 0.1 s is two whole turns
    return float(turns - np.ceil(turns - 0.5)) / dt


def hold_gain(eigenvalue: complex, step: float | np.ndarray) -> ComplexArray:
    """(exp(Δtλ) − 1)/λ, and Δt where λ = 0. Source: arXiv:2306.11941 §3.1."""
    if eigenvalue == 0:
        return np.asarray(step, np.complex128)
    return np.asarray(np.expm1(np.asarray(step, np.complex128) * eigenvalue) / eigenvalue)


def sample_mode(multiplier: complex, gain: Any, inputs: np.ndarray) -> ComplexArray:
    """x₀ = 0, x_{k+1} = multiplier·x_k + gain·u_k; one state more than inputs."""
    states = [0j]
    for control in inputs:
        states.append(multiplier * states[-1] + gain * control)
    return np.asarray(states, np.complex128)


def _between_samples(eigenvalue: complex, step: float, inputs: np.ndarray, samples: ComplexArray):
    """The exact solution on a fine grid, started anew from each sample."""
    within = np.linspace(0, step, 41)
    flow, gain = np.exp(within * eigenvalue), hold_gain(eigenvalue, within)
    curve = flow * samples[:-1, None] + gain * inputs[:, None]  # (holds, fine)
    time = step * np.arange(len(inputs))[:, None] + within
    return time.ravel(), curve.ravel()


def _range_around(values: np.ndarray) -> list[float]:
    """Room for the exact curve; what Euler adds may leave the picture."""
    low, high = float(values.min()), float(values.max())
    room = 0.5 * max(high - low, 1e-6)
    return [low - room, high + room]


def _hertz(frequency: float) -> str:
    return f"{frequency:.3g} Hz".replace("-", "−")


def _envelope(fig: go.Figure, time: np.ndarray, size: np.ndarray, *, first: bool, **at: Any):
    fig.add_scatter(
        x=np.concatenate([time, time[::-1]]), y=np.concatenate([size, -size[::-1]]), fill="toself",
        fillcolor=fill("koopman"), line={"width": 0}, mode="lines", name="envelope",
        showlegend=first, hoverinfo="skip", **at,
    )  # fmt: skip
