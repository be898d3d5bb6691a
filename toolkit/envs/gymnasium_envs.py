"""Any Gymnasium environment with vectors for observations and actions, several copies at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps
from toolkit.envs.requirements import import_mujoco, make_gymnasium
from toolkit.errors import UserError

_WITHOUT_STATE = ("OrderEnforcing", "PassiveEnvChecker")  # wrappers that a step changes nothing in
_MUJOCO, _CLASSIC = "gymnasium.envs.mujoco.", "gymnasium.envs.classic_control."
_READ_BEFORE_A_STEP = ("xpos", "xipos")  # rewards need where bodies were, which lags behind `qpos`


class GymnasiumEnvs(AbstractEnvs):
    """Copies of a Gymnasium environment, stepped one after another.

    Copy i is first reset with a seed that `seed` and i decide, and later without one. Actions in
    [−1, 1] are stretched to the environment's bounds, those beyond are cut.
    """

    def __init__(self, env_id: str, num_envs: int, *, seed: int = 0):
        """Make and reset the copies.

        Raises:
            UserError: Gymnasium does not know the environment or cannot make it, its observations
                or actions are not vectors, its actions have no bounds or its episodes no end.
        """
        if num_envs < 1:
            raise UserError(f"`num_envs` must be at least 1, got {num_envs}.")
        self.num_envs, self._envs = num_envs, []
        refusal = lambda reason: f"{env_id}: Gymnasium cannot make this ({reason})."
        try:
            for _ in range(num_envs):
                self._envs.append(make_gymnasium(env_id, refusal, disable_env_checker=True))
            self.spec = _spec(env_id, self._envs[0])
            low, high = (
                np.asarray(getattr(self._envs[0].action_space, bound), float)
                for bound in ("low", "high")
            )
            self._middle, self._half, self._bounds = (high + low) / 2, (high - low) / 2, (low, high)
            self.obs = np.empty((num_envs, self.spec.obs_dim), np.float32)
            for copy in range(num_envs):
                self._reset(copy, int(np.random.SeedSequence([seed, copy]).generate_state(1)[0]))
        except BaseException:
            self.close()
            raise

    def _reset(self, copy: int, seed: int | None = None) -> None:
        try:
            self.obs[copy], _ = self._envs[copy].reset(seed=seed)
        except Exception as error:
            raise self._broken(copy, "resetting", error) from error

    def _advance(self, action: np.ndarray) -> Steps:
        obs, self.obs, n = self.obs, self.obs.copy(), self.num_envs
        next_obs, reward = np.empty_like(obs), np.empty(n, np.float32)
        terminal, truncated = np.empty(n, bool), np.empty(n, bool)
        stretched = np.clip(self._middle + self._half * action.astype(float), *self._bounds)
        for copy, env in enumerate(self._envs):
            own = stretched[copy].astype(env.action_space.dtype)
            try:
                next_obs[copy], reward[copy], terminal[copy], truncated[copy], _ = env.step(own)
            except Exception as error:
                raise self._broken(copy, "stepping", error) from error
            self.obs[copy] = next_obs[copy]
            if terminal[copy] or truncated[copy]:
                self._reset(copy)
        return Steps(obs, action, reward, next_obs, terminal, truncated & ~terminal)

    def _broken(self, copy: int, doing: str, error: Exception) -> UserError:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
        return UserError(f"{self.spec.env_id}: {doing} copy {copy} failed ({reason}).")

    @property
    def restorable(self) -> bool:
        """See the interface. True for Gymnasium's own MuJoCo and classic-control environments."""
        return all(map(_is_known, self._envs))

    def snapshot(self) -> Snapshot:
        """See the interface.

        Raises:
            UserError: this environment's state cannot be saved.
        """
        if not self.restorable:
            raise UserError(
                f"{self.spec.env_id}: the state of this environment cannot be saved, so training "
                "works and resuming does not."
            )
        found = {"obs": self.obs.copy()}
        for copy, env in enumerate(self._envs):
            found |= {f"{copy}/{name}": values for name, values in _state(env).items()}
        return found

    def restore(self, snapshot: Snapshot) -> None:
        """See the interface.

        Raises:
            UserError: the snapshot is of other environments or another number of copies.
        """
        current = self.snapshot()
        if {key: values.shape for key, values in snapshot.items()} != {
            key: values.shape for key, values in current.items()
        }:
            raise UserError(
                f"The snapshot is not one of {self.num_envs} copies of {self.spec.env_id}."
            )
        self.obs = snapshot["obs"].copy()
        for copy, env in enumerate(self._envs):
            _restore(env, {
                key.split("/", 1)[1]: values for key, values in snapshot.items()
                if key.startswith(f"{copy}/")
            })  # fmt: skip

    def close(self) -> None:
        """Close every copy."""
        for env in self._envs:
            env.close()


