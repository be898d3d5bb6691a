"""A point on a line, and an agent whose policy remembers: small enough to follow by hand."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from toolkit.agents.interface import AbstractOnlineAgent, AbstractPolicy
from toolkit.agents.replay import Replay
from toolkit.data import Transitions
from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps
from toolkit.types import Action, Key, Obs

LIMIT = 5


class Line(AbstractEnvs):
    """x' = x + a; beyond ±1.5 it has fallen, after `LIMIT` steps the time is up; starts at 0."""

    def __init__(self, num_envs: int):
        self.spec, self.num_envs = EnvSpec("Line-v0", 1, 1, LIMIT), num_envs
        self.obs, self.elapsed = np.zeros((num_envs, 1), np.float32), np.zeros(num_envs, int)

    def _advance(self, action: np.ndarray) -> Steps:
        obs, after = self.obs.copy(), self.obs + action
        self.elapsed += 1
        terminal = np.abs(after[:, 0]) > 1.5
        timeout = ~terminal & (self.elapsed >= LIMIT)
        ended = terminal | timeout
        self.obs = np.where(ended[:, None], 0, after).astype(np.float32)
        self.elapsed[ended] = 0
        return Steps(obs, action, after[:, 0].copy(), after, terminal, timeout)

    def snapshot(self) -> Snapshot:
        return {"obs": self.obs.copy(), "elapsed": self.elapsed.copy()}

    def restore(self, snapshot: Snapshot) -> None:
        self.obs, self.elapsed = snapshot["obs"].copy(), snapshot["elapsed"].copy()


class Counting(AbstractPolicy):
    """Its action is a tenth of the number of steps since the episode began."""

    def memory(self) -> Any:
        return jnp.zeros(())

    def __call__(self, obs: Obs, memory: Any, *, key: Key) -> tuple[Action, Any]:
        return jnp.full(1, 0.1 * memory), memory + 1


class CounterState(eqx.Module):
    """The number of updates, and the sum of all rewards seen in them."""

    total: Float[Array, ""]
    update_count: Int[Array, ""]


class Counter(AbstractOnlineAgent):
    """Adds up rewards; `breaks_at` is the update whose metric is not finite."""

    num_envs: int = 2
    updates_per_step: float = 1.0
    random_steps: int = 1
    breaks_at: int = -1

    def init(self, spec: EnvSpec, *, key: Key) -> CounterState:
        return CounterState(jnp.zeros(()), jnp.zeros((), jnp.int32))

    def empty_replay(self, spec: EnvSpec, batch: int) -> Replay:
        return Replay.empty(4 * batch, spec.obs_dim, spec.action_dim)

    def policy(self, state: CounterState, *, explore: bool) -> Counting:
        return Counting()

    def observe(self, replay: Replay, steps: Transitions) -> Replay:
        return replay.add(steps)

    def sample(self, replay: Replay, *, key: Key) -> Transitions:
        return replay.sample(4, key=key)

    def update(self, state: CounterState, batch: Transitions, *, key: Key):
        total = state.total + batch.reward.sum()
        metric = jnp.where(state.update_count == self.breaks_at, jnp.nan, total)
        return CounterState(total, state.update_count + 1), {"total": metric}
