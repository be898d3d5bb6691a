"""From a run of a representation to its losses on held-out episodes, and its monitors."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data.samplers import Transitions
from toolkit.evaluation.scores import run_passport, spread, updates_per_second
from toolkit.training.config import RunConfig
from toolkit.training.experiment import Experiment, assemble
from toolkit.training.loop import select_seed
from toolkit.training.run import Run, provenance, write_json
from toolkit.tsymmetry import TDM, tdm_terms

RULE = "best model by its loss on held-out episodes"

#: A reverse model is called degenerate if, at the next states that were recorded, it contradicts
#: the forward model by more than this share of the forward rate's own square.
DEGENERATE = 0.5
#: A latent is called collapsed if a coordinate of z_s varies less than this, in the units in
#: which states have a standard deviation of 1.
COLLAPSED = 0.01


def score_representation(run: Run, experiment: Experiment | None = None) -> dict[str, Any]:
    """Measure every seed's kept model, write `result.json`, and return its content.

    Raises:
        UserError: the run has no checkpoint, or its data are gone.
    """
    experiment = experiment or assemble(run.config, run.config.learner(), run.dataset())
    validation = experiment.sampler.validation
    rows = validation if validation is not None else experiment.sampler.train.everything()
    states = run.state()
    found = [
        measure(select_seed(states, index).best, rows) for index in range(len(run.config.seeds))
    ]
    metrics = {name: spread(np.asarray([f[name] for f in found], float)) for name in found[0]}
    metrics["updates_per_second"] = spread(np.full(len(found), updates_per_second(run)))
    result = {
        **run_passport(run),
        "score": {
            "rule": RULE if validation is not None else "last update",
            "num_held_out": 0 if validation is None else len(validation.reward),
        },
        "metrics": metrics,
        **provenance(),
    }
    write_json(run.folder / "result.json", result)
    return result


@eqx.filter_jit
def _measured(model: TDM, rows: Transitions) -> Any:
    terms = jax.vmap(lambda s, a, s2: tdm_terms(model, s, a, s2))(
        rows.obs, rows.action, rows.next_obs
    )
    latent = jax.vmap(model.encode)(rows.obs, rows.action)
    rate = jax.vmap(model.forward_rate)(latent)
    return (
        jax.tree.map(jnp.mean, terms),
        jnp.mean(jnp.sum(jnp.square(rate), axis=1)),
        jnp.min(jnp.std(latent.state, axis=0)),
        jnp.mean(jnp.sum(jnp.square(rows.next_obs - rows.obs), axis=1)),
    )


def measure(model: TDM, rows: Transitions) -> dict[str, float]:
    """The terms of Eq. 8 and 13 as means over transitions, and what the monitors look at.

    `reverse_contradiction` is the mean of |f(z) + g(z′)|² at recorded next states over that of
    |f(z)|²: 0 for an exact reverse model, 1 for one that says nothing. Eq. 7 can be small beside
    a large one: the reverse model then answers only where f leads. `decoded_rate_share` is what
    is unexplained of ṡ.
    """
    terms, rate, spread_of_latent, change = _measured(model, rows)
    named = {f"loss/{name}": float(value) for name, value in vars(terms).items()}
    return named | {
        "decoded_rate_share": float(terms.decoded_rate / change),
        "reverse_contradiction": float(terms.at_next / jnp.maximum(rate, 1e-12)),
        "smallest_latent_std": float(spread_of_latent),
    }


def warnings_of(metrics: dict[str, Any], config: RunConfig) -> list[str]:
    """What the monitors have to say, in sentences; nothing where all is well."""
    found = []
    if max(metrics["reverse_contradiction"]["per_seed"]) > DEGENERATE:
        found.append(
            "The reverse dynamics contradict the forward ones at recorded next states, so "
            "ℓ_Tsym says little here; `--enhanced True` trains the term of Eq. 13."
        )
    if min(metrics["smallest_latent_std"]["per_seed"]) < COLLAPSED:
        found.append("A coordinate of the latent state is all but constant: it has collapsed.")
    return found
