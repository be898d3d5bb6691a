"""The explorer of T-symmetry violation over a slice of a simulated system's state space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Array, Float

from toolkit.data import Normaliser, Transitions
from toolkit.data.systems import AbstractSystem, advance
from toolkit.errors import UserError
from toolkit.evaluation.violation import Neighbours, rate_errors, violations
from toolkit.figures.violation import ViolationMap, violation_map_figure
from toolkit.tsymmetry import TDM
from toolkit.widgets.controls import Choice, Slider
from toolkit.widgets.explore import explore

VIOLATION, ERROR, DISTANCE = "ℓ_Tsym", "true error of a step", "distance to data"
_NEAR = 0.25  # in action: transitions within this of the slice are drawn


@dataclass(frozen=True)
class TrainedCase:
    """A system of two state coordinates, the transitions a TDM saw of it, and the TDM by stage.

    `rows` are normalised; `states` the same rows as the system has them, `(rows, 2)`.
    """

    system: AbstractSystem
    normaliser: Normaliser
    rows: Transitions
    states: np.ndarray
    models: Mapping[str, TDM]


@dataclass(frozen=True)
class Slice:
    """The places of a slice: states of the system, normalised observations and what follows.

    Shapes: `states (places, 2)`, lines of constant second coordinate after one another.
    """

    states: Float[Array, "places 2"]
    obs: Float[Array, "places obs"]
    action: Float[Array, "places action"]
    next_obs: Float[Array, "places obs"]


def slice_of(case: TrainedCase, action: float, x: np.ndarray, y: np.ndarray) -> Slice:
    """All pairs of the coordinates `x` and `y` under one action, and their true next states."""
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    states = jnp.asarray(grid, jnp.float32)
    actions = jnp.full((len(grid), 1), action, jnp.float32)
    system = case.system
    after = jax.vmap(lambda s, a: advance(system, s, a))(states, actions)
    obs, next_obs = (
        case.normaliser.normalise(jax.vmap(system.observe)(some)) for some in (states, after)
    )
    return Slice(states, obs, actions, next_obs)


class ViolationView:
    """Figure of one quantity over the slice, for a case and a stage of its training.

    Raises:
        UserError: there is no case, two have other stages, or the state has not two coordinates.
    """

    def __init__(
        self,
        cases: Mapping[str, TrainedCase],
        *,
        x: np.ndarray | None = None,
        y: np.ndarray | None = None,
    ):
        if not cases:
            raise UserError("`cases` must hold at least one case, got none.")
        stages = {tuple(case.models) for case in cases.values()}
        if len(stages) != 1:
            raise UserError(f"All `cases` must have the same stages, got {sorted(stages)}.")
        for name, case in cases.items():
            if case.states.shape != (len(case.rows.reward), 2):
                raise UserError(
                    f"{name}: `states` must have the shape {(len(case.rows.reward), 2)}, got "
                    f"{case.states.shape}."
                )
        self.cases, self.stages = dict(cases), list(stages.pop())
        self.x = np.linspace(-np.pi, np.pi, 41) if x is None else x
        self.y = np.linspace(-10, 10, 41) if y is None else y
        self._neighbours = {name: Neighbours(case.rows) for name, case in cases.items()}

    def __call__(self, case: str, stage: str, action: float, quantity: str) -> go.Figure:
        drawn = self.map(case, stage, action, quantity)
        powers = (-1.5, 1.0) if quantity == DISTANCE else (-5.0, 0.0)
        title = f"{case}, {stage}: {quantity} at action {action:+.2f}"
        return violation_map_figure(drawn, powers=powers, title=title)

    def map(self, case: str, stage: str, action: float, quantity: str) -> ViolationMap:
        """What the figure draws.

        Raises:
            UserError: the case, the stage or the quantity does not exist.
        """
        for name, value, known in (
            ("case", case, list(self.cases)),
            ("stage", stage, self.stages),
            ("quantity", quantity, [VIOLATION, ERROR, DISTANCE]),
        ):
            if value not in known:
                raise UserError(f"`{name}` must be one of {known}, got {value!r}.")
        chosen, shape = self.cases[case], (len(self.y), len(self.x))
        model, places = chosen.models[stage], slice_of(chosen, action, self.x, self.y)
        distance, nearest = self._neighbours[case].nearest(places.obs, places.action)
        rows = chosen.rows
        if quantity == VIOLATION:
            values = violations(model, places.obs, places.action)
            there = violations(model, rows.obs, rows.action)
        elif quantity == ERROR:
            values = rate_errors(model, places.obs, places.action, places.next_obs)
            there = rate_errors(model, rows.obs, rows.action, rows.next_obs)
        else:
            values, there = distance, np.zeros(len(rows.reward))
        taken = np.asarray(rows.action)[:, 0]
        told = np.stack([*np.asarray(chosen.states, float).T, taken, np.asarray(there)], axis=1)
        return ViolationMap(
            self.x, self.y, np.asarray(values, float).reshape(shape), nearest.reshape(shape),
            distance.reshape(shape), told, np.abs(taken - action) < _NEAR, quantity,
        )  # fmt: skip


def explore_violation(cases: Mapping[str, TrainedCase], **axes: np.ndarray) -> Any:
    """Controls for data, training, action and quantity above the map.

    `axes` may set `x` and `y`, the coordinates of the slice. Without the widget packages, the
    first figure.
    """
    view = ViolationView(cases, **axes)
    return explore(
        view,
        case=Choice(list(view.cases), label="trained on"),
        stage=Choice(view.stages, start=view.stages[-1], label="training"),
        action=Slider(0.0, -1.0, 1.0, 0.1),
        quantity=Choice([VIOLATION, ERROR, DISTANCE], label="shown"),
    )
