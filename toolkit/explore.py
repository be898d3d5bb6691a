"""Explorers of your own runs, models and data, in one line each.

`toolkit.explore.eigenplane("runs/k")` takes the folder of a run; a `Run` or a `TrainedDynamics`
will do as well. Data are those that the run held out, unless others are named; a bare
`TrainedDynamics` has none of its own. Each explorer is what the notebooks show, and needs the
widget packages only to be interactive.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.data import Dataset
    from toolkit.training.run import Run
    from toolkit.widgets.subjects import Data, Model


def eigenplane(
    model: Model,
    data: Data | None = None,
    *,
    window: int = 0,
    horizon: int = 100,
    dims: tuple[int, ...] | None = None,
    seed: int = 0,
) -> Any:
    """Drag the eigenvalues of a trained spectrum and watch a held-out rollout follow.

    `window` chooses among a dozen stretches of the data, `dims` the coordinates drawn (the first
    six by default), `seed` one of the run's, by its place.

    Raises:
        UserError: there is no such run, window or seed, the data do not fit, or the model has no
            diagonal spectrum.
    """
    from toolkit.widgets import EigenPlane
    from toolkit.widgets.subjects import subject_of

    subject = subject_of(model, data, seed=seed)
    windows, sample = subject.windows(horizon), subject.check(window, horizon)
    return EigenPlane.of_model(subject.trained, windows, dt=subject.dt, dims=dims, sample=sample)


def rollout(
    models: Model | Mapping[str, Model],
    data: Data | None = None,
    *,
    horizon: int = 100,
    seed: int = 0,
) -> Any:
    """Predictions of one or several models against the truth, window by window.

    Several models, by the names of their curves, are shown on the data of the first.

    Raises:
        UserError: as for `eigenplane`.
    """
    from toolkit.widgets import Choice, Slider, explore
    from toolkit.widgets.subject_views import RolloutView
    from toolkit.widgets.subjects import subjects_of

    view = RolloutView(subjects_of(models, data, seed), horizon)
    return explore(
        view,
        window=Slider(0, 0, view.num_windows - 1),
        steps=Slider(view.horizon, min(2, view.horizon - 1), view.horizon),
        coordinates=Choice(view.groups),
    )


def film(
    model: Model,
    data: Data | None = None,
    *,
    window: int = 0,
    horizon: int = 100,
    seed: int = 0,
    **options: Any,
) -> Any:
    """The true and the predicted robot side by side, with a scrub bar.

    `options` as of `toolkit.widgets.film_states`: `sticks`, `size`, `threshold`.

    Raises:
        UserError: as for `eigenplane`; or the data are of no robot that can be drawn.
    """
    from toolkit.widgets import watch_prediction
    from toolkit.widgets.subjects import subject_of

    subject = subject_of(model, data, seed=seed)
    start = int(subject.starts(horizon)[subject.check(window, horizon)])
    reach = subject.reach(horizon)
    return watch_prediction(subject.trained, subject.data, start=start, horizon=reach, **options)


def gradients(
    models: Model | Mapping[str, Model],
    data: Data | None = None,
    *,
    horizon: int = 100,
    seed: int = 0,
) -> Any:
    """How gradients shrink or grow on their way back through time, against theory's envelope.

    Raises:
        UserError: as for `eigenplane`.
    """
    from toolkit.data import Window
    from toolkit.widgets import explore_gradients
    from toolkit.widgets.subjects import subjects_of

    subjects = subjects_of(models, data, seed)
    first = next(iter(subjects.values()))
    raw = first.windows(horizon)
    window = Window(first.trained.normaliser.normalise(raw.obs), raw.action, raw.reward)
    return explore_gradients({name: s.trained.model for name, s in subjects.items()}, window)


def augmentation(run: str | Path | Run, *, seed: int = 0, rows: int = 400) -> Any:
    """Latent noise through a TDM, and which of it the symmetry filter keeps at which threshold.

    `rows` transitions of the run's data are moved. Where MuJoCo knows the robot, the true error
    of what is kept and what is rejected is measured in it.

    Raises:
        UserError: there is no such run or seed, or it trained no TDM.
    """
    import jax
    import numpy as np

    from toolkit.data import TransitionSampler
    from toolkit.evaluation import normalised
    from toolkit.training.loop import select_seed
    from toolkit.tsymmetry import TDM
    from toolkit.widgets import explore_filter
    from toolkit.widgets.subjects import run_of

    run = run_of(run)
    if rows < 1:
        raise UserError(f"`rows` must be at least 1, got {rows}.")
    run.check_seed(seed)
    model = getattr(select_seed(run.state(), seed), "best", None)
    if not isinstance(model, TDM):
        raise UserError(f"{run.folder} trained {run.config.model}, which is no TDM.")
    dataset, normaliser = run.dataset(), run.normaliser()
    recorded = TransitionSampler(normalised(dataset, normaliser), successors_only=True).everything()
    count = len(recorded.reward)
    at = np.linspace(0, count - 1, min(rows, count)).astype(int)
    batch = jax.tree.map(lambda leaf: leaf[at], recorded)
    robot = _robot(dataset)
    return explore_filter(model, recorded, batch, robot=robot, normaliser=normaliser)


def initialisation(modes: int = 64, *, dt: float = 1.0) -> Any:
    """Where a spectrum starts: frequencies, real part and step against the unit circle.

    Units:  `dt` in seconds per environment step, for what the points tell.
    Raises:
        UserError: there is no mode.
    """
    from toolkit.widgets import Choice, Slider, explore
    from toolkit.widgets.subject_views import InitialisationView

    return explore(
        InitialisationView(modes, dt),
        scheme=Choice(["increasing", "random", "hippo"], label="frequencies"),
        real_part=Slider(-0.2, -2.0, 0.0, 0.05, label="real part μ"),
        step=Slider(1.0 / modes, min(1e-3, 1.0 / modes), 1.0, log=True, label="step Δt"),
        scale=Slider(1.0, 0.01, 1.0, log=True, label="share of the band"),
    )


def dashboard(
    model: Model | None = None,
    data: Data | None = None,
    *,
    tdm: str | Path | Run | None = None,
    horizon: int = 100,
    seed: int = 0,
) -> Any:
    """Every explorer of a model in one page, a tab each, built when it is first opened.

    Without a model, a small one is trained first on the bundled hopper sample. With the run of a
    `tdm`, the threshold of its filter is explored too.

    Raises:
        UserError: as for `eigenplane`; or the widget packages are missing.
    """
    from toolkit.widgets.support import INSTALL, has_widgets

    if not has_widgets():
        raise UserError(f"A dashboard needs the widget packages: {INSTALL}.")
    from toolkit.widgets.dashboard import Dashboard
    from toolkit.widgets.subjects import first_model, subject_of

    if model is None:
        model, data = first_model(data)
    return Dashboard(subject_of(model, data, seed=seed), tdm=tdm, horizon=horizon)


def _robot(dataset: Dataset) -> str | None:
    """The dataset's robot, if MuJoCo is here and can stand it in any of its states."""
    import importlib.util

    from toolkit.envs.poses import robot_of

    if not all(importlib.util.find_spec(name) for name in ("mujoco", "gymnasium")):
        return None
    try:
        return robot_of(dataset.source.env or dataset.source.name).name
    except UserError:
        return None
