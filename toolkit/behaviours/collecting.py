"""Acting many episodes at once, and handing them out in the order of their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int

from toolkit.agents.networks import GaussianActor
from toolkit.behaviours.policies import Behaviour
from toolkit.envs.batched import Physics
from toolkit.types import Key

Columns = dict[str, np.ndarray]

COPIES = 64
"""Episodes in progress. A constant, because another batch size rounds the actions differently."""


class Collector:
    """Endless episodes of one policy with one robot.

    Episode e starts from a state and acts with noise that `seed` and e decide. Memory holds the
    episodes in progress, and those that wait for a longer one with a lower number.
    """

    def __init__(self, physics: Physics, behaviour: Behaviour | None, seed: tuple[int, int]):
        self.physics, self.robot, self.seed = physics, physics.robot, seed
        self.actor = behaviour.actor if behaviour else None
        self.root = jr.fold_in(jr.fold_in(jr.key(seed[0]), 3), seed[1])
        self.number = np.arange(COPIES)  # the episode that each copy plays
        self.elapsed = np.zeros(COPIES, np.int32)
        self.qpos = np.empty((COPIES, physics.nq))
        self.qvel = np.empty((COPIES, physics.nv))
        for copy in range(COPIES):
            self._start(copy)
        self.rows: Columns = {}  # (copies, max_episode_steps, …), filled as the episodes go on

    def episodes(self) -> Iterator[Columns]:
        """The rows of episode 0, then of episode 1, and so on."""
        waiting: dict[int, Columns] = {}
        due = 0
        while True:
            for copy in np.flatnonzero(self._step()).tolist():
                number = int(self.number[copy])
                waiting[number] = self._finish(copy)
            while due in waiting:
                yield waiting.pop(due)
                due += 1

    def _step(self) -> np.ndarray:
        """One step of every copy; which episodes ended with it."""
        obs = self.robot.observe(self.qpos, self.qvel).astype(np.float32)
        action, log_prob = map(np.asarray, self._act(obs))
        qpos, qvel = self.physics.step(self.qpos, self.qvel, action)
        fallen = self.robot.fallen(qpos, qvel)
        timeout = ~fallen & (self.elapsed + 1 >= self.robot.max_episode_steps)
        self._record({
            "observations": obs,
            "actions": action,
            "rewards": self.robot.reward(self.qpos[:, 0], qpos[:, 0], action, self.physics.dt)
            .astype(np.float32),
            "next_observations": self.robot.observe(qpos, qvel).astype(np.float32),
            "terminals": fallen,
            "timeouts": timeout,
            "infos/qpos": self.qpos,
            "infos/qvel": self.qvel,
            "infos/action_log_probs": log_prob,
        })  # fmt: skip
        self.qpos, self.qvel = qpos.copy(), qvel.copy()
        self.elapsed += 1
        return fallen | timeout

    def _act(self, obs: np.ndarray) -> tuple[Array, Array]:
        number, step = jnp.asarray(self.number, jnp.int32), jnp.asarray(self.elapsed)
        if self.actor is None:
            return _uniform(self.physics.nu, self.root, number, step)
        return _sample(self.actor, jnp.asarray(obs), self.root, number, step)

    def _record(self, columns: Columns) -> None:
        if not self.rows:
            shape = (COPIES, self.robot.max_episode_steps)
            self.rows = {k: np.empty((*shape, *v.shape[1:]), v.dtype) for k, v in columns.items()}
        for key, values in columns.items():
            self.rows[key][np.arange(COPIES), self.elapsed] = values

    def _finish(self, copy: int) -> Columns:
        """The rows of a copy's episode; the copy begins the next one that nobody plays."""
        rows = {k: values[copy, : self.elapsed[copy]].copy() for k, values in self.rows.items()}
        self.number[copy] = self.number.max() + 1
        self._start(copy)
        return rows

    def _start(self, copy: int) -> None:
        rng = np.random.default_rng([*self.seed, int(self.number[copy])])
        self.qpos[copy], self.qvel[copy] = self.robot.reset(self.physics.model, rng)
        self.elapsed[copy] = 0


def _keys(root: Key, number: Int[Array, " copies"], step: Int[Array, " copies"]) -> Array:
    return jax.vmap(lambda n, t: jr.fold_in(jr.fold_in(root, n), t))(number, step)


@eqx.filter_jit
def _sample(
    actor: GaussianActor,
    obs: Float[Array, "copies obs"],
    root: Key,
    number: Int[Array, " copies"],
    step: Int[Array, " copies"],
) -> tuple[Float[Array, "copies action"], Float[Array, " copies"]]:
    keys = _keys(root, number, step)
    return jax.vmap(lambda o, k: actor(o).sample_with_log_prob(key=k))(obs, keys)


@eqx.filter_jit
def _uniform(
    action_dim: int, root: Key, number: Int[Array, " copies"], step: Int[Array, " copies"]
) -> tuple[Float[Array, "copies action"], Float[Array, " copies"]]:
    keys = _keys(root, number, step)
    action = jax.vmap(lambda k: jr.uniform(k, (action_dim,), minval=-1.0, maxval=1.0))(keys)
    return action, jnp.full(len(keys), -action_dim * math.log(2.0), jnp.float32)
