"""Updates of the three agents that learn from pixels, their batches drawn as in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np

from toolkit.bench.products import make_products, products_of
from toolkit.bench.timing import Row, interleaved
from toolkit.envs.interface import EnvSpec, Steps
from toolkit.registry import MODELS
from toolkit.training.experience import learn

NAMES = ("sac-pixels", "spr", "koopman-spr")
REFERENCE = "its matrix products alone"
#: Hyperparameters other than the usual.
OPTIONS: dict[str, Any] = {}
_ACTIONS, _LENGTH, _ROWS = 2, 250, 500  # of ball_in_cup-catch; frames in the replay
_UPDATES = 2  # per measurement, so that the second batch is drawn during the first update


def measure(
    *, batch: int = 128, image_size: int = 84, horizon: int = 5, repetitions: int = 5
) -> list[Row]:
    """Seconds of one update of each agent, the agents taking turns.

    `ratio` compares rates: that of the update with that of its own products, a convolution taken
    as the product of its patches and its kernel, forward and backward. It is no share: patches
    overlap, so that a convolution reads less than such a product and may be faster.
    """
    cases: dict[str, Callable[[], Any]] = {}
    for name in NAMES:
        sizes = {"batch_size": batch, "image_size": image_size, "replay_capacity": _ROWS}
        if name != "sac-pixels":
            sizes["horizon"] = horizon
        run, products = _work(MODELS[name].load()(**sizes | _known(name)))
        cases |= {_case(name): run, f"{name}: {REFERENCE}": make_products(products, _UPDATES)}
    seconds = interleaved(cases, repetitions)
    return [_row(name, seconds) for name in NAMES]


def rate(rows: Sequence[Row], name: str) -> float:
    """How many times the rate of `sac-pixels` an agent has."""
    seconds = {row.case: row.seconds for row in rows}
    return seconds[_case(NAMES[0])] / seconds[_case(name)]


def _case(name: str) -> str:
    return f"pixels/{name}"


def _known(name: str) -> dict[str, Any]:
    fields = MODELS[name].load().__dataclass_fields__
    return {option: value for option, value in OPTIONS.items() if option in fields}


def _row(name: str, seconds: dict[str, np.ndarray]) -> Row:
    time = float(np.median(seconds[_case(name)])) / _UPDATES
    reference = float(np.median(seconds[f"{name}: {REFERENCE}"])) / _UPDATES
    return Row(_case(name), time, REFERENCE, reference, reference / time, len(seconds[_case(name)]))


def _work(agent: Any) -> tuple[Callable[[], Any], Any]:
    """Some updates as the training loop makes them, and the products of one."""
    size = agent.image_size
    spec = EnvSpec("dmc/ball_in_cup-catch", 3 * size * size, _ACTIONS, _LENGTH, None, size)
    state = eqx.filter_jit(agent.init)(spec, key=jr.key(0))
    replay = agent.empty_replay(spec, _ROWS)
    replay.add(_experience(size))

    def update(state: Any, batch: Any) -> Any:
        return agent.update(state, batch, key=jr.key(1))

    batch = agent.sample(replay, key=jr.key(2))
    products = products_of(eqx.filter_make_jaxpr(update)(state, batch)[0])
    return lambda: learn(agent, replay, state, jr.key(3), _UPDATES)[2], products


def _experience(size: int) -> list[Steps]:
    """An episode of coarse tiles in random colours that move, with random actions."""
    rng, one = np.random.default_rng(0), np.ones(1, np.float32)
    tiles = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    large = np.kron(tiles, np.ones((-(-size // 12), -(-size // 12), 1), np.uint8))
    frames = [np.roll(large, step, axis=1)[None, :size, :size] for step in range(_LENGTH + 1)]
    action = rng.uniform(-1, 1, (_LENGTH, 1, _ACTIONS)).astype(np.float32)
    no, last = np.zeros(1, bool), np.ones(1, bool)
    return [
        Steps(frames[t], action[t], one, frames[t + 1], no, last if t == _LENGTH - 1 else no)
        for t in range(_LENGTH)
    ]
