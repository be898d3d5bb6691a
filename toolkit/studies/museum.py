"""Sabotages on purpose: a recording, what is fitted to it, and what instruments say of either.

The recording is of a pendulum that swings a little, under random pushes, while its motor gets
warmer. To it are fitted a linear model of the dynamics and a value function, both by least
squares in float64. Encoders and reverse models are sabotaged in `toolkit.studies.museum_learning`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data.dataset import Dataset, Source
from toolkit.data.normaliser import Normaliser
from toolkit.data.simulation import excite, roll_out
from toolkit.data.systems import Pendulum
from toolkit.errors import UserError

ROWS = 60
"""Rows of an episode that the recorder keeps."""
DISCOUNT = 0.98
SKIP = 14
"""Rows in a step that is too long: 1.4 s, and half a swing takes 1.0 s."""
GROWTH = 0.5
"""Real part of an eigenvalue that grows, per second."""
COORDINATES = ("angle", "rate", "motor")
_AHEAD = 56  # rows of a held-out prediction
_START, _TORQUE = (0.5, 1.5), 0.3  # rad and rad/s at most; newton metres


@dataclass(frozen=True)
class Recording:
    """Pendulums that swing a little; the recorder stops after `ROWS` rows, the world does not.

    A row is angle, rate and the temperature of the motor, which rises from episode to episode and
    moves nothing. `train` episodes come first, and those after them are held out.

    Shapes: `obs (episodes, steps + 1, 3)`, `action (episodes, steps, 1)`, `reward (episodes,
            steps)`.
    Units:  rad, rad/s, °C; `dt` seconds.
    """

    obs: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    dt: float
    train: int


def record(*, num_episodes: int = 60, num_steps: int = 300, seed: int = 0) -> Recording:
    """Swings under Ornstein-Uhlenbeck pushes, and a motor that warms from 20 to 30 °C.

    Raises:
        UserError: there are fewer than eight episodes, or they end before the recorder does.
    """
    if num_episodes < 8:
        raise UserError(f"`num_episodes` must be at least 8, got {num_episodes}.")
    if num_steps < ROWS:
        raise UserError(f"`num_steps` must be at least {ROWS}, got {num_steps}.")
    system = Pendulum(dt=0.1, num_substeps=4, torque=_TORQUE)
    rng = np.random.default_rng(seed)
    starts = rng.uniform(-1, 1, (num_episodes, 2)) * np.array(_START)
    action = excite("ornstein-uhlenbeck", num_episodes, num_steps, system.dt, rng)
    states = np.asarray(_swing(system, jnp.asarray(starts, jnp.float32), jnp.asarray(action)))
    warmth = np.linspace(20.0, 30.0, num_episodes)[:, None, None]
    warmth = warmth + 0.05 * rng.standard_normal((*states.shape[:2], 1))
    obs = np.concatenate([states, warmth], axis=2).astype(np.float64)
    reward = 1 - np.square(obs[:, :-1, 0] / _START[0])
    return Recording(obs, action.astype(np.float64), reward, system.dt, num_episodes * 3 // 4)


@eqx.filter_jit
def _swing(system: Pendulum, starts: jax.Array, actions: jax.Array) -> jax.Array:
    return jax.vmap(lambda start, action: roll_out(system, start, action))(starts, actions)


def as_dataset(
    recording: Recording, episodes: slice, *, every: int = 1, borders: bool = True
) -> Dataset:
    """The recorder's rows of these episodes, each of which ends in a timeout.

    With `every` above 1 only every so manieth row is kept, under the mean of the actions up to the
    next. Without `borders` nothing says where an episode ends, so every row follows the one before.

    Raises:
        UserError: `every` is not between 1 and the rows of an episode.
    """
    if not 1 <= every <= ROWS:
        raise UserError(f"`every` must lie in 1..{ROWS}, got {every}.")
    count = ROWS // every
    obs = recording.obs[episodes, : count * every + 1 : every]
    blocks = recording.action[episodes, : count * every]
    action = blocks.reshape(len(obs), count, every, -1).mean(axis=2)
    reward = recording.reward[episodes, : count * every : every]
    ends = np.tile(np.arange(count) == count - 1, len(obs))
    flat = lambda x: x.reshape(len(obs) * count, -1)
    source = Source("recording", dt=every * recording.dt)
    if not borders:
        return Dataset.from_arrays(flat(obs[:, :-1]), flat(action), flat(reward), source=source)
    return Dataset.from_arrays(
        flat(obs[:, :-1]), flat(action), flat(reward), flat(obs[:, 1:]), timeout=ends,
        source=source,
    )  # fmt: skip


@dataclass(frozen=True)
class LinearModel:
    """s′ = K·s + B·a + c over a step of `rows` rows, in standard deviations.

    Shapes: `matrix (obs, obs)`, `gain (obs, action)`, `offset (obs,)`.
    """

    matrix: np.ndarray
    gain: np.ndarray
    offset: np.ndarray
    rows: int = 1

    @property
    def multipliers(self) -> np.ndarray:
        """Eigenvalues λ̄ of K: what one step of the model multiplies each mode with."""
        return np.linalg.eigvals(self.matrix)

    def per_row(self) -> LinearModel:
        """The same law for a single row, as the zero-order hold of its continuous eigenvalues.

        Those are log λ̄ / (step), the slowest rotation that fits.
        """
        if self.rows == 1:
            return self
        values, vectors = np.linalg.eig(self.matrix)
        share = values.astype(complex) ** (1 / self.rows)
        still = np.abs(values - 1) < 1e-9
        safe = np.where(still, 0.0, values)
        hold = np.where(still, 1 / self.rows, (share - 1) / (safe - 1))
        inverse = np.linalg.inv(vectors)
        part = (vectors * hold @ inverse).real
        return LinearModel((vectors * share @ inverse).real, part @ self.gain, part @ self.offset)

    def predict(self, start: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """States row by row, the start included, under actions that each step holds on average.

        Shapes: `(windows, obs)` and `(windows, time, action)` to `(windows, time + 1, obs)`.
        """
        fine, (windows, time, size) = self.per_row(), actions.shape
        held = actions[:, : time // self.rows * self.rows]
        held = held.reshape(windows, -1, self.rows, size).mean(axis=2).repeat(self.rows, axis=1)
        states = [start]
        for action in np.moveaxis(held, 1, 0):
            states.append(states[-1] @ fine.matrix.T + action @ fine.gain.T + fine.offset)
        return np.stack(states, axis=1)


def fit_linear(dataset: Dataset, normaliser: Normaliser, *, rows: int = 1) -> LinearModel:
    """Least squares over every row with a successor, in standard deviations."""
    obs, action, after = _normalised(dataset, normaliser)
    inputs = np.concatenate([obs, action, np.ones((len(obs), 1))], axis=1)
    solved = np.linalg.lstsq(inputs, after, rcond=None)[0].T
    size = obs.shape[1]
    return LinearModel(solved[:, :size], solved[:, size:-1], solved[:, -1], rows)


def push(model: LinearModel, growth: float) -> LinearModel:
    """The model with its fastest rotation growing by e^growth per step, whatever it did before."""
    values, vectors = np.linalg.eig(model.matrix)
    turn = np.abs(np.angle(values))
    moved = np.where(turn > turn.max() - 1e-9, values / np.abs(values) * np.exp(growth), values)
    return replace(model, matrix=(vectors * moved @ np.linalg.inv(vectors)).real)


@dataclass(frozen=True)
class ModelReadings:
    """What five instruments say of a linear model of the dynamics.

    `seconds` and `error` are of held-out predictions, `position` and `residual` of one step from
    each row of an episode that it was fitted to. `trained_on` and `tested_on` are means and
    standard deviations of what it gets. Errors are root mean squares in standard deviations.

    Shapes: `(time,)`, `(time,)`; `(rows,)`, `(rows,)`; `(2, obs)`.
    """

    multipliers: np.ndarray
    seconds: np.ndarray
    error: np.ndarray
    position: np.ndarray
    residual: np.ndarray
    trained_on: np.ndarray
    tested_on: np.ndarray
    rows: int
    dt: float


def model_readings(
    recording: Recording,
    *,
    growth: float | None = None,
    every: int = 1,
    borders: bool = True,
    leak: bool = False,
) -> ModelReadings:
    """Fit to the training episodes, and read; every argument is a way to do it wrong.

    `growth` pushes the fastest eigenvalue to this real part, per second; `every` keeps so few
    rows; without `borders` one episode runs on into the next; with `leak` the normaliser is fitted
    to the held-out episodes too.
    """
    seen, held_out = slice(None, recording.train), slice(recording.train, None)
    dataset = as_dataset(recording, seen, every=every, borders=borders)
    known = as_dataset(recording, slice(None) if leak else seen, every=every)
    normaliser = Normaliser.fit(known.observations)
    model = fit_linear(dataset, normaliser, rows=every)
    if growth is not None:
        model = push(model, growth * recording.dt * every)
    mean, std = (np.asarray(x, np.float64) for x in (normaliser.mean, normaliser.std))
    states = (recording.obs[held_out, : _AHEAD + 1] - mean) / std
    predicted = model.predict(states[:, 0], recording.action[held_out, :_AHEAD])
    error = np.sqrt(np.square(predicted - states[:, : predicted.shape[1]]).mean(axis=(0, 2)))
    position, residual = _by_position(model, dataset, normaliser, ROWS // every)
    return ModelReadings(
        model.multipliers, recording.dt * np.arange(len(error)), error, position * every, residual,
        _statistics((recording.obs[seen, :ROWS] - mean) / std),
        _statistics((recording.obs[held_out, :ROWS] - mean) / std), every, recording.dt,
    )  # fmt: skip


def _by_position(
    model: LinearModel, dataset: Dataset, normaliser: Normaliser, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """One step's error by the row of the episode that it begins in."""
    obs, action, after = _normalised(dataset, normaliser)
    missed = obs @ model.matrix.T + action @ model.gain.T + model.offset - after
    at = np.flatnonzero(np.asarray(dataset.valid_next)) % count
    squares = np.bincount(at, np.square(missed).mean(axis=1), count) / np.bincount(at, None, count)
    return np.arange(count), np.sqrt(squares)


