"""One training update of every dynamics model, side by side at equal parameter counts."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax

from toolkit.bench.products import flops, products_of
from toolkit.bench.timing import Row, interleaved
from toolkit.data import Dataset, Window
from toolkit.dynamics import AbstractDynamicsLearner, DynamicsState
from toolkit.errors import UserError
from toolkit.nn import num_parameters
from toolkit.registry import MODELS
from toolkit.studies.prediction import MODELS as COMPARED

LENGTHS = (10, 50, 100, 200, 500)
REFERENCE = "a matrix product of the decoder's shape"
OBS_DIM, ACTION_DIM = 17, 6  # of walker2d and halfcheetah, as in Table 3 of the paper
_PRODUCTS = 20


@dataclasses.dataclass(frozen=True)
class Speed:
    """One model at one length. `flops` are those of the matrix products in one update."""

    case: str
    updates_per_second: float
    parameters: int
    share_of_matrix_rate: float
    seconds: float
    matrix_rate: float  # floating-point operations per second
    repetitions: int


def models() -> dict[str, type[AbstractDynamicsLearner]]:
    """The dynamics models that are compared at equal parameter counts, by name."""
    return {name: MODELS[name].load() for name in COMPARED}


def measure(
    lengths: Sequence[int] = LENGTHS,
    *,
    batch: int = 256,
    repetitions: int = 10,
    names: Sequence[str] | None = None,
    on_length: Callable[[list[Speed]], None] = lambda speeds: None,
) -> list[Speed]:
    """Updates per second of each model, taking turns, and the share of the matrix-product rate.

    An update is the whole of it: losses of Eq. 7 at up to 30 steps (`Steps.spread`), gradients,
    Adam; with the consistency term where a model's learner has it by default, which Transformer
    and state-space model do not. All models predict the whole window in one pass
    (`reencode_every` 0), as in Table 3 of arXiv:2306.11941. The rate is that of (batch·10, 512)·
    (512, 256), measured in the same turns; the share counts the products of the update's program.
    """
    found = []
    for length in lengths:
        cases, costs = {REFERENCE: make_product(10 * batch)}, {}
        for name in models():
            if names is None or name in names:
                learner = _whole_window(name, length, batch)
                cases[name], costs[name] = make_update(learner, length, batch)
        seconds = interleaved(cases, repetitions)
        rate = _PRODUCTS * 2 * 10 * batch * 512 * 256 / float(np.median(seconds[REFERENCE]))
        speeds = [
            Speed(
                f"dynamics/{name}/T={length}/B={batch}", 1 / time, costs[name][0],
                costs[name][1] / time / rate, time, rate, repetitions,
            )
            for name in costs
            if (time := float(np.median(seconds[name])))
        ]  # fmt: skip
        on_length(speeds)
        found += speeds
        del cases
        gc.collect()
    return found


def rows(speeds: Sequence[Speed]) -> list[Row]:
    """As rows of a benchmark's JSON: `ratio` is the share of the matrix-product rate."""
    return [
        Row(s.case, s.seconds, REFERENCE, s.seconds * s.share_of_matrix_rate,
            s.share_of_matrix_rate, s.repetitions)
        for s in speeds
    ]  # fmt: skip


def compare_times(
    names: Sequence[str],
    lengths: Sequence[int],
    work: Literal["prediction", "gradient"] = "prediction",
    *,
    batch: int = 64,
    repetitions: int = 5,
) -> dict[str, list[float]]:
    """Seconds that untrained models of equal parameter count take, by name, one per length.

    A prediction decodes every step of the window. A gradient is that of the training loss, with at
    most 30 steps decoded, the forward pass included. Models take turns; times are medians. All
    predict the whole window in one pass, as in Table 3 of arXiv:2306.11941.

    Raises:
        UserError: a name is none of a dynamics model.
    """
    unknown = [name for name in names if name not in models()]
    if unknown:
        raise UserError(f"`names` must be of {', '.join(models())}, got {unknown[0]!r}.")
    make = {"prediction": make_prediction, "gradient": make_gradient}[work]
    times: dict[str, list[float]] = {name: [] for name in names}
    for length in lengths:
        cases = {name: make(_whole_window(name, length, batch), length, batch) for name in names}
        for name, seconds in interleaved(cases, repetitions).items():
            times[name].append(float(np.median(seconds)))
        del cases
        gc.collect()
    return times


def make_prediction(learner: AbstractDynamicsLearner, length: int, batch: int) -> Callable[[], Any]:
    """One compiled prediction of a fixed random batch, every step decoded, rewards too."""
    model, window = _untrained(learner).model, _random_window(length, batch)
    predict = eqx.filter_jit(eqx.filter_vmap(lambda m, o, a: m.predict(o, a), in_axes=(None, 0, 1)))
    return lambda: predict(model, window.obs[0], window.action)


def make_gradient(learner: AbstractDynamicsLearner, length: int, batch: int) -> Callable[[], Any]:
    """Value and gradient of the training loss on a fixed random batch, compiled."""
    model, window = _untrained(learner).model, _random_window(length, batch)
    steps = learner.choose_steps(jr.key(2))
    gradient = eqx.filter_jit(eqx.filter_value_and_grad(learner.loss, has_aux=True))
    return lambda: gradient(model, window, steps)


def _whole_window(name: str, length: int, batch: int) -> AbstractDynamicsLearner:
    """A learner with its usual sizes that predicts the window in one pass."""
    return dataclasses.replace(
        models()[name](), horizon=length, batch_size=batch, reencode_every=0,
        decoded_steps=min(length, 30),
    )  # fmt: skip


def _untrained(learner: AbstractDynamicsLearner) -> DynamicsState:
    data = Dataset.from_arrays(
        np.zeros((2, OBS_DIM)), np.zeros((2, ACTION_DIM)), np.array([0.0, 1.0])
    )
    return learner.init(data, key=jr.key(0))


def _random_window(length: int, batch: int) -> Window:
    keys = jr.split(jr.key(1), 3)
    return Window(
        jr.normal(keys[0], (length + 1, batch, OBS_DIM)),
        jnp.tanh(jr.normal(keys[1], (length, batch, ACTION_DIM))),
        jr.normal(keys[2], (length, batch)),
    )


def make_product(rows: int) -> Callable[[], Any]:
    """A chain of products (rows, 512)·(512, 256) and back, with nothing between them."""
    keys = jr.split(jr.key(0), 3)
    x = jr.normal(keys[0], (rows, 512))
    there, back = jr.normal(keys[1], (512, 256)) / 22.6, jr.normal(keys[2], (256, 512)) / 16.0
    chain = jax.jit(
        lambda x, there, back: lax.fori_loop(0, _PRODUCTS // 2, lambda _, y: (y @ there) @ back, x)
    )
    return lambda: chain(x, there, back)


def make_update(
    learner: AbstractDynamicsLearner, length: int, batch: int
) -> tuple[Callable[[], Any], tuple[int, float]]:
    """One compiled update on a fixed random batch; parameters, and flops of its products."""
    state, window = _untrained(learner), _random_window(length, batch)
    update = eqx.filter_jit(lambda s, w: learner.update(s, w, key=jr.key(2)))
    closed = eqx.filter_make_jaxpr(lambda s, w: learner.update(s, w, key=jr.key(2)))
    jaxpr = closed(state, window)[0]
    return lambda: update(state, window), (num_parameters(state.model), flops(products_of(jaxpr)))
