"""An agent's updates against the machine's own matrix products of the same shapes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array

from toolkit.agents.sac import SAC
from toolkit.bench.timing import Row, interleaved, rows
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.training.loop import scan_updates

REFERENCE = "the update's matrix products alone"
UPDATES = 50
SPECS = {
    "hopper": EnvSpec("Hopper-v4", 11, 3, 1000),
    "halfcheetah": EnvSpec("HalfCheetah-v4", 17, 6, 1000),
}


def measure(
    *, repetitions: int = 20, agent: SAC | None = None, on_rows: Callable[[list[Row]], None]
) -> list[Row]:
    """SAC's compiled updates, replay included. `ratio` is the share of the matrix-product rate
    that is reached: the time of the products alone over the time of everything.

    The products are those that the update cannot do without: forward, and backward where a
    gradient flows.
    """
    agent, measured = agent or SAC(), []
    for name, spec in SPECS.items():
        case = f"agents/sac/{name}/seeds=1"
        update, products = make_update(agent, spec), make_products(agent, spec)
        found = rows(interleaved({REFERENCE: products, case: update}, repetitions), REFERENCE)
        found = [_as_share(row) for row in found]
        on_rows(found)
        measured += found
    return measured


def _as_share(row: Row) -> Row:
    per_update = row.seconds / UPDATES
    return Row(
        row.case, per_update, row.reference, row.reference_seconds / UPDATES, 1 / row.ratio,
        row.repetitions,
    )  # fmt: skip


def make_update(agent: SAC, spec: EnvSpec) -> Callable[[], Any]:
    """`UPDATES` updates in one compiled call, with batches from a filled replay."""
    state = agent.init(spec, key=jr.key(0))
    keys = jr.split(jr.key(1), 4)
    count = 20_000
    experience = Transitions(
        jr.normal(keys[0], (count, spec.obs_dim)),
        jnp.tanh(jr.normal(keys[1], (count, spec.action_dim))),
        jr.normal(keys[2], (count,)),
        jr.normal(keys[3], (count, spec.obs_dim)),
        jnp.zeros(count, bool),
    )
    replay = agent.empty_replay(spec, count).add(experience)

    @eqx.filter_jit
    def update(state: Any, replay: Any) -> Any:
        return scan_updates(agent, replay, state, jr.key(2), UPDATES)[0]

    return lambda: update(state, replay)


def product_shapes(agent: SAC, spec: EnvSpec) -> list[tuple[int, int, int, int]]:
    """`(times, rows, inner, columns)` of every matrix product in one update.

    Actor: forward at s', and forward and backward (weights; inputs but of the first layer) at s.
    Critics, two each: forward at s' (targets), forward and backward at (s, a), and for the
    actor's loss forward and backward to the inputs, without weights.
    """
    batch, obs, action = agent.batch_size, spec.obs_dim, spec.action_dim
    actor = _layers(obs, 2 * action, agent)
    critic = _layers(obs + action, 1, agent)
    shapes = []
    for number, (i, o) in enumerate(actor):
        shapes += [(2, batch, i, o), (1, i, batch, o)]
        if number:
            shapes.append((1, batch, o, i))
    for number, (i, o) in enumerate(critic):
        shapes += [(2 * 3, batch, i, o), (2 * 1, i, batch, o)]
        shapes.append((2 * (2 if number else 1), batch, o, i))
    return shapes


def _layers(inputs: int, outputs: int, agent: SAC) -> list[tuple[int, int]]:
    sizes = [inputs, *[agent.hidden] * agent.layers, outputs]
    return list(itertools.pairwise(sizes))


def make_products(agent: SAC, spec: EnvSpec) -> Callable[[], Any]:
    """As many matrix products of each shape as `UPDATES` updates have, and nothing else.

    Products of one shape follow each other, (m, k)·(k, n) and (m, n)·(n, k) in turn, each the
    next one's operand, so that none can be left out and nothing is copied between them.
    """
    shapes = product_shapes(agent, spec)
    scale = lambda inner: inner**-0.5  # keeps the chain near its size
    operands = [
        (
            jr.normal(jr.key(0), (m, k)),
            scale(k) * jr.normal(jr.key(1), (k, n)),
            scale(n) * jr.normal(jr.key(2), (n, k)),
        )
        for _, m, k, n in shapes
    ]

    @jax.jit
    def products(operands: list[tuple[Array, Array, Array]]) -> list[Array]:
        return [
            lax.fori_loop(0, times * UPDATES // 2, lambda _, x, b=b, c=c: (x @ b) @ c, a)
            for (times, *_), (a, b, c) in zip(shapes, operands, strict=True)
        ]

    return lambda: products(operands)
