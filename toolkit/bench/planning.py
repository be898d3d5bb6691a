"""Decisions and updates of TD-MPC with both dynamics, side by side at equal horizons."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.agents.tdmpc import AbstractTDMPC
from toolkit.bench.products import make_products, products_of
from toolkit.bench.timing import Row, interleaved
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.registry import MODELS

HORIZONS = (5, 20)
NAMES = ("tdmpc", "koopman-tdmpc")
REFERENCE = "its matrix products alone"
SPEC = EnvSpec("dmc/cheetah-run", 17, 6, 250)
#: Hyperparameters other than the usual.
OPTIONS: dict[str, Any] = {}
_ROWS = 4096


def measure(
    horizons: Sequence[int] = HORIZONS,
    *,
    batch: int = 512,
    decoded_steps: int = 0,
    repetitions: int = 10,
    on_horizon: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Seconds of one decision and of one update, at the sizes of cheetah-run.

    A decision is the whole of acting in one environment: encoding, proposals, every iteration of
    the planner, at the full horizon. An update draws its batch and has both optimisers in it, and
    computes the losses of `decoded_steps` of its steps for both agents, 0: of all. Both dynamics
    take turns; `ratio` is the share of the matrix-product rate, for the products that the case
    itself makes.

    Raises:
        UserError: `decoded_steps` is beyond a horizon.
    """
    found = []
    for horizon in horizons:
        cases: dict[str, Callable[[], Any]] = {}
        for name in NAMES:
            agent = MODELS[name].load()(
                **{"horizon": horizon, "batch_size": batch, "replay_capacity": _ROWS} | OPTIONS,
                plan_horizon=horizon,
                decoded_steps=decoded_steps,
            )
            for work, (run, products) in _works(agent).items():
                case = f"planning/{name}/{work}/H={horizon}"
                if decoded_steps and work == "update":
                    case += f"/losses of {decoded_steps}"
                cases |= {case: run, f"{case}: {REFERENCE}": make_products(products, 2)}
        seconds = interleaved(cases, repetitions)
        rows = [_row(case, seconds) for case in cases if not case.endswith(REFERENCE)]
        on_horizon(rows)
        found += rows
        del cases
        gc.collect()
    return found


def ratio(rows: Sequence[Row], work: str) -> float:
    """How many times TOLD's rate Koopman dynamics have, at one horizon."""
    told, koopman = (
        next(row.seconds for row in rows if row.case.startswith(f"planning/{name}/{work}/"))
        for name in NAMES
    )
    return told / koopman


def _row(case: str, seconds: dict[str, np.ndarray]) -> Row:
    time = float(np.median(seconds[case]))
    reference = float(np.median(seconds[f"{case}: {REFERENCE}"])) / 2  # of two programs
    return Row(case, time, REFERENCE, reference, reference / time, len(seconds[case]))


def _works(agent: AbstractTDMPC) -> dict[str, tuple[Callable[[], Any], Any]]:
    """A decision and an update, each compiled and with the products that it makes."""
    state = agent.init(SPEC, key=jr.key(0))
    trained = eqx.tree_at(lambda s: s.update_count, state, jnp.asarray(10**6))
    policy, obs = agent.policy(trained, explore=True), jnp.linspace(-1.0, 1.0, SPEC.obs_dim)
    replay = agent.observe(agent.empty_replay(SPEC, _ROWS), _experience())

    def decide(policy: Any, obs: Any) -> Any:
        return policy(obs, policy.memory(), key=jr.key(1))

    def update(state: Any, replay: Any) -> Any:
        return agent.update(state, agent.sample(replay, key=jr.key(2)), key=jr.key(3))

    made = {}
    for name, work, given in [
        ("decision", decide, (policy, obs)),
        ("update", update, (state, replay)),
    ]:
        products = products_of(eqx.filter_make_jaxpr(work)(*given)[0])
        compiled = eqx.filter_jit(work)
        made[name] = (lambda run=compiled, given=given: run(*given)), products
    return made


def _experience() -> Transitions:
    """Random transitions, in which every row goes on in the next."""
    keys = jr.split(jr.key(4), 3)
    obs = jr.normal(keys[0], (_ROWS + 1, SPEC.obs_dim))
    action = jnp.tanh(jr.normal(keys[1], (_ROWS, SPEC.action_dim)))
    reward = jr.normal(keys[2], (_ROWS,))
    return Transitions(obs[:-1], action, reward, obs[1:], jnp.zeros(_ROWS, bool))
