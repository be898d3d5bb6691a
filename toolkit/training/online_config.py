"""What a run of an online agent is: everything that decides its numbers, as plain values."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import NUM_EPISODES
from toolkit.registry import find_model

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
        kind = find_model(self.model).load()
        unknown = set(self.hyperparameters) - {field.name for field in dataclasses.fields(kind)}
        if unknown:
            raise UserError(f"{self.model} has no hyperparameter {', '.join(sorted(unknown))}.")
        return kind(**self.hyperparameters)

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
        here, there = _identity(self), _identity(stored)
        for name in {**there, **here}:
            if here.get(name) != there.get(name):
                return f"`{name}` is {here.get(name)!r} here but {there.get(name)!r} there"
        return None

    def command(self, out: Path) -> str:
        """The command that continues this run in the folder `out`."""
        words = ["toolkit", "train", self.model, "--env", str(self.env["id"]), "--out", str(out)]
        fields = dataclasses.fields(type(self))
        chosen = {
            field.name: getattr(self, field.name)
            for field in fields
            if field.name in ("seed", "evaluate_every", "num_episodes", "keep_policies")
            and getattr(self, field.name) != field.default
        }
        defaults = dataclasses.asdict(find_model(self.model).load()())
        chosen |= {k: v for k, v in self.hyperparameters.items() if v != defaults[k]}
        for name, value in chosen.items():
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
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
