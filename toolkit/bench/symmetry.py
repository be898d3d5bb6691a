"""Symmetry shifts per second: each generator against the eigendecomposition of every sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax

from toolkit.agents.symmetry import SymmetryShift
from toolkit.bench.timing import Row, interleaved
from toolkit.data.samplers import Transitions
from toolkit.symmetry import AbstractKoopmanCore, KoopmanForward, SpectralCore

REFERENCE = "symmetry/eigenspace"
OBS, ACTION = 11, 3  # a hopper's
HIDDEN = 512  # units of the encoders' and decoders' layers, as in the bilinear model's training
ROUNDS = 20  # batches in one compiled call, as a chunk of training has them
GENERATORS = ("spectral", "polynomial", "commutator", "random", "sylvester")


def measure(
    *, batch: int = 256, latent_dim: int = 32, whole: bool = True, repetitions: int = 20
) -> list[Row]:
    """Seconds for one batch of pairs by each generator, inside a compiled loop.

    `ratio` is how many times faster than the eigendecomposition of every sample that is.

    The first rows shift latent pairs. With `whole` the rows `… with the states` also encode both
    states and decode them, which is the same work for all: both models have the same number of
    real latent coordinates, and layers of one width.
    """
    keys = jr.split(jr.key(0), 3)
    models: dict[str, AbstractKoopmanCore] = dict.fromkeys(
        ("eigenspace", *GENERATORS),
        KoopmanForward(OBS, ACTION, latent_dim=latent_dim, hidden=HIDDEN, key=keys[0]),
    )
    models["spectral"] = SpectralCore(
        OBS, ACTION, modes=latent_dim // 2, hidden=HIDDEN, key=keys[0]
    )
    count = ROUNDS * batch
    flat = Transitions(
        jr.normal(keys[1], (count, OBS)), jr.uniform(keys[2], (count, ACTION), minval=-1.0),
        jnp.zeros(count), jr.normal(keys[2], (count, OBS)), jnp.zeros(count, bool),
    )  # fmt: skip
    rows = jax.tree.map(lambda x: x.reshape(ROUNDS, batch, *x.shape[1:]), flat)
    latents = {name: _latent_case(model, name, rows) for name, model in models.items()}
    found = _rows(latents, REFERENCE, repetitions)
    if whole:
        states = {name: _whole_case(model, name, rows) for name, model in models.items()}
        named = {f"{name} with the states": case for name, case in states.items()}
        found += _rows(named, f"{REFERENCE} with the states", repetitions)
    return found


def _rows(cases: dict[str, Callable[[], Any]], reference: str, repetitions: int) -> list[Row]:
    named = {f"symmetry/{name}": case for name, case in cases.items()}
    seconds = interleaved(named, repetitions)
    medians = {name: float(np.median(times)) / ROUNDS for name, times in seconds.items()}
    return [
        Row(name, median, reference, medians[reference], medians[reference] / median, repetitions)
        for name, median in medians.items()
    ]


def _latent_case(model: AbstractKoopmanCore, generator: str, rows: Any) -> Callable[[], Any]:
    """Displacements of batches of latent pairs, one batch after another."""
    encode = jax.vmap(jax.vmap(model.encode))
    pairs = encode(rows.obs), encode(rows.next_obs), rows.action

    def shift(model: AbstractKoopmanCore, here: Any, after: Any, action: Any, key: Any) -> Any:
        each = jax.vmap(lambda z, z2, a, k: model.displacements(z, z2, a, generator, key=k))
        return each(here, after, action, jr.split(key, len(here)))

    return _one_after_another(shift, model, pairs)


def _whole_case(model: AbstractKoopmanCore, generator: str, rows: Any) -> Callable[[], Any]:
    """The augmentation as agents use it."""

    def augment(shift: SymmetryShift, batch: Any, key: Any) -> Any:
        return shift(batch, key=key)

    return _one_after_another(augment, SymmetryShift(model, generator, 3e-3), (rows,))


def _one_after_another(work: Callable[..., Any], owner: Any, rounds: Any) -> Callable[[], Any]:
    """`work(owner, *batch, key)` for every batch of `rounds` in one compiled call."""
    keys = jr.split(jr.key(1), ROUNDS)

    @eqx.filter_jit
    def run(owner: Any, rounds: Any, keys: Any) -> Any:
        return lax.map(lambda each: work(owner, *each[0], each[1]), (rounds, keys))

    return lambda: run(owner, rounds, keys)
