"""What a run of an online agent is: everything that decides its numbers, as plain values."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.envs.interface import EnvSpec
from toolkit.evaluation.rollouts import NUM_EPISODES
from toolkit.training.config import (
    chosen_hyperparameters,
    first_difference,
    flags,
    make_learner,
)

EVALUATE_EVERY = 10_000


@dataclass(frozen=True)
class OnlineConfig:
    """Agent, hyperparameters, environment and seed of an online run.

    `env` is a passport's record and `spec` the environment in numbers. Every `evaluate_every`
    environment steps the policy is scored on `num_episodes` episodes and everything is saved.
    """

    model: str
    hyperparameters: dict[str, Any]
    env: dict[str, str | None]
    spec: EnvSpec
    seed: int = 0
    evaluate_every: int = EVALUATE_EVERY
    num_episodes: int = NUM_EPISODES
    keep_policies: bool = False
    kind: str = "online"

    @property
    def num_env_steps(self) -> int:
        """Length of the run, in environment steps."""
        return self.hyperparameters["num_env_steps"]

    def agent(self) -> AbstractOnlineAgent:
        """The agent with this run's hyperparameters.

        Raises:
            UserError: the agent or a hyperparameter is unknown to this version.
        """
        return make_learner(self.model, self.hyperparameters)

    def to_json(self) -> dict[str, Any]:
        """Plain values; the inverse of `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> OnlineConfig:
        """Rebuild a configuration; keys that are not its fields are left aside."""
        known: dict[str, Any] = {f.name: values[f.name] for f in dataclasses.fields(cls)}
        known["spec"] = EnvSpec(**known["spec"])
        return cls(**known)

    def difference(self, stored: OnlineConfig) -> str | None:
        """The first setting in which a stored run differs, in words; none if it is the same.

        A longer `num_env_steps` is no difference: a run may be continued beyond its end.
        """
        return first_difference(_identity(self), _identity(stored))

    def command(self, out: Path) -> str:
        """The command that continues this run in the folder `out`."""
        words = ["toolkit", "train", self.model, "--env", str(self.env["id"]), "--out", str(out)]
        settings = {k: getattr(self, k) for k in ("seed", "evaluate_every", "num_episodes")}
        words += flags({k: v for k, v in settings.items() if v != getattr(OnlineConfig, k)})
        if self.keep_policies:
            words.append("--keep-policies")
        words += flags(chosen_hyperparameters(self.model, self.hyperparameters))
        return shlex.join([*words, "--resume"])


def _identity(config: OnlineConfig) -> dict[str, Any]:
    return {
        "model": config.model,
        "env": config.env["id"],
        "mujoco": config.env["mujoco"],
        "seed": config.seed,
        "evaluate_every": config.evaluate_every,
        "num_episodes": config.num_episodes,
        **{k: v for k, v in config.hyperparameters.items() if k != "num_env_steps"},
    }
