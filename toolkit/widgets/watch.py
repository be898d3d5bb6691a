"""Watch a trained model predict: the true and the predicted robot side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toolkit.data import Dataset, Source, Window, WindowSampler
from toolkit.data.samplers import run_lengths
from toolkit.envs.divergence import THRESHOLD, divergence_of
from toolkit.envs.poses import poses_of, robot_of
from toolkit.envs.robots import Robot
from toolkit.envs.sticks import stick_frames
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.figures.frames import Film, frames_figure
from toolkit.figures.lineup import Lineup, lineup_figure
from toolkit.types import Obs
from toolkit.widgets.support import INSTALL, has_widgets


def watch_prediction(
    trained: TrainedDynamics,
    data: Dataset | Window,
    robot: Robot | str | None = None,
    *,
    start: int | None = None,
    horizon: int = 100,
    **options: Any,
) -> Any:
    """Predict from one state, draw truth and prediction, and show both: one line for it all.

    Arguments and errors as of `film_prediction`. Returns a `FramePlayer`, or the still figure
    where the widget packages are missing.
    """
    film = film_prediction(trained, data, robot, start=start, horizon=horizon, **options)
    return compare_frames(film)


def compare_frames(film: Film) -> Any:
    """A film as a player with a scrub bar, or as a still where the widget packages are missing."""
    if not has_widgets():
        print(f"This film can be played where the widget packages are installed: {INSTALL}.")
        return frames_figure(film)
    from toolkit.widgets.frames import FramePlayer

    return FramePlayer(film)


def watch_policies(lineup: Lineup) -> Any:
    """Robots side by side with a scrub bar, or a still where the widget packages are missing."""
    if not has_widgets():
        print(f"This film can be played where the widget packages are installed: {INSTALL}.")
        return lineup_figure(lineup)
    from toolkit.widgets.lineup import LineupPlayer

    return LineupPlayer(lineup)


def film_policies(
    states: Mapping[str, np.ndarray],
    robot: Robot | str,
    *,
    seconds: float = 2.4,
    every: int = 3,
    dt: float | None = None,
    ended: Mapping[str, bool] | None = None,
    size: tuple[int, int] = (200, 200),
    sticks: bool = False,
) -> Lineup:
    """Sequences of observed states, one for each policy, as a film of robots side by side.

    Every `every`-th state of the first `seconds` is drawn. A sequence that is shorter keeps its
    last picture; it counts as an episode that was over, unless `ended` says otherwise. With
    `sticks`, and where MuJoCo cannot render, the robots are drawn as plain limbs.

    Shapes: each `(time, obs)`, raw, the start state first; `size` is (height, width) in pixels.
    Units:  `dt` in seconds, by default the environment's.
    Raises:
        UserError: there is no sequence, a number is not positive, the states are not the robot's
            or not finite, or MuJoCo, Gymnasium or Pillow is not installed.
    """
    if not states or every < 1 or not seconds > 0:
        raise UserError(
            "A film needs `states` of at least one policy, `every` at least 1 and positive "
            f"`seconds`, got {len(states)}, {every} and {seconds}."
        )
    robot = robot_of(robot)
    poses = [poses_of(robot, obs, dt=dt, name=name) for name, obs in states.items()]
    step, last = poses[0].dt, round(seconds / poses[0].dt)
    longest = min(last, max(len(p.qpos) - 1 for p in poses))
    at = np.arange(0, longest + every, every)  # the last one is not before the longest ends
    shown = [p.qpos[np.minimum(at, len(p.qpos) - 1)] for p in poses]
    over = dict.fromkeys(states, True) | dict(ended or {})
    ends = [
        -(-(len(p.qpos) - 1) // every) if over[name] and len(p.qpos) - 1 <= at[-1] else None
        for name, p in zip(states, poses, strict=True)
    ]
    frames, note = draw_robots(robot, shown, size, sticks=sticks)
    travelled = np.stack([qpos[:, 0] for qpos in shown])
    return Lineup(tuple(states), np.stack(frames), travelled, ends, every * step, note)


def film_prediction(
    trained: TrainedDynamics,
    data: Dataset | Window,
    robot: Robot | str | None = None,
    *,
    start: int | None = None,
    horizon: int = 100,
    **options: Any,
) -> Film:
    """The `horizon` + 1 states from `start` on, true ones and those the model predicts there.

    `start` is a row of a dataset (by default the first that is followed by `horizon` transitions)
    or the number of one window of several. Observations are raw ones; the dataset says which
    `robot` it is of, a window does not. Further options as of `film_states`.

    Raises:
        UserError: the robot is unknown, the start is not followed by as many transitions, the
            dimensions differ from the model's, or for a reason of `film_states`.
    """
    source = data.source if isinstance(data, Dataset) else Source("")
    robot = robot_of((source.env or source.name) if robot is None else robot)
    true_obs, actions = _stretch(data, start, horizon)
    expected = trained.normaliser.mean.size
    if true_obs.shape[1] != expected:
        raise UserError(
            f"The model was trained on observations of {expected} numbers, but the data have "
            f"{true_obs.shape[1]}."
        )
    predicted = _predict(trained, true_obs[0], actions)
    options.setdefault("dt", source.dt)
    return film_states(np.asarray(true_obs), np.asarray(predicted), robot, **options)


def film_states(
    true_obs: np.ndarray,
    predicted_obs: np.ndarray,
    robot: Robot | str,
    *,
    dt: float | None = None,
    threshold: float = THRESHOLD,
    labels: Sequence[str] = ("true", "predicted"),
    size: tuple[int, int] = (240, 320),
    sticks: bool = False,
) -> Film:
    """Two sequences of observed states as a film, whoever predicted the second.

    With `sticks`, and where MuJoCo cannot render, the robots are drawn as plain limbs, which is
    faster.

    Shapes: observations `(time, obs)`, the start state first; `size` is (height, width) in pixels.
    Units:  `dt` in seconds, by default the environment's; `threshold` in metres.
    Raises:
        UserError: the shapes differ or are not the robot's, a true state is not finite, a number
            is not positive, or MuJoCo, Gymnasium or Pillow is not installed.
    """
    robot = robot_of(robot)
    true = poses_of(robot, true_obs, dt=dt, name="true_obs")
    predicted = poses_of(robot, predicted_obs, dt=dt, name="predicted_obs")
    divergence = divergence_of(true, predicted, threshold)
    qpos = true.qpos, predicted.qpos
    frames, note = draw_robots(robot, qpos, size, sticks=sticks)
    travelled = np.stack([states[:, 0] for states in qpos])
    return Film(frames[0], frames[1], divergence, tuple(labels), travelled, note)


def _stretch(
    data: Dataset | Window, start: int | None, horizon: int
) -> tuple[Float[Array, "states obs"], Float[Array, "time action"]]:
    """States and actions of one window."""
    if horizon < 1:
        raise UserError(f"`horizon` must be at least 1, got {horizon}.")
    if isinstance(data, Window):
        length, count = data.action.shape[:2]
        sample = start or 0
        if not 0 <= sample < count:
            raise UserError(f"`start` must lie in 0..{count - 1}, got {sample}.")
        if length < horizon:
            raise UserError(f"`horizon` must be at most the window's {length}, got {horizon}.")
        return data.obs[: horizon + 1, sample], data.action[:horizon, sample]
    sampler, runs = WindowSampler(data, horizon), run_lengths(data)
    row = int(sampler.starts[0]) if start is None else start
    if not 0 <= row < len(runs):
        raise UserError(f"`start` must be a row in 0..{len(runs) - 1}, got {row}.")
    if runs[row] < horizon:
        raise UserError(
            f"Row {row} is followed by {runs[row]} transitions of its episode, fewer than "
            f"`horizon`, {horizon}; start earlier or look less far ahead."
        )
    window = sampler.gather(jnp.asarray([row], jnp.int32))
    return window.obs[:, 0], window.action[:, 0]


@eqx.filter_jit
def _predict(
    trained: TrainedDynamics, obs: Obs, actions: Float[Array, "time action"]
) -> Float[Array, "states obs"]:
    return trained.predict(obs, actions).obs


def draw_robots(
    robot: Robot, paths: Sequence[np.ndarray], size: tuple[int, int], *, sticks: bool = False
) -> tuple[list[np.ndarray], str]:
    """Pictures `(time, height, width, 3)` of each sequence of joint states, and how they were made.

    They are rendered by MuJoCo. With `sticks`, and where nothing renders, they are plain limbs;
    the note then says why, and is empty otherwise.

    Raises:
        UserError: the size is not positive, or MuJoCo, Gymnasium or Pillow is not installed.
    """
    from toolkit.envs import Renderer

    note = ""
    if not sticks:
        try:
            with Renderer(robot, size=size) as renderer:
                return [np.stack([renderer.frame(state) for state in p]) for p in paths], note
        except UserError as reason:
            note = f"Drawn as plain limbs, since nothing renders here: {reason}"
    return [stick_frames(robot, states, size=size) for states in paths], note
