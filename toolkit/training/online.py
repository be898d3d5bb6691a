"""The online loop: act for a while, update, take over the experience."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int

from toolkit.agents.acting import act, initial_memories, restart_memories
from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.envs.interface import AbstractEnvs, Steps
from toolkit.errors import UserError
from toolkit.training.experience import learn, remember
from toolkit.training.learner import State
from toolkit.training.loop import TrainingDiverged
from toolkit.types import Key

TARGET_UPDATES = 64
"""Updates per compiled call, about: enough that calling costs nothing, few enough that the
experience comes from a fresh policy."""


class OnlineState(eqx.Module):
    """Everything but the simulators that the future of a run depends on.

    `memory` is what the policy carries in each copy of the environment; `returns` and `lengths`
    are those of the episodes in progress; `env_steps` counts the steps of all copies.
    """

    agent: State
    replay: Any
    memory: Any
    returns: Float[Array, " envs"]
    lengths: Int[Array, " envs"]
    env_steps: Int[Array, ""]


@dataclass(frozen=True)
class Round:
    """What happened between two yields: metrics per update, and the episodes that ended."""

    metrics: dict[str, np.ndarray]
    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Schedule:
    """How many steps of all copies, and how many updates, make a round."""

    vector_steps: int
    updates: int

    @classmethod
    def of(cls, agent: AbstractOnlineAgent) -> Schedule:
        """The round closest to `TARGET_UPDATES` updates, of at least one step.

        Raises:
            UserError: the ratio of updates to steps is not one of whole numbers.
        """
        if agent.num_envs < 1:
            raise UserError(f"`num_envs` must be at least 1, got {agent.num_envs}.")
        if not agent.updates_per_step > 0:
            raise UserError(f"`updates_per_step` must be positive, got {agent.updates_per_step}.")
        ratio = agent.num_envs * agent.updates_per_step
        steps = max(1, round(TARGET_UPDATES / ratio))
        updates = round(steps * ratio)
        if updates < 1 or abs(updates - steps * ratio) > 1e-6:
            raise UserError(
                f"`updates_per_step` {agent.updates_per_step:g} times `num_envs` {agent.num_envs} "
                f"makes {steps * ratio:g} updates in {steps} steps, which is not a whole number."
            )
        return cls(steps, updates)


def initial_key(seed: int) -> Key:
    """What an agent's first numbers are drawn from."""
    return jr.fold_in(jr.key(seed), 0)


def init_online(agent: AbstractOnlineAgent, envs: AbstractEnvs, *, seed: int) -> OnlineState:
    """The state before the first step.

    Raises:
        UserError: a hyperparameter is out of range.
    """
    schedule, copies = Schedule.of(agent), envs.num_envs
    state = agent.init(envs.spec, key=initial_key(seed))
    memory = initial_memories(agent.policy(state, explore=True), copies)
    return OnlineState(
        state, agent.empty_replay(envs.spec, schedule.vector_steps * copies), memory,
        jnp.zeros(copies), jnp.zeros(copies, jnp.int32), jnp.zeros((), jnp.int32),
    )  # fmt: skip


def train_online(
    agent: AbstractOnlineAgent,
    state: OnlineState,
    envs: AbstractEnvs,
    *,
    seed: int,
    num_env_steps: int,
) -> Iterator[tuple[OnlineState, Round]]:
    """Train until `num_env_steps` steps of all copies; yield after each round.

    A round acts for some steps of all copies with one policy, updates (in one compiled call where
    the replay lies on the device), and adds the steps to the replay. The first `random_steps`
    steps are uniform in [−1, 1] and without updates. Keys are functions of the seed and of the
    step or update, so a run continued from a saved state and a snapshot of `envs` equals an
    unbroken one, bit for bit, on the same machine with the same number of threads.

    The replay goes from one yielded state to the next, so only the newest is usable.

    Raises:
        TrainingDiverged: a metric stopped being finite; nothing is yielded for that round.
        UserError: an action is not finite, the simulation broke, or the device has too little
            memory.
    """
    schedule = Schedule.of(agent)
    act_root, update_root = (jr.fold_in(jr.key(seed), stream) for stream in (2, 1))
    while int(state.env_steps) < num_env_steps:
        random = int(state.env_steps) < agent.random_steps
        seen, ended, memory = _collect(agent, state, envs, schedule, act_root, random=random)
        learned, replay, metrics = state.agent, state.replay, {}
        if not random:
            learned, replay, metrics = learn(
                agent, replay, state.agent, update_root, schedule.updates
            )
            _check_finite(metrics, int(learned.update_count))
        # Last, so that an interruption of what takes long leaves the yielded state whole.
        state = OnlineState(
            learned, remember(agent, replay, seen), memory,
            jnp.asarray(ended.returns, jnp.float32), jnp.asarray(ended.lengths, jnp.int32),
            jnp.asarray(int(state.env_steps) + schedule.vector_steps * envs.num_envs, jnp.int32),
        )  # fmt: skip
        yield state, Round(metrics, ended.finished_returns, ended.finished_lengths)


class _Episodes:
    """Returns and lengths of the episodes in progress, and of those that ended in this round."""

    def __init__(self, state: OnlineState):
        self.returns, self.lengths = np.array(state.returns), np.array(state.lengths)
        self.finished_returns: list[float] = []
        self.finished_lengths: list[int] = []

    def add(self, steps: Steps) -> None:
        self.returns += steps.reward
        self.lengths += 1
        self.finished_returns += self.returns[steps.ended].tolist()
        self.finished_lengths += self.lengths[steps.ended].tolist()
        self.returns[steps.ended], self.lengths[steps.ended] = 0.0, 0


def _collect(
    agent: AbstractOnlineAgent,
    state: OnlineState,
    envs: AbstractEnvs,
    schedule: Schedule,
    root: Key,
    *,
    random: bool,
) -> tuple[list[Steps], _Episodes, Any]:
    """Act for one round: the steps in the order of time, the episodes, the policy's memories."""
    policy = agent.policy(state.agent, explore=True)
    memory, episodes, collected = state.memory, _Episodes(state), []
    for step in range(schedule.vector_steps):
        key = jr.fold_in(root, int(state.env_steps) + step * envs.num_envs)
        if random:
            action = _uniform_actions(key, envs.num_envs, envs.spec.action_dim)
        else:
            action, memory = act(policy, jnp.asarray(envs.obs), memory, key)
        steps = envs.step(np.asarray(action))
        collected.append(steps)
        episodes.add(steps)
        if steps.ended.any() and memory is not None:
            memory = restart_memories(policy, memory, jnp.asarray(steps.ended))
    return collected, episodes, memory


@eqx.filter_jit
def _uniform_actions(key: Key, copies: int, action_dim: int) -> Float[Array, "envs action"]:
    return jr.uniform(key, (copies, action_dim), minval=-1.0, maxval=1.0)


def _check_finite(metrics: dict[str, np.ndarray], update: int) -> None:
    bad = next((name for name, values in metrics.items() if not np.isfinite(values).all()), None)
    if bad is not None:
        raise TrainingDiverged(
            f"Training stopped before update {update}: metric `{bad}` is not finite; the last "
            "checkpoint is from before. A lower `learning_rate` usually helps."
        )
