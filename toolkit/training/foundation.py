"""What a run builds on: a model that another run trained on the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data import Normaliser
from toolkit.errors import UserError
from toolkit.registry import find_model
from toolkit.training.config import RunConfig
from toolkit.training.loop import select_seed

if TYPE_CHECKING:
    from toolkit.training.run import Run


def fitted_to_foundation(agent: Any) -> tuple[Any, str | None]:
    """The agent with what it must know of the model in its `representation` to be stored alone,
    and the SHA-256 of that model; none where nothing was saved yet.

    Raises:
        UserError: the folder holds no run, or one of what no agent can build on.
    """
    run = _representation(agent, agent.representation)
    content = run.header()["sha256"] if run.has_checkpoint else None
    return agent.fitted_to_model(run.config.hyperparameters), content


def _representation(agent: Any, folder: str) -> Run:
    """The run in a folder, if it trained what the agent can build on."""
    from toolkit.training.run import Run  # a run needs experiments, and these need this module

    run = Run.open(folder)
    trained = f"{folder} trained {run.config.model}"
    if run.config.kind != "representation":
        raise UserError(f"{trained}, which is no representation.")
    agent.check_foundation(trained, find_model(run.config.model).load().parts)
    return run


def read_foundation(folder: str, config: RunConfig, normaliser: Normaliser) -> list[Any]:
    """The model that the run in `folder` has for each seed of `config`, in the order of its seeds.

    Raises:
        UserError: the folder holds no finished run of a representation, one that lacks what the
            learner needs, or one that was trained on other data, other dimensions or other seeds.
    """
    run = _representation(config.learner(), folder)
    there, here = run.config, config
    dims = (there.data.obs_dim, there.data.action_dim)
    if dims != (here.data.obs_dim, here.data.action_dim):
        raise UserError(
            f"{folder} was trained on {dims[0]} observation and {dims[1]} action dimensions, but "
            f"these data have {here.data.obs_dim} and {here.data.action_dim}."
        )
    if there.data.sha256 != here.data.sha256:
        raise UserError(f"{folder} was trained on {there.data.label}, not on {here.data.label}.")
    missing = [seed for seed in here.seeds if seed not in there.seeds]
    if missing:
        raise UserError(
            f"{folder} has no seed {missing[0]}; it was trained with "
            f"{', '.join(map(str, there.seeds))}."
        )
    done = run.header()["update"] if run.has_checkpoint else 0
    if done < there.num_updates:
        raise UserError(
            f"{folder} stands at update {done} of {there.num_updates}; finish it first: "
            f"{there.command(run.folder)}"
        )
    used = run.normaliser()
    if not (np.allclose(used.mean, normaliser.mean) and np.allclose(used.std, normaliser.std)):
        raise UserError(f"{folder} was trained with another normalisation of the states.")
    states = run.state()
    return [select_seed(states, there.seeds.index(seed)).best for seed in here.seeds]


def build_on(
    learner: Any,
    states: Any,
    models: list[Any],
    dataset: Any,
    normaliser: Normaliser | None = None,
) -> Any:
    """The states of all seeds, each on its own trained model.

    `normaliser` is how the states of `dataset` were normalised, if they were; an agent whose
    model is to speak of raw states keeps it.
    """
    built = [
        learner.build_on(select_seed(states, at), model, dataset, normaliser)
        for at, model in enumerate(models)
    ]
    arrays, static = zip(*(eqx.partition(state, eqx.is_array) for state in built), strict=True)
    return eqx.combine(jax.tree.map(lambda *leaves: jnp.stack(leaves), *arrays), static[0])
