"""From a run of a representation to its losses on held-out episodes, and its monitors."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toolkit.data.samplers import Transitions
from toolkit.evaluation.scores import run_passport, spread, updates_per_second
from toolkit.training.config import RunConfig
from toolkit.training.experiment import Experiment, assemble
from toolkit.training.learner import Metrics
from toolkit.training.loop import select_seed
from toolkit.training.run import Run, provenance, write_json
from toolkit.tsymmetry import TDM, AbstractAutoencoder, AbstractForwardModel
from toolkit.tsymmetry.held_out import HeldOutLearner
from toolkit.tsymmetry.learner import TDMLearner
from toolkit.types import Scalar

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
#: A bilinear operator is called defective if it has no invertible eigenvectors at more than this
#: share of the recorded actions.
DEFECTIVE = 0.01
#: A model of one step is called poor if it leaves more than this share of the change unexplained.
POOR = 0.5


def score_representation(run: Run, experiment: Experiment | None = None) -> dict[str, Any]:
    """Measure every seed's kept model, write `result.json`, and return its content.

    Raises:
        UserError: the run has no checkpoint, or its data are gone.
    """
    experiment = experiment or assemble(run.config, run.config.learner(), run.dataset())
    validation = experiment.sampler.validation
    rows = validation if validation is not None else experiment.sampler.train.everything()
    states = run.state()
    learner: Any = run.config.learner()
    found = [
        measure(select_seed(states, index).best, rows, learner)
        for index in range(len(run.config.seeds))
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
def _measured(learner: HeldOutLearner, model: eqx.Module, rows: Transitions) -> Metrics:
    found = learner.measured(model, rows)
    if isinstance(model, AbstractAutoencoder):
        latent = jax.vmap(model.encode)(rows.obs, rows.action)
        if isinstance(model, AbstractForwardModel):
            change = rows.next_obs - rows.obs
            found["decoded_rate_share"] = found["loss/decoded_rate"] / _mean_norm2(change)
        if isinstance(model, TDM):
            rate = _mean_norm2(jax.vmap(model.forward_rate)(latent))
            found["reverse_contradiction"] = found["loss/at_next"] / jnp.maximum(rate, 1e-12)
        found["smallest_latent_std"] = jnp.min(jnp.std(latent.state, axis=0))
    return found


def measure(
    model: eqx.Module, rows: Transitions, learner: HeldOutLearner | None = None
) -> dict[str, float]:
    """The terms that `learner` trained, as means over transitions, and what the monitors look at.

    Only what a model has is measured. Without a learner, the terms are those of a TDM,
    arXiv:2306.04220 Eq. 3–7 and 13.

    `reverse_contradiction` is the mean of |f(z) + g(z′)|² at recorded next states over that of
    |f(z)|²: 0 for an exact reverse model, 1 for one that says nothing. Eq. 7 can be small beside
    a large one: the reverse model then answers only where f leads. `decoded_rate_share` is what
    is unexplained of ṡ.
    """
    found = _measured(learner or TDMLearner(), model, rows)
    return {name: float(value) for name, value in found.items()}


def _mean_norm2(x: Float[Array, "batch size"]) -> Scalar:
    return jnp.mean(jnp.sum(jnp.square(x), axis=1))


def warnings_of(metrics: dict[str, Any], config: RunConfig) -> list[str]:
    """What the monitors have to say, in sentences; nothing where all is well."""
    if "squared_error_per_variance" in metrics:
        return _warnings_of_ensemble(metrics)
    found = []
    contradiction = metrics.get("reverse_contradiction")
    if contradiction and max(contradiction["per_seed"]) > DEGENERATE:
        remedy = "; `--enhanced True` trains the term of Eq. 13" if config.model == "tdm" else ""
        found.append(
            "The reverse dynamics contradict the forward ones at recorded next states, so "
            f"ℓ_Tsym says little here{remedy}."
        )
    spread_of_latent = metrics.get("smallest_latent_std")
    if spread_of_latent and min(spread_of_latent["per_seed"]) < COLLAPSED:
        found.append("A coordinate of the latent state is all but constant: it has collapsed.")
    return found + _warnings_of_koopman(metrics)


def _warnings_of_koopman(metrics: dict[str, Any]) -> list[str]:
    found = []
    defective, unexplained = metrics.get("defective_share"), metrics.get("change_error_share")
    if defective and max(defective["per_seed"]) > DEFECTIVE:
        found.append(
            f"At {max(defective['per_seed']):.0%} of the recorded actions the operator has no "
            "eigenvectors that could be inverted; there the eigenspace generator is replaced by "
            "the polynomial one."
        )
    if unexplained and max(unexplained["per_seed"]) > POOR:
        found.append(
            f"One step of the model leaves {max(unexplained['per_seed']):.0%} of the states' "
            "change unexplained, so shifts along its symmetries say little about these dynamics."
        )
    return found


def _warnings_of_ensemble(metrics: dict[str, Any]) -> list[str]:
    ratio = max(metrics["squared_error_per_variance"]["per_seed"])
    if ratio <= OVERCONFIDENT:
        return []
    return [
        f"On held-out episodes the squared errors are {ratio:.3g} times the stated variances, so "
        "penalties from them are too small."
    ]
