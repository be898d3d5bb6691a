"""Symmetry shifts per second: each generator against the eigendecomposition of every sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from toolkit.agents.symmetry import SymmetryShift
from toolkit.bench.timing import Row, interleaved
from toolkit.data.samplers import Transitions
from toolkit.symmetry import AbstractKoopmanCore, KoopmanForward, SpectralCore

REFERENCE = "symmetry/eigenspace"
OBS, ACTION = 11, 3  # a hopper's
GENERATORS = ("spectral", "polynomial", "commutator", "random", "sylvester")


def measure(
    *, batch: int = 256, latent_dim: int = 32, whole: bool = True, repetitions: int = 20
) -> list[Row]:
    """Seconds for one batch of pairs by each generator; `ratio` is how many times faster than the
    eigendecomposition of every sample it is.

    The first rows shift latent pairs. With `whole` the rows `… with the states` also encode both
    states and decode them, which is the same work for all generators of a model. Both models have
    the same number of real latent coordinates.
    """
    keys = jr.split(jr.key(0), 3)
    models: dict[str, AbstractKoopmanCore] = dict.fromkeys(
        ("eigenspace", *GENERATORS),
        KoopmanForward(OBS, ACTION, latent_dim=latent_dim, key=keys[0]),
    )
    models["spectral"] = SpectralCore(OBS, ACTION, modes=latent_dim // 2, key=keys[0])
    rows = Transitions(
        jr.normal(keys[1], (batch, OBS)), jr.uniform(keys[2], (batch, ACTION), minval=-1.0),
        jnp.zeros(batch), jr.normal(keys[2], (batch, OBS)), jnp.zeros(batch, bool),
    )  # fmt: skip
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
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    return [
        Row(name, median, reference, medians[reference], medians[reference] / median, repetitions)
        for name, median in medians.items()
    ]


def _latent_case(
    model: AbstractKoopmanCore, generator: str, rows: Transitions
) -> Callable[[], Any]:
    """Displacements of a batch of latent pairs."""
    here, after = jax.vmap(model.encode)(rows.obs), jax.vmap(model.encode)(rows.next_obs)

    @eqx.filter_jit
    def shift(model: AbstractKoopmanCore, here: Any, after: Any, action: Any, key: Any) -> Any:
        keys = jr.split(key, len(here))
        return jax.vmap(lambda z, z2, a, k: model.displacements(z, z2, a, generator, key=k))(
            here, after, action, keys
        )

    key = jr.key(1)
    return lambda: shift(model, here, after, rows.action, key)


def _whole_case(model: AbstractKoopmanCore, generator: str, rows: Transitions) -> Callable[[], Any]:
    """The augmentation as agents use it."""
    augment = eqx.filter_jit(lambda shift, rows, key: shift(rows, key=key))
    shift, key = SymmetryShift(model, generator, 3e-3), jr.key(1)
    return lambda: augment(shift, rows, key)