def _normalised(
    dataset: Dataset, normaliser: Normaliser
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observations, actions and successors of the rows that have one, in float64."""
    use = np.asarray(dataset.valid_next)
    mean, std = (np.asarray(x, np.float64) for x in (normaliser.mean, normaliser.std))
    obs, action, after = (
        np.asarray(x, np.float64)[use]
        for x in (dataset.observations, dataset.actions, dataset.next_observations)
    )
    return (obs - mean) / std, action, (after - mean) / std


def _statistics(rows: np.ndarray) -> np.ndarray:
    flat = rows.reshape(-1, rows.shape[-1])
    return np.stack([flat.mean(axis=0), flat.std(axis=0)])


@dataclass(frozen=True)
class ValueReadings:
    """What a fitted value expects from held-out states, and the discounted return that came.

    Shapes: `(states,)` each.
    """

    expected: np.ndarray
    real: np.ndarray


def value_readings(recording: Recording, *, timeouts_end: bool = False) -> ValueReadings:
    """Least-squares TD on the recorder's rows, against returns to the end of the long episodes.

    With `timeouts_end` the recorder's last row counts as an end of the world, after which nothing
    comes.
    """
    obs, rewards = recording.obs, recording.reward
    features = _features(obs[: recording.train, : ROWS + 1])
    size = features.shape[-1]
    ends = np.broadcast_to(np.arange(ROWS) == ROWS - 1, (*features.shape[:1], ROWS))
    weights = least_squares_value(
        features[:, :-1].reshape(-1, size), rewards[: recording.train, :ROWS].ravel(),
        features[:, 1:].reshape(-1, size), (ends & timeouts_end).ravel(), discount=DISCOUNT,
    )  # fmt: skip
    to_go = np.zeros(len(obs))
    returns = np.empty(rewards.shape)
    for t in reversed(range(rewards.shape[1])):
        returns[:, t] = to_go = rewards[:, t] + DISCOUNT * to_go
    at = slice(0, ROWS, 30)
    expected = _features(obs[recording.train :, at]) @ weights
    return ValueReadings(expected.ravel(), returns[recording.train :, at].ravel())


def least_squares_value(
    features: np.ndarray,
    reward: np.ndarray,
    next_features: np.ndarray,
    terminal: np.ndarray,
    *,
    discount: float,
) -> np.ndarray:
    """Weights w of V(s) = w·φ(s) with Σ φ·(r + γ·(1 − terminal)·V(s′) − V(s)) = 0.

    Shapes: features `(rows, features)`, the others `(rows,)`.
    Source: Bradtke & Barto 1996, Linear least-squares algorithms for temporal difference learning.
    """
    goes_on = discount * (1 - terminal.astype(float))[:, None]
    return np.linalg.solve(features.T @ (features - goes_on * next_features), features.T @ reward)


def _features(obs: np.ndarray) -> np.ndarray:
    """1, angle, rate and their products."""
    angle, rate = obs[..., 0] / _START[0], obs[..., 1] / _START[1]
    return np.stack([np.ones_like(angle), angle, rate, angle**2, angle * rate, rate**2], axis=-1)
