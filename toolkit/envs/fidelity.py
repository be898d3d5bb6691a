"""How well today's simulator repeats a stored dataset: `toolkit data check FILE --simulate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from toolkit.data.arrays import RawArrays
from toolkit.data.doctor_values import layout_findings
from toolkit.data.reading import read_arrays
from toolkit.data.structure import flag, infer_structure
from toolkit.data.tasks import parse_task
from toolkit.envs.batched import Physics
from toolkit.envs.fidelity_report import Comparison, Fidelity, quantiles
from toolkit.envs.requirements import import_mujoco, make_gymnasium
from toolkit.envs.robots import ROBOTS, Robot
from toolkit.errors import UserError

GYM_ROWS = 1000  # rows stepped one by one through Gymnasium's own `-v5` code


def simulate_check(
    data: RawArrays | str | Path,
    *,
    env_ids: Sequence[str] | None = None,
    max_rows: int = 20_000,
    seed: int = 0,
    include_clipped: bool = False,
) -> Fidelity:
    """Set stored states into today's simulator, step the stored actions, and compare.

    States are `infos/qpos` and `infos/qvel` where the file has them and they fit the row's
    observation, else rebuilt from the observation with x = 0, on which nothing depends. A velocity
    observed at its clip of ±10 hides the state, so such rows are left out unless `include_clipped`
    sets them at the clip. The successor is `next_observations` where stored and true, else the
    next row of the episode. `-v4` runs all of at most `max_rows` random rows as one batch, `-v5`
    the first `GYM_ROWS` of them through Gymnasium's own code. A fall in a row marked as a timeout
    counts as agreement, as D4RL lets the time limit win. `env_ids` defaults to both versions.

    Raises:
        UserError: the environment is unknown or is not the robot of the data, no row can be
            simulated, the file cannot be read, or MuJoCo or Gymnasium is not installed.
    """
    raw = data if isinstance(data, RawArrays) else read_arrays(data)
    file = str(raw.path or raw.name)
    if max_rows < 1:
        raise UserError(f"`max_rows` must be at least 1, got {max_rows}.")
    if any(item.severity == "error" for item in layout_findings(raw)):
        raise UserError(f"{file}: the arrays do not fit together, so nothing can be simulated.")
    robot = _robot(raw, file)
    versions = _versions(robot)
    env_ids = versions if env_ids is None else tuple(env_ids)
    if unknown := [env_id for env_id in env_ids if env_id not in versions]:
        raise UserError(f"{file}: `env_ids` must be of {', '.join(versions)}, got {unknown[0]!r}.")
    physics = Physics(robot)
    try:
        rows, left_out, sampled, stored = _rows(raw, file, physics, max_rows, seed, include_clipped)
        outcomes = {
            env_id: _step_batch(physics, rows)
            if env_id == robot.env_id
            else _step_gymnasium(env_id, rows.first(GYM_ROWS))
            for env_id in env_ids
        }
    finally:
        physics.close()
    return Fidelity(
        file=file, robot=robot.name, rows=len(raw.observations), sampled=sampled,
        stored_states=stored, rebuilt_states=len(rows.obs) - stored, left_out=left_out,
        no_successor=int((~rows.paired).sum()),
        comparisons=tuple(
            _compare(env_id, rows.first(len(outcome.reward)), outcome, raw)
            for env_id, outcome in outcomes.items()
        ),
    )  # fmt: skip


class _Rows(NamedTuple):
    """Rows to simulate, in random order; floats are float64, `paired` says `next_obs` is true."""

    obs: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_obs: np.ndarray
    paired: np.ndarray
    terminal: np.ndarray
    timeout: np.ndarray

    def where(self, keep: np.ndarray) -> _Rows:
        return _Rows(*(array[keep] for array in self))

    def first(self, count: int) -> _Rows:
        return _Rows(*(array[:count] for array in self))


class _Outcome(NamedTuple):
    next_obs: np.ndarray
    reward: np.ndarray
    terminal: np.ndarray


def _robot(raw: RawArrays, file: str) -> Robot:
    """The robot that the file's attributes, its own name or its file name speak of."""
    ids = [str(raw.attributes.get(key, "")) for key in ("env_id", "env")]
    bases = {robot.env_id.rsplit("-v", 1)[0]: robot for robot in ROBOTS.values()}
    by_id = [bases.get(env_id.split("/")[-1].rsplit("-v", 1)[0]) for env_id in ids]
    tasks = [parse_task(name) for name in (raw.name, raw.path.name if raw.path else "")]
    by_name = [ROBOTS.get(task.family) for task in tasks if task]
    for robot in (*by_id, *by_name):
        if robot is not None:
            return robot
    raise UserError(
        f"{file}: the simulator check knows {', '.join(ROBOTS)}, and neither an attribute `env_id` "
        f"nor the name {raw.name!r} speaks of one of them."
    )


def _versions(robot: Robot) -> tuple[str, str]:
    return robot.env_id, robot.env_id.replace("-v4", "-v5")


