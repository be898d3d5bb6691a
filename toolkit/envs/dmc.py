"""Tasks of DeepMind Control behind the project's interface: `dmc/cartpole-swingup`."""

from __future__ import annotations

import contextlib
import difflib
import logging
import re
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps
from toolkit.envs.requirements import import_mujoco
from toolkit.envs.task_camera import TaskCamera
from toolkit.errors import UserError

PREFIX = "dmc/"
#: Control steps per action, by domain, as in arXiv:2203.04955 (pixels: arXiv:1811.04551).
ACTION_REPEATS = {"cartpole": 8, "dog": 2, "finger": 2, "humanoid": 2, "walker": 2}
USUAL_REPEAT = 4
_HINT = "install the extra: pip install 'koopman-toolkit[dmc]'"


def import_suite() -> ModuleType:
    """dm_control's suite of tasks.

    Raises:
        UserError: it or MuJoCo is not installed.
    """
    import_mujoco()
    try:
        with _quiet():  # it tries every way to draw, and remarks on each
            from dm_control import suite
    except ImportError as error:
        raise UserError(f"DeepMind Control cannot be imported ({error}); {_HINT}.") from None
    return suite


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without dm_control's remarks on displays that are not there and on old models."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def parse(env_id: str) -> tuple[str, str, int]:
    """Domain, task and action repeat of `dmc/DOMAIN-TASK` or `dmc/DOMAIN-TASK@REPEAT`.

    Raises:
        UserError: the id has another form, or there is no such task.
    """
    found = re.fullmatch(rf"{PREFIX}([a-z_0-9A-Z]+)-([a-z_0-9]+)(?:@([0-9]+))?", env_id)
    if not found:
        raise UserError(
            f"`env` must be {PREFIX}DOMAIN-TASK, such as dmc/cartpole-swingup, with @REPEAT behind "
            f"it for an action repeat of one's own, got {env_id!r}."
        )
    domain, task, repeat = found.groups()
    tasks = [f"{d}-{t}" for d, t in import_suite().ALL_TASKS]
    if f"{domain}-{task}" not in tasks:
        close = difflib.get_close_matches(f"{domain}-{task}", tasks, n=1)
        hint = f"; did you mean {PREFIX}{close[0]}" if close else ""
        raise UserError(f"DeepMind Control has no task {domain}-{task}{hint}.")
    return domain, task, int(repeat or ACTION_REPEATS.get(domain, USUAL_REPEAT))


