"""Datasets simulated from the built-in systems, in under a second and without a download."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toolkit.data.arrays import arrays_sha256
from toolkit.data.dataset import Dataset, Source
from toolkit.data.systems import AbstractSystem, State, advance, make_system
from toolkit.errors import UserError, check_seed
from toolkit.types import Action

EXCITATIONS = ("white", "ornstein-uhlenbeck", "multisine", "zero")

CORRELATION_SECONDS = 0.5
NUM_SINES = 8


def simulate(
    name: str | AbstractSystem,
    *,
    num_episodes: int = 100,
    episode_steps: int = 200,
    excitation: str = "ornstein-uhlenbeck",
    seed: int = 0,
) -> Dataset:
    """Episodes of `episode_steps` transitions each from the system `name`, or from a given one.

    A given system may have other constants than the named ones, such as
    `Pendulum(damping=0.0)`; the history of the data then holds them all.

    Every episode starts from its own random state, is driven by its own excitation and ends in a
    timeout; nothing here is terminal. The same arguments give the same data on one machine.

    Raises:
        UserError: the name or the excitation is unknown, a count is below one, or the seed is
            negative.
    """
    if isinstance(name, AbstractSystem):
        system, name = name, type(name).__name__.lower()
        label = "".join(f"{key} {value:g}, " for key, value in vars(system).items())
    else:
        name, label = f"toolkit/{name.removeprefix('toolkit/')}", ""
        system = make_system(name.removeprefix("toolkit/"))
    if excitation not in EXCITATIONS:
        known = ", ".join(EXCITATIONS)
        raise UserError(f"`excitation` must be one of {known}, got {excitation!r}.")
    for argument, count in [("num_episodes", num_episodes), ("episode_steps", episode_steps)]:
        if count < 1:
            raise UserError(f"`{argument}` must be at least 1, got {count}.")
    check_seed(seed)
    rng = np.random.default_rng(seed)
    bound = np.array(system.start_bound())
    starts = jnp.asarray(rng.uniform(-bound, bound, (num_episodes, len(bound))), jnp.float32)
    action = jnp.asarray(excite(excitation, num_episodes, episode_steps, system.dt, rng))
    obs, reward, next_obs = _episodes(system, starts, action)
    arrays = {
        "observations": np.asarray(obs).reshape(num_episodes * episode_steps, -1),
        "actions": np.asarray(action).reshape(num_episodes * episode_steps, -1),
        "rewards": np.asarray(reward).reshape(-1),
        "next_observations": np.asarray(next_obs).reshape(num_episodes * episode_steps, -1),
    }
    timeout = np.tile(np.arange(episode_steps) == episode_steps - 1, num_episodes)
    label += f"{num_episodes} episodes of {episode_steps} steps, {excitation}, seed {seed}"
    source = Source(name, arrays_sha256(arrays), dt=system.dt).then(f"simulated: {label}")
    return Dataset.from_arrays(**arrays, timeout=timeout, source=source)


@eqx.filter_jit
def _episodes(system: AbstractSystem, starts: Array, actions: Array) -> tuple[Array, Array, Array]:
    """Observations, rewards and successors, each led by (episodes, time)."""

    def episode(start: Array, action: Array) -> tuple[Array, Array, Array]:
        states = roll_out(system, start, action)
        obs = jax.vmap(system.observe)(states)  # (time + 1, obs)
        return obs[:-1], jax.vmap(system.reward)(states[:-1], action), obs[1:]

    return jax.vmap(episode)(starts, actions)


def roll_out(
    system: AbstractSystem, start: State, actions: Float[Array, "time action"]
) -> Float[Array, "time+1 state"]:
    """States under a sequence of actions, the start included."""

    def step(state: State, action: Action) -> tuple[State, State]:
        after = advance(system, state, action)
        return after, after

    later = lax.scan(step, start, actions)[1]
    return jnp.concatenate([start[None], later])


def excite(
    excitation: str,
    num_episodes: int,
    num_steps: int,
    dt: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Actions in [−1, 1], one per `dt` seconds: `(num_episodes, num_steps, 1)`, float32.

    `white` draws each action anew, uniformly. `ornstein-uhlenbeck` is noise with a correlation
    time of half a second and a standard deviation of 0.5, clipped. `multisine` adds eight sines
    with random phases, their frequencies evenly spaced on a logarithmic scale from one period per
    episode to a quarter of the sampling rate. `zero` leaves the system alone.
    """
    if excitation == "white":
        levels = rng.uniform(-1, 1, (num_episodes, num_steps))
    elif excitation == "ornstein-uhlenbeck":
        levels = _ornstein_uhlenbeck(num_episodes, num_steps, dt, rng)
    elif excitation == "multisine":
        levels = _multisine(num_episodes, num_steps, rng)
    else:
        levels = np.zeros((num_episodes, num_steps))
    return levels[:, :, None].astype(np.float32)


def _ornstein_uhlenbeck(
    num_episodes: int, num_steps: int, dt: float, rng: np.random.Generator
) -> np.ndarray:
    keep = np.exp(-dt / CORRELATION_SECONDS)
    shocks = 0.5 * rng.standard_normal((num_steps, num_episodes))
    levels = np.empty_like(shocks)
    level = 0.5 * rng.standard_normal(num_episodes)  # stationary from the first step on
    for step, shock in enumerate(shocks):
        levels[step] = level = keep * level + np.sqrt(1 - keep**2) * shock
    return np.clip(levels.T, -1, 1)


def _multisine(num_episodes: int, num_steps: int, rng: np.random.Generator) -> np.ndarray:
    slowest, fastest = 1 / num_steps, 0.25  # cycles per step
    cycles = np.geomspace(slowest, max(fastest, slowest), NUM_SINES)
    phases = rng.uniform(0, 2 * np.pi, (num_episodes, NUM_SINES))
    angles = 2 * np.pi * np.arange(num_steps)[:, None] * cycles + phases[:, None, :]
    wave = np.sin(angles).sum(2)  # (episodes, time)
    return wave / np.maximum(np.abs(wave).max(1, keepdims=True), 1e-6)