def _rows(
    raw: RawArrays, file: str, physics: Physics, max_rows: int, seed: int, include_clipped: bool
) -> tuple[_Rows, dict[str, int], int, int]:
    """Rows to simulate, how many were left out and why, how many were drawn and had a state."""
    dims = (physics.nq - 1 + physics.nv, physics.nu)
    got = (raw.observations.shape[1], raw.actions.shape[1])
    if got != dims:
        raise UserError(
            f"{file}: {physics.robot.name} has {dims[0]} observation and {dims[1]} action "
            f"dimensions, the file has {got[0]} and {got[1]}."
        )
    drawn = np.random.default_rng(seed).permutation(len(raw.observations))[:max_rows]
    rows, exact = _drawn(raw, physics, drawn)
    finite = np.isfinite(np.column_stack([rows.obs, rows.action, rows.reward])).all(axis=1)
    # of the state that will be set, not of the observation: D4RL's repaired files repeat the clip
    limit = physics.robot.velocity_limit or np.inf
    keep = finite & (include_clipped | ~(np.abs(rows.qvel) == limit).any(axis=1))
    reasons = {
        "where a number is not finite": ~finite,
        f"with a velocity at its clip of ±{limit:g}, which hides the state": finite & ~keep,
    }
    left_out = {why: int(which.sum()) for why, which in reasons.items() if which.any()}
    rows = rows.where(keep)
    if not rows.first(GYM_ROWS).paired.any():
        raise UserError(f"{file}: no row has both a known state and a true successor.")
    return rows, left_out, len(drawn), int((keep & exact).sum())


def _drawn(raw: RawArrays, physics: Physics, at: np.ndarray) -> tuple[_Rows, np.ndarray]:
    """The rows `at`, and which of them have a stored state that fits their observation."""
    structure = infer_structure(raw)
    obs = raw.observations[at].astype(float)
    if raw.next_observations is None:
        next_obs = raw.observations[np.minimum(at + 1, len(raw.observations) - 1)].astype(float)
    else:
        next_obs = raw.next_observations[at].astype(float)
    split, exact = physics.nq - 1, np.zeros(len(at), bool)
    qpos = np.concatenate([np.zeros((len(at), 1)), obs[:, :split]], axis=1)
    qvel = obs[:, split:].copy()
    stored = _stored_states(raw, physics)
    if stored is not None:
        stored_qpos, stored_qvel = (array[at].astype(float) for array in stored)
        seen = physics.robot.observe(stored_qpos, stored_qvel)
        with np.errstate(invalid="ignore"):
            fits = np.abs(seen - obs) <= 1e-4 * np.maximum(1, np.abs(obs))  # float32 and no more
        exact |= fits.all(axis=1)
        qpos[exact], qvel[exact] = stored_qpos[exact], stored_qvel[exact]
    rows = _Rows(
        obs, qpos, qvel,
        action=raw.actions[at].astype(float),
        reward=raw.rewards.reshape(-1)[at].astype(float),
        next_obs=next_obs,
        paired=structure.valid_next[at] & np.isfinite(next_obs).all(axis=1),
        terminal=structure.terminal[at],
        timeout=flag(raw.timeouts, len(raw.observations))[at],
    )  # fmt: skip
    return rows, exact


def _stored_states(raw: RawArrays, physics: Physics) -> tuple[np.ndarray, np.ndarray] | None:
    """`infos/qpos` and `infos/qvel` of an HDF5 file where they have the right shape."""
    if raw.path is None or raw.layout != "D4RL HDF5":
        return None
    import h5py

    with h5py.File(raw.path, "r") as file:
        found = [file.get(key) for key in ("infos/qpos", "infos/qvel")]
        arrays = [item[()] for item in found if isinstance(item, h5py.Dataset)]
    n = len(raw.observations)
    if [array.shape for array in arrays] != [(n, physics.nq), (n, physics.nv)]:
        return None
    return arrays[0], arrays[1]


def _step_batch(physics: Physics, rows: _Rows) -> _Outcome:
    robot = physics.robot
    qpos, qvel = physics.step(rows.qpos, rows.qvel, rows.action)
    reward = robot.reward(rows.qpos[:, 0], qpos[:, 0], rows.action, physics.dt)
    return _Outcome(robot.observe(qpos, qvel), reward, robot.fallen(qpos, qvel))


def _step_gymnasium(env_id: str, rows: _Rows) -> _Outcome:
    """One step per row in Gymnasium's environment, each from a cleared simulator."""
    mujoco = import_mujoco()
    env = make_gymnasium(
        env_id,
        lambda reason: (
            f"Gymnasium cannot make {env_id} ({reason}); "
            "`pip install 'gymnasium[mujoco]'` brings what it needs."
        ),
    ).unwrapped
    steps = []
    for qpos, qvel, action in zip(rows.qpos, rows.qvel, rows.action, strict=True):
        mujoco.mj_resetData(env.model, env.data)
        env.set_state(qpos, qvel)
        steps.append(env.step(action)[:3])
    env.close()
    next_obs, reward, terminal = (np.array(column) for column in zip(*steps, strict=True))
    return _Outcome(next_obs, reward, terminal.astype(bool))


def _compare(env_id: str, rows: _Rows, outcome: _Outcome, raw: RawArrays) -> Comparison:
    error = np.abs(outcome.next_obs - rows.next_obs)[rows.paired] / _std(raw.observations)
    terminal = outcome.terminal & ~rows.timeout
    return Comparison(
        env_id=env_id,
        mujoco=import_mujoco().__version__,
        rows=len(rows.obs),
        paired_rows=len(error),
        next_state=quantiles(error.max(axis=1)),
        reward=quantiles(np.abs(outcome.reward - rows.reward)),
        reward_std=float(_std(raw.rewards.reshape(-1, 1))[0]),
        terminal_disagreements=int((terminal != rows.terminal).sum()),
        falls=int((terminal | rows.terminal).sum()),
    )


def _std(columns: np.ndarray) -> np.ndarray:
    """Standard deviation per column over the file's finite rows; 1 where nothing varies."""
    finite = columns[np.isfinite(columns).all(axis=1)]
    std = finite.std(axis=0, dtype=np.float64)
    return np.where(std > 0, std, 1.0)
