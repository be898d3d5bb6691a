"""The failure museum: seven runs with one thing sabotaged each, beside the healthy one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from toolkit.errors import UserError
from toolkit.studies.museum import (
    GROWTH,
    SKIP,
    ModelReadings,
    Recording,
    ValueReadings,
    model_readings,
    value_readings,
)
from toolkit.studies.museum_learning import (
    EncoderReadings,
    ReverseReadings,
    encoder_readings,
    reverse_readings,
    train_reverse,
)

#: Every cause and what it is called, in the order of the list that a visitor picks from.
CAUSES = {
    "unstable": "an eigenvalue has a positive real part",
    "aliased": "the step is longer than half a period",
    "crossing": "windows cross from one episode into the next",
    "timeouts": "timeouts count as terminals",
    "leaked": "the normaliser has seen the test data",
    "collapsed": "the stop-gradient was removed",
    "degenerate": "the reverse model is degenerate",
}
#: Which cause stands behind each exhibit, from the first.
EXHIBITS = ("crossing", "collapsed", "unstable", "degenerate", "leaked", "timeouts", "aliased")


@dataclass(frozen=True)
class Readings:
    """The instrument board of one run: dynamics, value, encoder and reverse model."""

    model: ModelReadings
    value: ValueReadings
    encoder: EncoderReadings
    reverse: ReverseReadings


@dataclass(frozen=True)
class Museum:
    """The healthy run, and of each cause the run that was sabotaged so."""

    healthy: Readings
    sabotaged: dict[str, Readings]

    def exhibit(self, number: int) -> Readings:
        """The board of an exhibit, counted from 1.

        Raises:
            UserError: there is none of that number.
        """
        return self.sabotaged[cause_of(number)]


def cause_of(number: int) -> str:
    """What was done to an exhibit, counted from 1.

    Raises:
        UserError: there is none of that number.
    """
    if not 1 <= number <= len(EXHIBITS):
        raise UserError(f"`number` must lie in 1..{len(EXHIBITS)}, got {number}.")
    return EXHIBITS[number - 1]


def open_museum(
    recording: Recording,
    *,
    encoder_updates: int = 600,
    reverse_updates: int = 400,
    seed: int = 0,
    told: Callable[[str], None] = lambda _: None,
) -> Museum:
    """Make the healthy run, then each sabotaged one; what a sabotage does not touch stays as it is.

    `told` gets a word before each of the slower parts.
    """
    told("encoders: one with its stop-gradient, one without")
    healthy_encoder, collapsed = (
        encoder_readings(stop_gradient=stop, num_updates=encoder_updates, seed=seed)
        for stop in (True, False)
    )
    told("forward and reverse model")
    trained = train_reverse(num_updates=reverse_updates, seed=seed)
    told("dynamics and values")
    healthy = Readings(
        model_readings(recording), value_readings(recording), healthy_encoder,
        reverse_readings(*trained),
    )  # fmt: skip
    models = {
        "unstable": model_readings(recording, growth=GROWTH),
        "aliased": model_readings(recording, every=SKIP),
        "crossing": model_readings(recording, borders=False),
        "leaked": model_readings(recording, leak=True),
    }
    sabotaged = {cause: replace(healthy, model=model) for cause, model in models.items()}
    ended = value_readings(recording, timeouts_end=True)
    sabotaged["timeouts"] = replace(healthy, value=ended)
    sabotaged["collapsed"] = replace(healthy, encoder=collapsed)
    table = reverse_readings(*trained, degenerate=True)
    sabotaged["degenerate"] = replace(healthy, reverse=table)
    return Museum(healthy, {cause: sabotaged[cause] for cause in CAUSES})


@dataclass(frozen=True)
class Sign:
    """The number by which a cause gives itself away, and the limit above which it does."""

    number: float
    limit: float

    @property
    def shows(self) -> bool:
        """Whether the number is above its limit."""
        return self.number > self.limit


def signs(readings: Readings, healthy: Readings) -> dict[str, Sign]:
    """Of every cause its sign on this board, whatever was done.

    - unstable: the largest growth of a mode, per second;
    - aliased: the worst held-out error between two steps over the worst at a step;
    - crossing: the largest error by position over the median one;
    - timeouts: how far the mean return lies above the mean value, as a share of that;
    - leaked: the largest mean of normalised training data, which is 0 by construction;
    - collapsed: how many times smaller the features' spread is than that of the healthy run;
    - degenerate: the reverse model's monitor at the next state, over that where the forward model
      leads.
    """
    model, value, reverse = readings.model, readings.value, readings.reverse
    growth = np.log(np.abs(model.multipliers).max()) / (model.rows * model.dt)
    at_steps = model.error[model.rows :: model.rows].max()
    residual = model.residual.max() / np.median(model.residual)
    shrunk = healthy.encoder.spread / max(readings.encoder.spread, 1e-12)
    found = {
        "unstable": (growth, 0.05),
        "aliased": (model.error[1:].max() / at_steps, 3.0),
        "crossing": (residual, 5.0),
        "timeouts": (value.real.mean() / value.expected.mean() - 1, 0.25),
        "leaked": (np.abs(model.trained_on[0]).max(), 0.1),
        "collapsed": (shrunk, 3.0),
        "degenerate": (reverse.at_next / max(reverse.symmetry, 1e-12), 10.0),
    }
    return {cause: Sign(float(number), limit) for cause, (number, limit) in found.items()}


def headlines(museum: Museum) -> dict[str, float]:
    """Of each cause the number that a report would show, over that of the healthy run.

    Held-out error for models, the loss for encoders, the T-symmetry violation for reverse models,
    and for values the mean distance from the return; the smaller, the better it looks.
    """
    report: dict[str, Callable[[Readings], float]] = {
        "timeouts": lambda r: float(np.abs(r.value.expected - r.value.real).mean()),
        "collapsed": lambda r: float(r.encoder.loss[-1]),
        "degenerate": lambda r: r.reverse.symmetry,
    }
    usual = lambda r: float(r.model.error[1:].mean())
    return {
        cause: report.get(cause, usual)(readings) / report.get(cause, usual)(museum.healthy)
        for cause, readings in museum.sabotaged.items()
    }
