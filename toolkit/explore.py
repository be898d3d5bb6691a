"""Explorers of your own runs, models and data, in one line each.

`toolkit.explore.eigenplane("runs/k")` takes the folder of a run; a `Run` or a `TrainedDynamics`
will do as well. Data are those that the run held out, unless others are named; a bare
`TrainedDynamics` has none of its own. Each explorer is what the notebooks show, and needs the
widget packages only to be interactive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import plotly.graph_objects as go

    from toolkit.data import Dataset, Window
    from toolkit.evaluation.prediction import TrainedDynamics
    from toolkit.training.run import Run

    #: What an explorer takes as a model, and as data.
    Model = str | Path | Run | TrainedDynamics
    Data = str | Path | Dataset

#: Windows that explorers offer, spread over the data.
WINDOWS = 12
#: Coordinates that are drawn at once.
TOGETHER = 4


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

    `window` chooses among `WINDOWS` stretches of the data, `dims` the coordinates drawn (the first
    six by default), `seed` one of the run's, by its place.

    Raises:
        UserError: there is no such run, window or seed, the data do not fit, or the model has no
            diagonal spectrum.
    """
    from toolkit.widgets import EigenPlane

    subject = subject_of(model, data, seed=seed)
    windows = subject.windows(horizon)
    return EigenPlane.of_model(
        subject.trained, windows, dt=subject.dt, dims=dims, sample=_within(window, windows)
    )


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

    view = RolloutView(_named(models, data, seed), horizon)
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

    subject = subject_of(model, data, seed=seed)
    start = int(subject.starts(horizon)[_window(window, horizon, subject)])
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

    subjects = _named(models, data, seed)
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

    run = _run(run)
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

    return explore(
        InitialisationView(modes, dt),
        scheme=Choice(["increasing", "random", "hippo"], label="frequencies"),
        real_part=Slider(-0.2, -2.0, 0.0, 0.05, label="real part μ"),
        step=Slider(1.0 / modes, 1e-3, 1.0, log=True, label="step Δt"),
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

    if model is None:
        model, data = first_model(data)
    return Dashboard(subject_of(model, data, seed=seed), tdm=tdm, horizon=horizon)


def first_model(data: Data | None = None, *, num_updates: int = 300) -> tuple[Any, Any]:
    """A small Koopman model of some data, trained here and now, and the episodes it did not see."""
    import numpy as np

    from toolkit.evaluation.prediction import TrainedDynamics
    from toolkit.registry import find_model
    from toolkit.training import select_seed, train
    from toolkit.training.config import DEFAULT_DATA
    from toolkit.training.experiment import prepare

    where = DEFAULT_DATA if data is None else data
    learner = find_model("koopman").load()(
        modes=32, hidden=64, horizon=50, batch_size=64, num_updates=num_updates
    )
    dataset = where if not isinstance(where, str | Path) else None
    experiment = prepare("koopman", learner, str(where), seeds=(0,), dataset=dataset)
    updates = train(
        learner, experiment.init(), experiment.sampler, seeds=(0,), num_updates=num_updates
    )
    for state, metrics in updates:
        loss = float(np.mean(metrics["loss/prediction"]))
        print(f"update {int(state.update_count[0]):4} of {num_updates}, loss {loss:.3f}", end="\r")
    return TrainedDynamics(select_seed(state, 0).model, experiment.normaliser), experiment.test


@dataclass(frozen=True)
class Subject:
    """A trained model beside raw data that it is looked at on."""

    name: str
    trained: TrainedDynamics
    data: Dataset

    @property
    def dt(self) -> float:
        """Seconds per environment step; 1 where the data do not say."""
        return self.data.source.dt or 1.0

    def reach(self, horizon: int) -> int:
        """The horizon, or the longest stretch of the data if that is shorter."""
        from toolkit.evaluation.scores import reachable_horizon

        return reachable_horizon(self.data, horizon)

    def starts(self, horizon: int) -> np.ndarray:
        """The rows at which the windows begin, spread over the data."""
        import numpy as np

        from toolkit.data import WindowSampler

        every = np.asarray(WindowSampler(self.data, self.reach(horizon)).starts)
        at = np.linspace(0, len(every) - 1, min(WINDOWS, len(every))).astype(int)
        return every[at]

    def windows(self, horizon: int) -> Window:
        """Those windows, of raw observations."""
        import jax.numpy as jnp

        from toolkit.data import WindowSampler

        sampler = WindowSampler(self.data, self.reach(horizon))
        return sampler.gather(jnp.asarray(self.starts(horizon), jnp.int32))


def subject_of(model: Model, data: Data | None = None, *, seed: int = 0) -> Subject:
    """A model and its data, from what a user names.

    Raises:
        UserError: there is no such run or seed; it trained no dynamics model; a bare model comes
            without data; or the dimensions differ.
    """
    from toolkit.data import load
    from toolkit.evaluation.prediction import TrainedDynamics

    if isinstance(data, str | Path):
        data = load(str(data))
    if isinstance(model, TrainedDynamics):
        if data is None:
            raise UserError("A model without a run has no data of its own; name some as `data`.")
        name, trained = type(model.model).__name__, model
    else:
        run = _run(model)
        name, trained = run.folder.name, run.trained(seed)
        data = run.test_data() if data is None else data
    expected = trained.normaliser.mean.size
    if data.obs_dim != expected:
        raise UserError(
            f"{name} was trained on observations of {expected} numbers, but {data.source.name} has "
            f"{data.obs_dim}."
        )
    return Subject(name, trained, data)


class RolloutView:
    """Figure of predictions against the truth, in one of some windows of the data."""

    def __init__(self, subjects: Mapping[str, Subject], horizon: int):
        import numpy as np

        first = next(iter(subjects.values()))
        windows = first.windows(horizon)
        self.horizon, self.dt = windows.action.shape[0], first.dt
        self.truth = np.swapaxes(np.asarray(windows.obs), 0, 1)  # (windows, horizon + 1, obs)
        self.num_windows = len(self.truth)
        self.predicted = {
            name: np.asarray(_predict(subject.trained, windows))
            for name, subject in subjects.items()
        }
        dims = range(self.truth.shape[2])
        groups = [tuple(dims[at : at + TOGETHER]) for at in dims[::TOGETHER]]
        self.groups = {
            f"{group[0]} to {group[-1]}" if len(group) > 1 else str(group[0]): group
            for group in groups
        }

    def __call__(self, window: int, steps: int, coordinates: tuple[int, ...]) -> go.Figure:
        from toolkit.figures import rollout_figure

        curves = {name: values[window, : steps + 1] for name, values in self.predicted.items()}
        return rollout_figure(self.truth[window, : steps + 1], curves, coordinates, self.dt)


class InitialisationView:
    """Figure of a fresh spectrum; `scale` is its share of the frequencies that a step resolves."""

    def __init__(self, modes: int, dt: float):
        if modes < 1:
            raise UserError(f"`modes` must be at least 1, got {modes}.")
        self.modes, self.dt = modes, dt

    def __call__(self, scheme: Any, real_part: float, step: float, scale: float) -> go.Figure:
        import jax.random as jr
        import numpy as np

        from toolkit.figures import spectrum_figure
        from toolkit.spectral import Spectrum

        spectrum = Spectrum(
            self.modes, real_part="free", imag_part=scheme, step_size="fixed", decay=real_part,
            frequency_scale=scale, step_init=step, key=jr.key(0),
        )  # fmt: skip
        multipliers = np.asarray(spectrum.multipliers)
        figure = spectrum_figure(multipliers, dt=self.dt)
        half_turn = np.pi * (1 + 1e-5)  # the paper's fastest mode turns by exactly that
        aliased = int(np.sum(np.abs(np.asarray(spectrum.imag)) * step > half_turn))
        largest = np.abs(multipliers).max()
        title = f"largest |λ̄| {largest:.3f}; {aliased} of {self.modes} modes alias"
        return figure.update_layout(title_text=title)


def _predict(trained: TrainedDynamics, windows: Window) -> Any:
    import equinox as eqx
    import jax

    one = lambda model, obs, actions: model.predict(obs, actions).obs
    return eqx.filter_jit(jax.vmap(one, in_axes=(None, 0, 1)))(
        trained, windows.obs[0], windows.action
    )


def _named(models: Model | Mapping[str, Model], data: Data | None, seed: int) -> dict[str, Subject]:
    """Subjects by name, all on the data of the first."""
    if not isinstance(models, Mapping):
        subject = subject_of(models, data, seed=seed)
        return {subject.name: subject}
    if not models:
        raise UserError("`models` must hold at least one model, got none.")
    found: dict[str, Subject] = {}
    for name, model in models.items():
        shared = next(iter(found.values())).data if found else data
        found[name] = subject_of(model, shared, seed=seed)
    return found


def _run(run: Any) -> Run:
    from toolkit.training.run import Run

    if isinstance(run, str | Path):
        return Run.open(run)
    if not isinstance(run, Run):
        raise UserError(
            f"A model must be the folder of a run, a Run or a TrainedDynamics, got "
            f"{type(run).__name__}."
        )
    return run


def _within(window: int, windows: Window) -> int:
    count = windows.action.shape[1]
    if not 0 <= window < count:
        raise UserError(f"`window` must lie in 0..{count - 1}, got {window}.")
    return window


def _window(window: int, horizon: int, subject: Subject) -> int:
    return _within(window, subject.windows(horizon))


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
