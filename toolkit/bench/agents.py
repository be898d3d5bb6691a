"""Updates of agents and of representations against the machine's own matrix products."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.bench import pixels
from toolkit.bench.products import make_products, products_of
from toolkit.bench.timing import Row, interleaved
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.registry import MODELS
from toolkit.training.config import hyperparameters_of
from toolkit.training.loop import advance, init_states, scan_updates
from toolkit.tsymmetry import TDM, Latent
from toolkit.tsymmetry.learner import TDMLearner
from toolkit.types import Action, Key, Obs

REFERENCE = "the update's matrix products alone"
UPDATES = 50
SPECS = {
    "hopper": EnvSpec("Hopper-v4", 11, 3, 1000),
    "halfcheetah": EnvSpec("HalfCheetah-v4", 17, 6, 1000),
}
TDM_UPDATES = 10
#: Hyperparameters other than the usual.
OPTIONS: dict[str, Any] = {}
#: Rows of the random data that batches are drawn from.
ROWS = 10_000


def names(kind: str) -> list[str]:
    """The models of a kind."""
    return [name for name, entry in MODELS.items() if entry.kind == kind]


def measure(
    models: Sequence[str],
    *,
    robots: Sequence[str] = ("hopper",),
    seeds: Sequence[int] = (1,),
    repetitions: int = 20,
    updates: int = UPDATES,
    on_rows: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Seconds per update of each model at its usual sizes, batches drawn inside.

    `ratio` is the share of the matrix-product rate that is reached: the time of the products
    alone over the time of everything. The products are those that the update makes: forward, and
    backward where a gradient flows. Several seeds are one program, as in training; their
    reference is that of one seed times their number.

    Raises:
        UserError: a name is none of a model, or not of one that is measured here.
    """
    found = []
    for name in models:
        if name not in MODELS or MODELS[name].kind == "dynamics":
            raise UserError(f"`models` must name agents or representations, got {name!r}.")
        if name in pixels.NAMES:
            raise UserError(f"`models`: {name} is measured by `toolkit bench pixels`.")
        for robot in robots:
            learner = MODELS[name].load()(**OPTIONS)
            counts = tuple(dict.fromkeys(seeds)) if not is_online(learner) else (1,)
            cases = {
                f"agents/{name}/{robot}/seeds={count}": make_update(
                    learner, SPECS[robot], count, updates
                )
                for count in counts
            }
            products = make_products(one_update(learner, SPECS[robot]), updates)
            seconds = interleaved({REFERENCE: products, **cases}, repetitions)
            reference = float(np.median(seconds.pop(REFERENCE))) / updates
            measured = [
                _row(case, float(np.median(times)) / updates, reference, count, len(times))
                for (case, times), count in zip(seconds.items(), counts, strict=True)
            ]
            on_rows(measured)
            found += measured
    return found


def measure_tdm(
    *,
    batches: Sequence[int] = (256, 512),
    robot: str = "hopper",
    repetitions: int = 20,
    on_rows: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Seconds per update of a TDM, and of one whose chain rule builds whole Jacobians.

    `ratio` is the share of the matrix-product rate, for both of the products that the first one
    makes: what the second does beyond them is its loss.
    """
    found = []
    for batch in batches:
        usual = TDMLearner(batch_size=batch)
        whole = _WholeJacobian(**hyperparameters_of(usual))
        cases = {
            f"tdm/step/B={batch}": make_update(usual, SPECS[robot], 1, TDM_UPDATES),
            f"tdm/step with whole Jacobians/B={batch}": make_update(
                whole, SPECS[robot], 1, TDM_UPDATES
            ),
        }
        products = make_products(one_update(usual, SPECS[robot]), TDM_UPDATES)
        seconds = interleaved({REFERENCE: products, **cases}, repetitions)
        reference = float(np.median(seconds.pop(REFERENCE))) / TDM_UPDATES
        measured = [
            _row(case, float(np.median(times)) / TDM_UPDATES, reference, 1, len(times))
            for case, times in seconds.items()
        ]
        on_rows(measured)
        found += measured
    return found


class _WholeJacobian(TDMLearner):
    """The same losses, with ∂φ_s/∂s built for every sample and then multiplied by the rate."""

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        plain = super().network(dataset, key=key)
        whole = object.__new__(_WholeJacobianTDM)
        for field in dataclasses.fields(plain):
            object.__setattr__(whole, field.name, getattr(plain, field.name))
        return whole


class _WholeJacobianTDM(TDM):
    def encode_with_rate(self, obs: Obs, action: Action, rate: Obs) -> tuple[Latent, Obs]:
        jacobian = jax.jacrev(lambda s: self.encode(s, action).state)(obs)
        return self.encode(obs, action), jacobian @ rate


def _row(case: str, seconds: float, reference: float, seeds: int, repetitions: int) -> Row:
    whole = seeds * reference
    return Row(case, seconds, REFERENCE, whole, whole / seconds, repetitions)


def make_update(learner: Any, spec: EnvSpec, seeds: int, updates: int) -> Callable[[], Any]:
    """`updates` updates of `seeds` states in one compiled call, as the training loop makes them."""
    learner, state, source = prepared(learner, spec, seeds)
    if is_online(learner):
        run = eqx.filter_jit(lambda s, d: scan_updates(learner, d, s, jr.key(2), updates)[0])
        return lambda: run(state, source)
    roots = jnp.stack([jr.key(seed) for seed in range(seeds)])
    return lambda: advance(learner, source, state, roots, updates)[0]


def one_update(learner: Any, spec: EnvSpec) -> Any:
    """The matrix products of one update of one seed; what is not always due counts in part."""
    learner, state, source = prepared(learner, spec, 0)

    def update(state: Any, source: Any) -> Any:
        return learner.update(state, learner.sample(source, key=jr.key(0)), key=jr.key(1))

    jaxpr = eqx.filter_make_jaxpr(update)(state, source)[0]
    return products_of(jaxpr, branch_share=1 / getattr(learner, "policy_every", 1))


def prepared(learner: Any, spec: EnvSpec, seeds: int) -> tuple[Any, Any, Any]:
    """The learner as fitted to random data, a state (stacked for `seeds` of them, single for 0),
    and what its batches come from.
    """
    keys = jr.split(jr.key(1), 4)
    obs, next_obs = (jr.normal(key, (ROWS, spec.obs_dim)) for key in keys[:2])
    action = jnp.tanh(jr.normal(keys[2], (ROWS, spec.action_dim)))
    reward = jr.normal(keys[3], (ROWS,))
    if is_online(learner):
        experience = Transitions(obs, action, reward, next_obs, jnp.zeros(ROWS, bool))
        replay = learner.empty_replay(spec, ROWS).add(experience)
        return learner, learner.init(spec, key=jr.key(0)), replay
    ends = np.arange(ROWS) % spec.max_episode_steps == spec.max_episode_steps - 1
    data = Dataset.from_arrays(*map(np.asarray, (obs, action, reward, next_obs)), timeout=ends)
    learner = learner.fitted_to(data)
    if hasattr(learner, "validation_share"):
        learner = dataclasses.replace(learner, validation_share=0.0)
    if not seeds:
        return learner, learner.init(data, key=jr.key(0)), learner.prepare(data)
    return learner, init_states(learner, data, range(seeds)), learner.prepare(data)


def is_online(learner: Any) -> bool:
    """Whether a learner learns from an environment."""
    return hasattr(learner, "empty_replay")