class DMCEnvs(AbstractEnvs):
    """Copies of one task, stepped one after another, each action held for some control steps.

    Rewards are summed over the control steps of an action. Observations are the task's own, side
    by side, or with an `image_size` the pictures of its first camera. Copy i's episode j starts
    from a state that `seed`, i and j decide.
    """

    def __init__(self, env_id: str, num_envs: int, *, seed: int = 0, image_size: int | None = None):
        """Make and reset the copies.

        Raises:
            UserError: there is no such task, its episodes have no end, the action repeat does not
                divide their length, or pictures are wanted where nothing can draw.
        """
        if num_envs < 1:
            raise UserError(f"`num_envs` must be at least 1, got {num_envs}.")
        domain, task, self.repeat = parse(env_id)
        self.num_envs, self.seed = num_envs, seed
        suite = import_suite()
        with _quiet():
            self._envs = [
                suite.load(domain, task, task_kwargs={"random": 0}) for _ in range(num_envs)
            ]
        first = self._envs[0]
        steps = round(first._step_limit) if np.isfinite(first._step_limit) else 0
        if not steps:
            raise UserError(f"{env_id}: episodes need an end, and those of this task have none.")
        if self.repeat < 1 or steps % self.repeat:
            raise UserError(
                f"{env_id}: the action repeat must divide an episode's {steps} control steps, got "
                f"{self.repeat}."
            )
        actions = first.action_spec()
        self._low, self._high = np.asarray(actions.minimum), np.asarray(actions.maximum)
        model = first.physics.model.ptr
        self._camera = None
        if image_size is not None:
            self._camera = TaskCamera(f"{domain}-{task}", model, image_size)
        self.elapsed, self.episode = np.zeros(num_envs, np.int64), np.full(num_envs, -1, np.int64)
        start = [self._reset(copy) for copy in range(num_envs)]
        self.spec = EnvSpec(
            env_id, start[0].size, int(np.prod(actions.shape)), steps // self.repeat,
            first.control_timestep() * self.repeat, image_size,
        )  # fmt: skip
        self.obs = np.stack(start)

    def _reset(self, copy: int) -> np.ndarray:
        """Begin the copy's next episode."""
        self.episode[copy] += 1
        self.elapsed[copy] = 0
        return self._begin(copy)

    def _begin(self, copy: int) -> np.ndarray:
        env, words = self._envs[copy], [self.seed, copy, int(self.episode[copy])]
        env.task.random.seed(np.random.SeedSequence(words).generate_state(4))
        return self._seen(env, env.reset())

    def _seen(self, env: Any, step: Any) -> np.ndarray:
        """What an agent sees after a step of dm_control: a picture, or the numbers `(obs,)`."""
        if self._camera is None:
            return _flat(step.observation)
        return self._camera.frame(env.physics.model.ptr, env.physics.data.ptr)

    def _advance(self, action: np.ndarray) -> Steps:
        obs, self.obs, n = self.obs, self.obs.copy(), self.num_envs
        next_obs, reward = np.empty_like(obs), np.zeros(n, np.float32)
        terminal, timeout = np.zeros(n, bool), np.zeros(n, bool)
        middle, half = (self._high + self._low) / 2, (self._high - self._low) / 2
        stretched = np.clip(middle + half * action.astype(float), self._low, self._high)
        for copy, env in enumerate(self._envs):
            last, reward[copy] = self._hold(env, stretched[copy])
            next_obs[copy] = self.obs[copy] = self._seen(env, last)
            self.elapsed[copy] += 1
            if last.last():
                terminal[copy] = last.discount == 0.0
                timeout[copy] = not terminal[copy]
                self.obs[copy] = self._reset(copy)
        return Steps(obs, action, reward, next_obs, terminal, timeout)

    def _hold(self, env: Any, action: np.ndarray) -> tuple[Any, float]:
        """Take one action for `repeat` control steps or to the episode's end."""
        from dm_control.rl.control import PhysicsError

        try:
            step = env.step(action)
            total = step.reward
            for _ in range(self.repeat - 1):
                if step.last():
                    break
                step = env.step(action)
                total += step.reward
        except PhysicsError as error:
            raise UserError(f"{self.spec.env_id}: the simulation broke ({error}).") from error
        return step, total

    def snapshot(self) -> Snapshot:
        mujoco, kind = import_mujoco(), self._state_kind()
        physics = []
        for env in self._envs:
            model, data = env.physics.model.ptr, env.physics.data.ptr
            physics.append(np.empty(mujoco.mj_stateSize(model, kind)))
            mujoco.mj_getState(model, data, physics[-1], kind)
        return {
            "obs": self.obs.copy(), "elapsed": self.elapsed.copy(),
            "episode": self.episode.copy(), "physics": np.stack(physics),
        }  # fmt: skip

    def restore(self, snapshot: Snapshot) -> None:
        """See the interface. Each episode is begun again, for what a task draws at its start."""
        shapes = {name: values.shape for name, values in snapshot.items()}
        if shapes != {name: values.shape for name, values in self.snapshot().items()}:
            raise UserError(
                f"The snapshot is not one of {self.num_envs} copies of {self.spec.env_id}."
            )
        mujoco = import_mujoco()
        for name in ("obs", "elapsed", "episode"):
            setattr(self, name, snapshot[name].copy())
        for copy, env in enumerate(self._envs):
            self._begin(copy)
            if self.elapsed[copy]:
                env._step_count = int(self.elapsed[copy]) * self.repeat
                model, data = env.physics.model.ptr, env.physics.data.ptr
                mujoco.mj_setState(model, data, snapshot["physics"][copy], self._state_kind())
                mujoco.mj_step1(model, data)  # as dm_control leaves a state behind a step

    @staticmethod
    def _state_kind() -> Any:
        return import_mujoco().mjtState.mjSTATE_INTEGRATION

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            env.close()


def _flat(observation: Any) -> np.ndarray:
    """The parts of an observation, side by side in their order: `(obs,)` float32."""
    return np.concatenate([np.ravel(part) for part in observation.values()]).astype(np.float32)
