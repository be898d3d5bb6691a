"""Learning from experience and remembering more of it, wherever the replay lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jaxtyping import Array

from toolkit.agents.host_replay import AbstractHostReplay
from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import Steps
from toolkit.errors import UserError
from toolkit.training.learner import Batch, Metrics, State
from toolkit.training.loop import scan_updates
from toolkit.types import Key


def learn(
    agent: AbstractOnlineAgent, replay: Any, state: State, root: Key, length: int
) -> tuple[State, Any, dict[str, np.ndarray]]:
    """`length` updates: the state after them, the replay with its priorities, and the metrics.

    Raises:
        UserError: the device ran out of memory in an update from the host's replay.
    """
    if isinstance(replay, AbstractHostReplay):
        learned, metrics = _updates_from_host(agent, replay, state, root, length)
        return learned, replay, metrics
    learned, priorities, metrics = _updates(agent, replay, state, root, length)
    if priorities is not None:
        replay = eqx.tree_at(agent.priorities, replay, priorities)
    return learned, replay, {name: np.asarray(values) for name, values in metrics.items()}


def remember(agent: AbstractOnlineAgent, replay: Any, collected: Sequence[Steps]) -> Any:
    """The replay with new experience, in the old one's memory."""
    if isinstance(replay, AbstractHostReplay):
        replay.add(collected)
        return replay
    arrays, static = eqx.partition(replay, eqx.is_array)
    return eqx.combine(_observe_in_place((agent, static, _join(collected)), arrays), static)


def _join(collected: Sequence[Steps]) -> Transitions:
    """Steps of all copies, `(steps · envs, …)`, copies innermost."""
    names = ("obs", "action", "reward", "next_obs", "terminal")
    columns = (np.concatenate([getattr(steps, name) for steps in collected]) for name in names)
    return Transitions(*map(jnp.asarray, columns))


@eqx.filter_jit(donate="all-except-first")
def _observe_in_place(given: tuple[AbstractOnlineAgent, Any, Transitions], arrays: Any) -> Any:
    agent, static, steps = given
    return eqx.filter(agent.observe(eqx.combine(arrays, static), steps), eqx.is_array)


@eqx.filter_jit
def _updates(
    agent: AbstractOnlineAgent, replay: Any, state: State, root: Key, length: int
) -> tuple[State, Any, dict[str, Array]]:
    """`scan_updates`, in which each update may change the replay's priorities: the state after
    them, the priorities if there are any, and the metrics.

    Only the priorities travel through the loop, because XLA copies what does.
    """
    first = agent.priorities(replay)
    if first is None:
        learned, metrics = scan_updates(agent, replay, state, root, length)
        return learned, None, metrics
    arrays, static = eqx.partition(state, eqx.is_array)

    def body(carry: tuple[Any, Any], _: None):
        state = eqx.combine(carry[0], static)
        current = eqx.tree_at(agent.priorities, replay, carry[1])
        sample_key, update_key = jr.split(jr.fold_in(root, state.update_count))
        batch = agent.sample(current, key=sample_key)
        state, metrics = agent.update(state, batch, key=update_key)
        priorities = agent.reprioritise(current, batch, state)
        return (eqx.filter(state, eqx.is_array), priorities), metrics

    (arrays, priorities), metrics = lax.scan(body, (arrays, first), length=length)
    return eqx.combine(arrays, static), priorities, metrics


def _updates_from_host(
    agent: AbstractOnlineAgent, replay: AbstractHostReplay, state: State, root: Key, length: int
) -> tuple[State, dict[str, np.ndarray]]:
    """One compiled call per update, with the keys that `scan_updates` would use.

    Calls return before their work is done, so the next batch is drawn while the device computes.
    """
    first, metrics = int(state.update_count), []
    try:
        for number in range(first, first + length):
            sample_key, update_key = jr.split(jr.fold_in(root, number))
            batch = agent.sample(replay, key=sample_key)
            state, numbers = update_once(agent, state, batch, update_key)
            metrics.append(numbers)
        found = {name: np.stack([m[name] for m in metrics]) for name in metrics[0]}
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error) and "out of memory" not in str(error).lower():
            raise
        raise UserError(
            f"The device ran out of memory in an update: {agent.remedy_for_memory()}."
        ) from None
    return state, found


@eqx.filter_jit
def update_once(
    agent: AbstractOnlineAgent, state: State, batch: Batch, key: Key
) -> tuple[State, Metrics]:
    """One update, compiled."""
    return agent.update(state, batch, key=key)
