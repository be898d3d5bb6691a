"""Drag the eigenvalues of a trained spectrum and watch the rollout follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from jaxtyping import Num

from toolkit.errors import UserError
from toolkit.figures.checks import ComplexArray, complex_vector, positive
from toolkit.figures.eigenplane import (
    Response,
    Rollout,
    coordinates,
    impulse_panel,
    rollout_panels,
    strongest,
    unit_response,
)  # fmt: skip
from toolkit.figures.theme import AnyArray
from toolkit.widgets.requirements import anywidget
from toolkit.widgets.support import one_sentence

_HERE = Path(__file__).parent


class EigenPlane(anywidget.AnyWidget):
    """Discrete eigenvalues λ̄ in the complex plane, to be dragged, beside what they do.

    Mouse, touch or keys (Tab to a point, arrows move it, Shift finer, Escape cancels, Ctrl+Z takes
    back). `rollout` is called with all multipliers at every change, in the kernel, so it must take
    less than about 100 ms; the widget stays fluid meanwhile, since changes that arrive during a
    call are merged. All modes are drawn, and the strongest `prominent` ones can be dragged.

    - `rollout(multipliers)` returns (horizon + 1, obs), or the coordinates by name;
    - `truth` has the same form; without it, the trained rollout is the only reference;
    - `response(multipliers)` returns impulse responses (modes, horizon); by default λ̄^(k−1);
    - `weights` (modes,) rank the modes, e.g. by their share of the decoded motion.

    What failed in `rollout` or `response` is shown below the plane and kept in `error`; it is also
    raised, so a cell that moves an eigenvalue fails.

    Shapes: `multipliers` (modes,), one of each conjugate pair.
    Units:  `dt` in seconds per environment step.
    Raises:
        UserError: an argument has the wrong shape or is not finite.
    """

    _esm = "\n".join(
        (_HERE / name).read_text("utf-8")
        for name in ("parts.js", "eigenplane_panels.js", "eigenplane.js")
    )
    _css = (_HERE / "eigenplane.css").read_text("utf-8")

    points = traitlets.List().tag(sync=True)  # [re, im] of every mode
    trained = traitlets.List().tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    selectable = traitlets.List().tag(sync=True)
    names = traitlets.List().tag(sync=True)
    dt = traitlets.Float(1.0).tag(sync=True)
    curves = traitlets.List().tag(sync=True)  # panels, see `toolkit.figures.eigenplane`
    error = traitlets.Unicode("").tag(sync=True)
    gesture = traitlets.Int(0).tag(sync=True)  # counts finished drags and key presses
    command = traitlets.List(["", 0]).tag(sync=True)  # what a button asked for, and a serial number
    can_undo = traitlets.Bool(False).tag(sync=True)
    can_redo = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        multipliers: Num[AnyArray, " modes"],
        *,
        dt: float,
        rollout: Rollout | None = None,
        truth: AnyArray | Mapping[str, AnyArray] | None = None,
        labels: Sequence[str] = (),
        response: Response | None = None,
        weights: Num[AnyArray, " modes"] | None = None,
        prominent: int = 16,
        horizon: int = 100,
    ):
        start = complex_vector("multipliers", multipliers)
        if prominent < 1:
            raise UserError(f"`prominent` must be at least 1, got {prominent}.")
        if horizon < 2:
            raise UserError(f"`horizon` must be at least 2, got {horizon}.")
        self._rollout, self._labels = rollout, tuple(labels)
        self._response = response or (lambda z: unit_response(z, horizon))
        self._truth = coordinates(truth, labels) if truth is not None else {}
        self._trained_run, self._trained_response = self._run(start), self._respond(start)
        self._last: tuple[ComplexArray, dict[str, np.ndarray]] = (start, self._trained_run)
        choice = strongest(weights, prominent, len(start))
        pairs = _pairs(start)
        self._settled, self._past, self._future = pairs, [], []
        super().__init__(
            points=pairs, trained=pairs, selected=choice[0], selectable=choice,
            names=[f"mode {i + 1}" for i in range(len(start))], dt=positive("dt", dt),
        )  # fmt: skip
        self.curves = self._panels()

    @classmethod
    def of_model(
        cls,
        model: Any,
        window: Any,
        *,
        dt: float,
        dims: tuple[int, ...] | None = None,
        sample: int = 0,
        **options: Any,
    ) -> EigenPlane:
        """The plane of a trained Koopman model, on one window of data it did not see.

        `model` is a `TrainedDynamics` with a window of raw observations, or a bare dynamics model
        with normalised ones; `window` comes from a `WindowSampler`, and `sample` chooses from its
        batch. `dims` are the coordinates drawn (the first six by default). Further options as for
        `EigenPlane`.
        """
        from toolkit.widgets.model_rollout import ModelRollout

        run = ModelRollout(model, window, dims=dims, sample=sample)
        options = {"weights": run.weights, "horizon": len(run.truth) - 1} | options
        return cls(run.multipliers, dt=dt, rollout=run, truth=run.truth, **options)

    @property
    def multipliers(self) -> ComplexArray:
        """The eigenvalues as they stand, (modes,)."""
        return _complex(self.points)

    def move(self, mode: int, multiplier: complex | float) -> None:
        """Put one eigenvalue elsewhere, as one step of the history."""
        changed = [list(point) for point in self.points]
        changed[mode] = [float(np.real(multiplier)), float(np.imag(multiplier))]
        self.points = changed
        self._settle()

    def snap_back(self, mode: int | None = None) -> None:
        """Return one eigenvalue, or all of them, to where training left it."""
        chosen = range(len(self.points)) if mode is None else [mode]
        self.points = [self.trained[i] if i in chosen else p for i, p in enumerate(self.points)]
        self._settle()

    def undo(self) -> None:
        """Take back the last finished move; without one, nothing happens."""
        self._travel(self._past, self._future)

    def redo(self) -> None:
        """Do again what was taken back."""
        self._travel(self._future, self._past)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """A message of the browser: first the move, then what was ordered, even if the move fails.

        Together in one message, a failing redraw would make traitlets drop the order.
        """
        orders = {name: sync_data[name] for name in ("gesture", "command") if name in sync_data}
        moves = {name: value for name, value in sync_data.items() if name not in orders}
        try:
            super().set_state(moves)
        finally:
            super().set_state(orders)

    @traitlets.validate("points")
    def _check_points(self, proposal: Any) -> list[list[float]]:
        pairs = np.asarray(proposal["value"], float)
        wanted = (len(self.names or proposal["value"]), 2)
        if pairs.shape != wanted or not np.isfinite(pairs).all():
            raise UserError(f"`points` must be finite and of shape {wanted}, got {pairs.shape}.")
        return proposal["value"]

    @traitlets.validate("selected")
    def _check_selected(self, proposal: Any) -> int:
        if self.selectable and proposal["value"] not in self.selectable:
            raise UserError(
                f"`selected` must be one of {self.selectable}, got {proposal['value']}."
            )
        return proposal["value"]

    @traitlets.observe("points", "selected")
    def _redraw(self, _change: Any) -> None:
        if not self.curves:
            return  # still being built
        try:
            self.curves = self._panels()
        except Exception as problem:
            self.error = one_sentence(problem)
            raise
        self.error = ""

    @traitlets.observe("gesture")
    def _settle(self, _change: Any = None) -> None:
        """A finished move becomes one step of the history."""
        if self.points == self._settled:
            return
        self._past.append(self._settled)
        self._settled = self.points
        self._future.clear()
        self._tell_history()

    @traitlets.observe("command")
    def _obey(self, change: Any) -> None:
        orders = {
            "undo": self.undo,
            "redo": self.redo,
            "snap": lambda: self.snap_back(self.selected),
            "snap all": self.snap_back,
        }
        orders[change["new"][0]]()

    def _travel(self, source: list, target: list) -> None:
        if not source:
            return
        target.append(self._settled)
        self._settled = source.pop()
        self.points = self._settled
        self._tell_history()

    def _tell_history(self) -> None:
        self.can_undo, self.can_redo = bool(self._past), bool(self._future)

    def _panels(self) -> list[dict[str, Any]]:
        """Impulse response of the selected mode, then one panel per coordinate of the rollout."""
        now, mode = self.multipliers, self.selected
        if not np.array_equal(now, self._last[0]):
            self._last = (now, self._run(now))
        impulse = impulse_panel(
            self._respond(now)[mode], self._trained_response[mode], self.dt, self.names[mode]
        )
        return [impulse, *rollout_panels(self._last[1], self._trained_run, self._truth, self.dt)]

    def _run(self, multipliers: ComplexArray) -> dict[str, np.ndarray]:
        return coordinates(self._rollout(multipliers), self._labels) if self._rollout else {}

    def _respond(self, multipliers: ComplexArray) -> ComplexArray:
        return np.asarray(self._response(multipliers), np.complex128)


def _pairs(multipliers: ComplexArray) -> list[list[float]]:
    return np.stack([multipliers.real, multipliers.imag], axis=1).tolist()


def _complex(pairs: list[list[float]]) -> ComplexArray:
    array = np.asarray(pairs, float)
    return array[:, 0] + 1j * array[:, 1]
