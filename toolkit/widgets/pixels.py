"""The explorer of encoders that learned by predicting themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.evaluation.probes import nearest
from toolkit.figures.pixels import encoder_figure
from toolkit.studies.encoders import EncoderHistory, Stacks
from toolkit.widgets.controls import Choice, Slider, Toggle
from toolkit.widgets.explore import explore

NEIGHBOURS = 7


@dataclass(frozen=True, order=True)
class TargetSetting:
    """How targets were made: the pace of their encoder, the stop-gradient, the steps predicted."""

    rate: float
    stop_gradient: bool
    steps: int


class EncoderView:
    """Figure of one of several trained encoders, and of the pictures nearest to one of them.

    Called with the targets' rate, the stop-gradient, the number of steps, and the number of a
    held-out picture. With a rate below 1 no gradient reaches the targets, whatever the
    stop-gradient says, so both answers show one run.

    Raises:
        UserError: a run is missing, or its features are not of the held-out stacks.
    """

    def __init__(self, runs: Mapping[TargetSetting, EncoderHistory], held_out: Stacks):
        self.runs, self.held_out = dict(runs), held_out
        self.rates = sorted({setting.rate for setting in runs})
        self.steps = sorted({setting.steps for setting in runs})
        for rate in self.rates:
            for steps in self.steps:
                for stop in (True, False):
                    features = self.run(rate, stop, steps).features
                    if len(features) != len(held_out.images):
                        raise UserError(
                            f"`held_out` must hold the {len(features)} stacks that the runs were "
                            f"measured on, got {len(held_out.images)}."
                        )

    def run(self, rate: float, stop_gradient: bool, steps: int) -> EncoderHistory:
        """The run of a setting.

        Raises:
            UserError: there is none.
        """
        setting = TargetSetting(rate, stop_gradient or rate < 1.0, steps)
        if setting not in self.runs:
            raise UserError(f"`runs` must hold one for {setting}, and does not.")
        return self.runs[setting]

    def __call__(self, rate: float, stop_gradient: bool, steps: int, query: int) -> go.Figure:
        run = self.run(rate, stop_gradient, steps)
        rows = np.array([query, *nearest(run.features, query, NEIGHBOURS)])
        curves = {
            "loss": (run.updates, run.loss),
            "spread of the features": (run.updates, run.spread),
            "effective rank": (run.updates, run.rank),
        }
        return encoder_figure(
            curves, run.singular, {name: values[-1] for name, values in run.probes.items()},
            self.held_out.last[rows], self.captions(rows),
            title=f"{_words(rate, stop_gradient)}, {steps} step{'s' * (steps > 1)} predicted",
        )  # fmt: skip

    def captions(self, rows: np.ndarray) -> list[str]:
        """The rate of the pendulum in each, which no single picture shows; the first in bold."""
        first, *others = (f"{rate:+.1f} rad/s" for rate in self.held_out.truth["rate"][rows])
        return [f"<b>{first}</b>", *others]


def _words(rate: float, stop_gradient: bool) -> str:
    if rate < 1.0:
        slow = "never move" if rate == 0.0 else f"follow at a rate of {rate:g}"
        idle = "" if stop_gradient else "<br><sup>no gradient reaches a slow copy: nothing to stop"
        return f"Targets {slow}{idle + '</sup>' if idle else ''}"
    return f"Targets are the encoder's own, {'with' if stop_gradient else 'without'} stop-gradient"


def explore_encoders(
    runs: Mapping[TargetSetting, EncoderHistory],
    held_out: Stacks,
    *,
    rate: float = 1.0,
    stop_gradient: bool = True,
    query: int = 0,
) -> Any:
    """How targets are made and which picture is asked for, above one encoder (see `EncoderView`).

    Without the widget packages, the first figure.
    """
    view = EncoderView(runs, held_out)
    return explore(
        view,
        rate=Choice(view.rates, start=rate, dial=True, label="rate of the target"),
        stop_gradient=Toggle(stop_gradient, label="stop-gradient"),
        steps=Choice(view.steps, start=view.steps[-1], dial=True, label="steps predicted"),
        query=Slider(query, 0, len(held_out.images) - 1, label="picture"),
    )
