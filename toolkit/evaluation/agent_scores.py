"""From a run of an offline agent to its score in the simulator, with its passport."""

from __future__ import annotations

from typing import Any

import numpy as np

from toolkit.agents.acting import NormalisedPolicy
from toolkit.agents.interface import AbstractOfflineAgent
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import EVALUATION_SEED, NUM_EPISODES, Rollouts, evaluate_policy
from toolkit.evaluation.scores import RULE, run_passport, spread, updates_per_second
from toolkit.training.experiment import Experiment
from toolkit.training.learner import State
from toolkit.training.loop import select_seed
from toolkit.training.passport import environment
from toolkit.training.run import Run, provenance, write_json


def score_agent(run: Run, *, num_episodes: int = NUM_EPISODES) -> dict[str, Any]:
    """Roll the last policy of every seed out, write `result.json`, and return its content.

    Every seed plays the same episodes: each starts where `EVALUATION_SEED` and its number say.

    Raises:
        UserError: no environment is known for the run, or it cannot be simulated here.
    """
    env_id = env_of(run)
    if env_id is None:
        raise UserError(
            f"{run.folder} names no environment to score its policy in; `env` says which."
        )
    rollouts = [
        evaluate_policy(run.policy(index), env_id, num_episodes=num_episodes)
        for index in range(len(run.config.seeds))
    ]
    result = agent_result(run, env_id, rollouts)
    write_json(run.folder / "result.json", result)
    return result


def scores_of(experiment: Experiment, states: State, env_id: str) -> dict[str, list[float]]:
    """Mean return and normalised score of every seed's policy, as of this moment."""
    learner, normaliser = experiment.learner, experiment.normaliser
    assert isinstance(learner, AbstractOfflineAgent)
    rollouts = [
        evaluate_policy(
            NormalisedPolicy(learner.policy(select_seed(states, index)), normaliser), env_id
        )
        for index in range(len(experiment.config.seeds))
    ]
    found = {"episode_return": [float(r.returns.mean()) for r in rollouts]}
    if rollouts[0].normalised is not None:
        found["normalized_score"] = [float(r.normalised.mean()) for r in rollouts]  # pyright: ignore
    return found


def env_of(run: Run) -> str | None:
    """The environment that a run names, else the one its data were recorded in."""
    named = run.config.env
    return str(named["id"]) if named else run.config.data.env


def agent_result(run: Run, env_id: str, rollouts: list[Rollouts]) -> dict[str, Any]:
    """The content of `result.json`: returns of every episode of every seed, and their means."""
    per_seed = {
        "episode_return": [r.returns.mean() for r in rollouts],
        "updates_per_second": [updates_per_second(run)] * len(rollouts),
    }
    if rollouts[0].normalised is not None:
        per_seed["normalized_score"] = [r.normalised.mean() for r in rollouts]  # pyright: ignore
    return {
        **run_passport(run),
        "env": environment(env_id),
        "score": {
            "rule": RULE,
            "num_episodes": len(rollouts[0].returns),
            "start_seed": EVALUATION_SEED,
            "returns": [r.returns.tolist() for r in rollouts],
            "lengths": [r.lengths.tolist() for r in rollouts],
        },
        "metrics": {name: spread(np.asarray(values, float)) for name, values in per_seed.items()},
        **provenance(),
    }
