"""From a run of a representation to its losses on held-out episodes, and its monitors."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toolkit.agents.ensemble import Ensemble, observed, outcomes
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
#: An ensemble is called overconfident if its elites' squared errors on held-out episodes are more
#: than this many times the variances that they state.
OVERCONFIDENT = 4.0


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


def measure(model: TDM | Ensemble, rows: Transitions) -> dict[str, float]:
    """What can be said of a kept model from transitions, by its kind."""
    if isinstance(model, Ensemble):
        return {name: float(value) for name, value in measure_ensemble(model, rows).items()}
    return measure_tdm(model, rows)


def measure_tdm(model: TDM, rows: Transitions) -> dict[str, float]:
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


@eqx.filter_jit
def measure_ensemble(model: Ensemble, rows: Transitions) -> dict[str, Float[Array, ""]]:
    """How well the elites predict (s′ − s, r), as means over transitions and elites.

    `…_error_share` is the squared error of the elites' mean prediction beside that of predicting
    no change, for the state, or the mean reward. `squared_error_per_variance` is 1 where the
    stated variances are right; `stated_std` and `disagreement` (the standard deviation of the
    elites' means) are over the state, in its normalised units.
    """
    mean, log_var = outcomes(model.elites(), rows.obs, rows.action)
    truth = observed(rows)
    together = jnp.square(jnp.mean(mean, axis=0) - truth)
    squared = jnp.square(mean - truth[None])
    surprise = squared * jnp.exp(-log_var)
    return {
        "loss/likelihood": jnp.mean(surprise + log_var),
        "loss/error": jnp.mean(squared),
        "state_error_share": jnp.mean(together[:, :-1]) / jnp.mean(jnp.square(truth[:, :-1])),
        "reward_error_share": jnp.mean(together[:, -1]) / jnp.maximum(jnp.var(rows.reward), 1e-12),
        "squared_error_per_variance": jnp.mean(surprise),
        "stated_std": jnp.mean(jnp.exp(0.5 * log_var[..., :-1])),
        "disagreement": jnp.mean(jnp.std(mean[..., :-1], axis=0)),
    }


def warnings_of(metrics: dict[str, Any], config: RunConfig) -> list[str]:
    """What the monitors have to say, in sentences; nothing where all is well."""
    if "squared_error_per_variance" in metrics:
        return _warnings_of_ensemble(metrics)
    found = []
    if max(metrics["reverse_contradiction"]["per_seed"]) > DEGENERATE:
        found.append(
            "The reverse dynamics contradict the forward ones at recorded next states, so "
            "ℓ_Tsym says little here; `--enhanced True` trains the term of Eq. 13."
        )
    if min(metrics["smallest_latent_std"]["per_seed"]) < COLLAPSED:
        found.append("A coordinate of the latent state is all but constant: it has collapsed.")
    return found


def _warnings_of_ensemble(metrics: dict[str, Any]) -> list[str]:
    ratio = max(metrics["squared_error_per_variance"]["per_seed"])
    if ratio <= OVERCONFIDENT:
        return []
    return [
        f"On held-out episodes the squared errors are {ratio:.3g} times the stated variances, so "
        "penalties from them are too small."
    ]
