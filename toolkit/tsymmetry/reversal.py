"""Time reversal of known systems: what classical and extended T-symmetry ask of a single step."""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from toolkit.data.simulation import roll_out
from toolkit.data.systems import AbstractSystem, State, advance
from toolkit.types import Action, Scalar


def flip(state: State) -> State:
    """The reversal operator: positions (a state's first half) stay, rates change their sign."""
    half = state.shape[0] // 2
    return jnp.concatenate([state[:half], -state[half:]])


def undo(system: AbstractSystem, state: State, action: Action) -> State:
    """The state `system.dt` seconds earlier, under the action that was held meanwhile."""
    return advance(replace(system, dt=-system.dt), state, action)


@eqx.filter_jit
def there_and_back(
    system: AbstractSystem,
    start: State,
    actions: Float[Array, "time action"],
    *,
    undoing: bool = False,
) -> tuple[Float[Array, "time+1 state"], Float[Array, "time+1 state"]]:
    """The states under these actions, and the states on the way back from the last of them.

    The way back flips the rates, takes the actions in reverse order and flips again; with
    `undoing`, it undoes one step after the other.
    """
    there = roll_out(system, start, actions)
    if not undoing:
        back = roll_out(system, flip(there[-1]), actions[::-1])
        return there, jax.vmap(flip)(back)

    def one(state: State, action: Action) -> tuple[State, State]:
        before = undo(system, state, action)
        return before, before

    return there, jnp.concatenate([there[-1:], lax.scan(one, there[-1], actions[::-1])[1]])


def classical_violation(system: AbstractSystem, state: State, action: Action) -> Scalar:
    """|R·F(R·F(s, a), a) − s|: step, flip, step, flip, and how far that is from the start.

    It is 0 where the same law holds for the film played backwards, as without friction.

    Units: those of the state.
    """
    there = advance(system, state, action)
    back = flip(advance(system, flip(there), action))
    return jnp.linalg.norm(back - state)


def extended_violation(system: AbstractSystem, state: State, action: Action) -> Scalar:
    """|F(s, a) + G(s′, a)|, with F(s, a) = s′ − s and G the change that undoes a step from s′.

    It is 0 wherever a step under the same action can be undone, which friction does not prevent.

    Units:  those of the state.
    Source: arXiv:2306.04220 §3.
    """
    after = advance(system, state, action)
    forward, reverse = after - state, undo(system, after, action) - after
    return jnp.linalg.norm(forward + reverse)
