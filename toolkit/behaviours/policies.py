"""The policies in the package: how they are stored, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from toolkit.agents.networks import GaussianActor
from toolkit.agents.sac import ActorPolicy
from toolkit.envs.robots import ROBOTS, Robot
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import evaluate_policy
from toolkit.evaluation.scores import rollout_result
from toolkit.training.checkpoint import (
    arrays_sha256,
    load_checkpoint,
    read_header,
    save_checkpoint,
)
from toolkit.training.online import initial_key

FOLDER = Path(__file__).parent / "stored"


@dataclass(frozen=True)
class Behaviour:
    """One stage of a training run: an actor and its passport.

    `stage` is `medium`, `expert`, or the number of a stage between; `passport` has the score,
    the environment steps behind it, the settings of the run, versions and the learning curve.
    """

    robot: Robot
    stage: str
    actor: GaussianActor
    passport: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Such as `hopper-medium`."""
        return f"{self.robot.name}-{self.stage}"

    @property
    def sha256(self) -> str:
        """SHA-256 of the parameters in half precision, in hexadecimal."""
        return arrays_sha256(_cast(self.actor, jnp.float16))

    def policy(self, *, explore: bool) -> ActorPolicy:
        """What acts: sampling its actions, or taking their mode."""
        return ActorPolicy(self.actor, explore)


def stages(robot: str, folder: Path = FOLDER) -> list[str]:
    """The stages that are stored for a robot, in the order of training."""
    found = [(read_header(path)["env_steps"], path.stem) for path in folder.glob(f"{robot}-*.ckpt")]
    return [stem.removeprefix(f"{robot}-") for _, stem in sorted(found)]


def read_passport(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What a stored policy's file says about it, without its parameters: `env_steps`,
    `episode_return`, the `curve` of its training and more.

    Raises:
        UserError: there is no such policy, or its file is damaged.
    """
    return read_header(_path_of(name, folder))


def load_behaviour(name: str, folder: Path = FOLDER) -> Behaviour:
    """A stored policy by name, such as `hopper-medium`, with float32 parameters.

    Raises:
        UserError: there is no such policy, its file is damaged, or it is one that its seed makes
            again and other numbers come of it here.
    """
    path = _path_of(name, folder)
    robot, _, stage = name.partition("-")
    header = read_header(path)
    actor = _cast(untrained(**header["actor"], seed=header.get("seed", 0)), jnp.float16)
    if header["leaves"]:
        actor, _ = load_checkpoint(path, actor)
    elif arrays_sha256(actor) != header["actor_sha256"]:
        raise UserError(
            f"{name} is stored as the seed that it began with, and JAX draws other numbers from it "
            "here; leave JAX's random numbers and its precision at their defaults."
        )
    return Behaviour(ROBOTS[robot], stage, _cast(actor, jnp.float32), header)


def untrained(
    obs_dim: int, action_dim: int, hidden: int, layers: int, *, seed: int
) -> GaussianActor:
    """The actor with which a run of SAC begins: its seed tells it whole."""
    actor_key = jr.split(initial_key(seed))[0]  # as in `SAC.init`
    return GaussianActor(obs_dim, action_dim, hidden, layers, key=actor_key)


def store_behaviour(
    robot: str, stage: str, actor: GaussianActor, passport: Mapping[str, Any], folder: Path = FOLDER
) -> Behaviour:
    """Round an actor to half precision, store it, and return what a reader will load.

    Of an untrained actor only the passport is stored: its seed makes it again.
    """
    layers = actor.net.layers
    sizes = {
        "obs_dim": layers[0].weight.shape[0],
        "action_dim": layers[-1].bias.shape[0] // 2,
        "hidden": layers[0].bias.shape[0],
        "layers": len(layers) - 1,
    }
    path = folder / f"{robot}-{stage}.ckpt"
    passport, stored = {"actor": sizes, **passport}, _cast(actor, jnp.float16)
    if passport.get("update") == 0:
        again = _cast(untrained(**sizes, seed=passport["seed"]), jnp.float16)
        if eqx.tree_equal(again, stored):
            save_checkpoint(path, None, passport | {"actor_sha256": arrays_sha256(stored)})
            return load_behaviour(path.stem, folder)
    save_checkpoint(path, stored, passport, half_precision=True)
    return load_behaviour(path.stem, folder)


def score_behaviour(behaviour: Behaviour, *, num_episodes: int) -> dict[str, Any]:
    """Roll a stored policy out without exploration: the content of a `result.json`.

    Raises:
        UserError: `num_episodes` is below one, or MuJoCo is missing.
    """
    rollouts = evaluate_policy(
        behaviour.policy(explore=False), behaviour.robot.env_id, num_episodes=num_episodes
    )
    passport = behaviour.passport
    return rollout_result(
        f"sac ({behaviour.name})", passport["update"], passport["env_steps"], rollouts,
        seed=passport["seed"], hyperparameters=passport["hyperparameters"],
    ) | {"policy_sha256": behaviour.sha256}  # fmt: skip


def _cast(actor: GaussianActor, dtype: Any) -> GaussianActor:
    return jax.tree.map(lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x, actor)


def _path_of(name: str, folder: Path) -> Path:
    path = folder / f"{name}.ckpt"
    if name.partition("-")[0] not in ROBOTS or not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*-[em]*.ckpt"))) or "none"
        raise UserError(f"{name!r} is not a stored policy; there is {known}.")
    return path
