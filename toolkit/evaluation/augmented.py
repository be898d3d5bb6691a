"""Augmented transitions held against the simulator: is what an augmentation says true?

States are normalised, as agents see them; errors are root mean squares over coordinates, in
standard deviations of the data.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toolkit.agents.augmentation import AbstractAugmentation, Accepted
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.envs.poses import robot_of
from toolkit.envs.replaying import replay
from toolkit.envs.robots import Robot
from toolkit.tsymmetry import TDM, Latent, published_terms, symmetry_violation
from toolkit.types import Key

Errors = Float[np.ndarray, " rows"]
AnyStates = Float[Array, "rows obs"] | Float[np.ndarray, "rows obs"]


@eqx.filter_jit
def in_latent(model: TDM, batch: Transitions) -> Transitions:
    """Transitions as a latent augmentation gets them: φ_s(s, a), φ_a(s, a) and φ_s(s′, a).

    The next state is encoded with the *current* action, as the TDM is trained; an agent encodes
    it with its own next action.
    """
    here = jax.vmap(model.encode)(batch.obs, batch.action)
    after = jax.vmap(model.encode)(batch.next_obs, batch.action)
    return Transitions(here.state, here.action, batch.reward, after.state, batch.terminal)


@eqx.filter_jit
def decoded(model: TDM, latent: Transitions) -> Transitions:
    """The states and actions that latent transitions speak of."""
    state, action = jax.vmap(model.decode_state), jax.vmap(model.decode_action)
    return Transitions(
        state(latent.obs), action(latent.action), latent.reward, state(latent.next_obs),
        latent.terminal,
    )  # fmt: skip


@eqx.filter_jit
def violations(model: TDM, latent: Transitions) -> Float[Array, " batch"]:
    """ℓ_Tsym (arXiv:2306.04220 Eq. 7) of each latent transition's start."""
    points = jax.vmap(Latent)(latent.obs, latent.action)
    return jax.vmap(lambda point: symmetry_violation(model, point))(points)


@eqx.filter_jit
def published_violations(model: TDM, batch: Transitions) -> Float[Array, " batch"]:
    """|z_s′ + g(z_s + f, z_a) − z_s|² of recorded transitions, encoded states in place of Eq. 7.

    The code published with arXiv:2306.04220 takes its threshold from these.
    """
    return jax.vmap(lambda s, a, s2: published_terms(model, s, a, s2).symmetry)(
        batch.obs, batch.action, batch.next_obs
    )


@eqx.filter_jit
def augmented(
    augmentation: AbstractAugmentation, batch: Transitions, key: Key
) -> tuple[Transitions, Accepted]:
    """What the augmentation makes of a batch, compiled."""
    return augmentation(batch, key=key)


def true_next_obs(
    robot: Robot | str, normaliser: Normaliser, batch: Transitions
) -> Float[np.ndarray, "rows obs"]:
    """The state in which MuJoCo ends one step later, from each state and action of a batch.

    Actions are clipped to [−1, 1], as the robot's motors do.

    Raises:
        UserError: the robot is unknown, a shape is not its own, or MuJoCo is not installed.
    """
    mean, std = (np.asarray(x, float) for x in (normaliser.mean, normaliser.std))
    start = np.asarray(batch.obs, float) * std + mean
    action = np.clip(np.asarray(batch.action, float), -1, 1)
    return (replay(robot, start, action[None])[:, 1] - mean) / std


def true_errors(robot: Robot | str, normaliser: Normaliser, batch: Transitions) -> Errors:
    """How far each transition's `next_obs` is from what MuJoCo does from its state and action.

    Raises:
        UserError: the robot is unknown, a shape is not its own, or MuJoCo is not installed.
    """
    return distances(batch.next_obs, true_next_obs(robot, normaliser, batch))


def distances(states: AnyStates, others: AnyStates) -> Errors:
    """Root mean square over coordinates of the difference of two sets of states, row by row."""
    apart = np.asarray(states) - np.asarray(others)
    return np.sqrt(np.mean(np.square(apart), axis=1))


def whole_states(robot: Robot | str, normaliser: Normaliser, batch: Transitions) -> np.ndarray:
    """Which rows' observations hold the whole state: none of their velocities was clipped.

    Shapes: `(rows,)` booleans.
    """
    limit = robot_of(robot).velocity_limit
    if limit is None:
        return np.ones(len(batch.obs), bool)
    raw = np.asarray(normaliser.denormalise(jnp.asarray(batch.obs)))
    positions = raw.shape[1] // 2  # all joint positions but x, and all velocities
    return np.asarray((np.abs(raw[:, positions:]) < limit * (1 - 1e-4)).all(axis=1))