def _spec(env_id: str, env: Any) -> EnvSpec:
    sizes = {}
    for name in ("observation", "action"):
        space = getattr(env, f"{name}_space")
        if type(space).__name__ != "Box" or len(space.shape) != 1:
            raise UserError(f"{env_id}: an {name} must be a vector (a Box of one axis), "
                            f"found {space}.")  # fmt: skip
        sizes[name] = int(space.shape[0])
    if not env.action_space.is_bounded():
        raise UserError(f"{env_id}: actions need finite bounds, found {env.action_space}.")
    limit = env.spec.max_episode_steps
    if limit is None:
        raise UserError(f"{env_id}: episodes need a limit of steps; register the environment with "
                        "`max_episode_steps`.")  # fmt: skip
    dt, rate = getattr(env.unwrapped, "dt", None), env.metadata.get("render_fps")
    if dt is None and rate:
        dt = 1 / rate
    return EnvSpec(
        env_id, sizes["observation"], sizes["action"], limit, None if dt is None else float(dt)
    )


def _layers(env: Any) -> Iterator[Any]:
    """The wrappers, outermost first, without the environment within."""
    while env is not env.unwrapped:
        yield env
        env = env.env


def _is_known(env: Any) -> bool:
    """Whether what `_state` reads is all that decides what this environment does next."""
    simulator = env.unwrapped
    home = type(simulator).__module__
    if not home.startswith((_MUJOCO, _CLASSIC)):
        return False
    wrappers = [type(layer).__name__ for layer in _layers(env)]
    return (
        [name for name in wrappers if name not in _WITHOUT_STATE] == ["TimeLimit"]
        and isinstance(simulator.np_random.bit_generator, np.random.PCG64)
        and (home.startswith(_MUJOCO) or getattr(simulator, "state", None) is not None)
    )


def _state(env: Any) -> Snapshot:
    simulator = env.unwrapped
    limit = next(layer for layer in _layers(env) if type(layer).__name__ == "TimeLimit")
    common = {
        "elapsed": np.array(limit._elapsed_steps),
        "rng": _to_words(simulator.np_random.bit_generator),
    }
    if type(simulator).__module__.startswith(_MUJOCO):
        return common | _simulator_state(simulator)
    return common | _state_array(simulator.state)


def _state_array(state: Any) -> Snapshot:
    """A state of always the same type, and which it had: some begin double and go on single."""
    state = np.asarray(state)
    return {"state": state.astype(np.float64), "state_bytes": np.array(state.itemsize)}


def _simulator_state(simulator: Any) -> Snapshot:
    mujoco = import_mujoco()
    model, data, kind = simulator.model, simulator.data, mujoco.mjtState.mjSTATE_INTEGRATION
    physics = np.empty(mujoco.mj_stateSize(model, kind))
    mujoco.mj_getState(model, data, physics, kind)
    lagging = {name: getattr(data, name).copy() for name in _READ_BEFORE_A_STEP}
    return {"physics": physics, **lagging}


def _restore(env: Any, saved: Snapshot) -> None:
    simulator = env.unwrapped
    for layer in _layers(env):
        if type(layer).__name__ == "TimeLimit":
            layer._elapsed_steps = int(saved["elapsed"])
    _from_words(simulator.np_random.bit_generator, saved["rng"])
    if "state" in saved:
        single = saved["state_bytes"] == 4
        simulator.state = saved["state"].astype(np.float32 if single else np.float64)
        return
    mujoco = import_mujoco()
    mujoco.mj_setState(
        simulator.model, simulator.data, saved["physics"], mujoco.mjtState.mjSTATE_INTEGRATION
    )
    for name in _READ_BEFORE_A_STEP:
        getattr(simulator.data, name)[:] = saved[name]


_WORD = 1 << 64


def _to_words(generator: np.random.PCG64) -> np.ndarray:
    """A generator's state as six 64-bit words."""
    state: Any = generator.state
    state, increment, rest = (
        state["state"]["state"], state["state"]["inc"], (state["has_uint32"], state["uinteger"]),
    )  # fmt: skip
    return np.array([*divmod(state, _WORD), *divmod(increment, _WORD), *rest], np.uint64)


def _from_words(generator: np.random.PCG64, words: np.ndarray) -> None:
    high, low, increment_high, increment_low, has_half, half = map(int, words)
    generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high * _WORD + low, "inc": increment_high * _WORD + increment_low},
        "has_uint32": has_half,
        "uinteger": half,
    }
