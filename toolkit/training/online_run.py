"""A run of an online agent on the disk, and the driver that fills it."""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array

from toolkit.agents.interface import AbstractOnlineAgent, AbstractPolicy
from toolkit.envs import make_envs
from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import NUM_EPISODES, Rollouts, evaluate_policy
from toolkit.evaluation.scores import RULE, spread
from toolkit.registry import find_model
from toolkit.training.checkpoint import load_checkpoint, read_header, save_checkpoint
from toolkit.training.config import check_numbers
from toolkit.training.online import OnlineState, Round, init_online, train_online
from toolkit.training.passport import environment
from toolkit.training.records import Row, append_row, cut_rows, read_rows
from toolkit.training.run import FORMAT, provenance, read_json, write_json

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


class OnlineRun:
    """A folder with `config.json`, `metrics.jsonl`, `checkpoint/`, `policies/`, `result.json`."""

    def __init__(self, folder: Path, config: OnlineConfig):
        self.folder, self.config = folder, config

    @classmethod
    def open(cls, folder: str | Path) -> OnlineRun:
        """An existing run.

        Raises:
            UserError: the folder holds no run of an online agent, or one of another format.
        """
        folder = Path(folder)
        stored = read_json(folder / "config.json")
        if stored.get("format") != FORMAT:
            raise UserError(
                f"{folder / 'config.json'} has run format {stored.get('format')}, this version "
                f"reads {FORMAT}."
            )
        try:
            return cls(folder, OnlineConfig.from_json(stored))
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{folder / 'config.json'} lacks a setting or holds a wrong one: {error}."
            ) from None

    @classmethod
    def create(cls, folder: str | Path, config: OnlineConfig) -> OnlineRun:
        """A new run.

        Raises:
            UserError: the folder cannot be written.
        """
        folder = Path(folder)
        write_json(folder / "config.json", {"format": FORMAT} | config.to_json() | provenance())
        return cls(folder, config)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a state to go on from."""
        return self._checkpoint.exists()

    @property
    def has_agent(self) -> bool:
        """Whether an agent was saved yet, which is all that scoring needs."""
        return self._agent.exists()

    def header(self) -> dict[str, Any]:
        """The header of the saved agent: `update`, `env_steps`, `model`, versions and more.

        Raises:
            UserError: nothing was saved yet, or the file is damaged.
        """
        if not self.has_agent:
            raise UserError(f"{self.folder} has no checkpoint yet.")
        return read_header(self._agent)

    def policy(self) -> AbstractPolicy:
        """The last saved policy, as it is scored: without exploration.

        Raises:
            UserError: nothing was saved yet, or the checkpoint is damaged or of another agent.
        """
        self.header()
        agent = self.config.agent()
        template = agent.init(self.config.spec, key=jr.key(0))
        return agent.policy(load_checkpoint(self._agent, template)[0], explore=False)

    def restore(self, template: OnlineState, envs: AbstractEnvs) -> OnlineState:
        """The state to go on from; `envs` is set back to where it was.

        Raises:
            UserError: the checkpoint is damaged or does not fit.
        """
        at_start = envs.snapshot()
        (state, stored), _ = load_checkpoint(self._checkpoint, (template, _as_bytes(at_start)))
        envs.restore(_from_bytes(stored, at_start))
        return state

    def save(self, state: OnlineState, envs: AbstractEnvs) -> None:
        """Write all that going on needs (as large as the replay), and the agent by itself.

        Where the environments' state cannot be saved, nobody can go on: the agent alone.
        """
        header = {
            "model": self.config.model,
            "update": int(state.agent.update_count),
            "env_steps": int(state.env_steps),
            "hyperparameters": self.config.hyperparameters,
        } | provenance()
        if envs.restorable:
            save_checkpoint(self._checkpoint, (state, _as_bytes(envs.snapshot())), header)
        save_checkpoint(self._agent, state.agent, header)

    def keep_policy(self, policy: AbstractPolicy, row: Row) -> None:
        """Store a policy under `policies/`, with its score."""
        path = self.folder / "policies" / f"{row['env_steps']:010d}.ckpt"
        save_checkpoint(path, policy, row | {"model": self.config.model})

    def policies(self) -> list[tuple[AbstractPolicy, Row]]:
        """The kept policies with their scores, in the order of training."""
        agent = self.config.agent()
        template = agent.policy(agent.init(self.config.spec, key=jr.key(0)), explore=False)
        paths = sorted((self.folder / "policies").glob("*.ckpt"))
        return [load_checkpoint(path, template) for path in paths]

    def rows(self) -> list[Row]:
        """One row per evaluation: its returns, and the means of the metrics since the last."""
        return read_rows(self._metrics)

    def append(self, row: Row) -> None:
        """Add a row."""
        append_row(self._metrics, row)

    def rewind(self, env_steps: int) -> list[Row]:
        """Drop the rows beyond an environment step; what is left."""
        return cut_rows(self._metrics, env_steps, key="env_steps")

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint" / "state.ckpt"

    @property
    def _agent(self) -> Path:
        return self.folder / "checkpoint" / "agent.ckpt"

    @property
    def _metrics(self) -> Path:
        return self.folder / "metrics.jsonl"


def _as_bytes(snapshot: Snapshot) -> dict[str, Array]:
    """A snapshot as bytes, because JAX would round its 64-bit numbers."""
    return {name: jnp.asarray(np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8))
            for name, values in snapshot.items()}  # fmt: skip


def _from_bytes(stored: dict[str, Array], like: Snapshot) -> Snapshot:
    return {
        name: np.frombuffer(np.asarray(stored[name]).tobytes(), values.dtype).reshape(values.shape)
        for name, values in like.items()
    }


def start_or_continue_online(
    folder: str | Path,
    model: str,
    agent: AbstractOnlineAgent,
    env_id: str,
    *,
    seed: int = 0,
    evaluate_every: int = EVALUATE_EVERY,
    num_episodes: int = NUM_EPISODES,
    keep_policies: bool = False,
    threads: int | None = None,
    resume: bool = False,
) -> tuple[OnlineRun, OnlineState, AbstractEnvs]:
    """The run of a folder, the state to go on from, and the environments.

    Raises:
        UserError: a setting is out of range, the environment is unknown, the folder holds a run
            and `resume` is false, or that run is another one or cannot be resumed.
    """
    check_numbers(agent)
    for name, value in [("evaluate_every", evaluate_every), ("num_episodes", num_episodes)]:
        if value < 1:
            raise UserError(f"`{name}` must be at least 1, got {value}.")
    folder, record = Path(folder), environment(env_id)
    envs = make_envs(env_id, agent.num_envs, seed=seed, threads=threads)
    hyperparameters = {f.name: getattr(agent, f.name) for f in dataclasses.fields(agent)}
    config = OnlineConfig(
        model, hyperparameters, record, envs.spec, seed, evaluate_every, num_episodes,
        keep_policies,
    )  # fmt: skip
    state = init_online(agent, envs, seed=seed)
    if not (folder / "config.json").exists():
        return OnlineRun.create(folder, config), state, envs
    if not resume:
        raise UserError(
            f"{folder} already holds a run; `--resume` continues it, another `--out` starts "
            "beside it."
        )
    if not envs.restorable:
        raise UserError(
            f"{folder} cannot be resumed, because the state of {env_id} cannot be saved; another "
            "`--out` starts beside it."
        )
    difference = config.difference(OnlineRun.open(folder).config)
    if difference:
        raise UserError(f"{folder} holds another run, so it cannot be resumed: {difference}.")
    run = OnlineRun.create(folder, config)  # the length may have changed
    return run, run.restore(state, envs) if run.has_checkpoint else state, envs


def fit_online(
    run: OnlineRun,
    state: OnlineState,
    envs: AbstractEnvs,
    *,
    on_round: Callable[[OnlineState], None] = lambda state: None,
    on_row: Callable[[Row], None] = lambda row: None,
) -> OnlineState:
    """Train to the end; at every evaluation a row, and then a checkpoint.

    What is lost by an interruption is what came after the last evaluation; continuing repeats it
    bit for bit.

    Raises:
        TrainingDiverged: a number stopped being finite.
        UserError: the simulation broke, or the disk is full; the last checkpoint is untouched.
    """
    config, agent = run.config, run.config.agent()
    rows = run.rewind(int(state.env_steps))
    interval = _Interval(rows[-1]["seconds"] if rows else 0.0)
    due = _next_multiple(int(state.env_steps), config.evaluate_every)
    rounds = train_online(agent, state, envs, seed=config.seed, num_env_steps=config.num_env_steps)
    for state, happened in rounds:
        interval.add(happened)
        on_round(state)
        done = int(state.env_steps)
        if done < min(due, config.num_env_steps):
            continue
        policy = agent.policy(state.agent, explore=False)
        rollouts = evaluate_policy(policy, str(config.env["id"]), num_episodes=config.num_episodes)
        row = interval.row(state, rollouts)
        run.append(row)
        if config.keep_policies:
            run.keep_policy(policy, row)
        run.save(state, envs)
        on_row(row)
        interval = _Interval(row["seconds"])
        due = _next_multiple(done, config.evaluate_every)
    return state


class _Interval:
    """What was seen since the last evaluation, and when it began."""

    def __init__(self, spent: float):
        self.spent, self.began = spent, time.monotonic()
        self.rounds: list[Round] = []

    def add(self, happened: Round) -> None:
        self.rounds.append(happened)

    def row(self, state: OnlineState, rollouts: Rollouts) -> Row:
        """Scores of this moment, and means over the interval, in plain numbers."""
        seconds = time.monotonic() - self.began
        learned = [r.metrics for r in self.rounds if r.metrics]
        metrics = {
            name: float(np.mean(np.concatenate([m[name] for m in learned]), dtype=float))
            for name in (learned[0] if learned else {})
        }
        updates = sum(len(next(iter(m.values()))) for m in learned)
        explored = [value for r in self.rounds for value in r.returns]
        score = rollouts.normalised
        return {
            "env_steps": int(state.env_steps),
            "update": int(state.agent.update_count),
            "episode_return": float(rollouts.returns.mean()),
            "normalized_score": None if score is None else float(score.mean()),
            "returns": rollouts.returns.tolist(),
            "lengths": rollouts.lengths.tolist(),
            "exploration_return": float(np.mean(explored)) if explored else None,
            **metrics,
            "seconds": round(self.spent + seconds, 3),
            "updates_per_second": round(updates / seconds, 3),
        }


def _next_multiple(number: int, step: int) -> int:
    return (number // step + 1) * step


def write_online_result(run: OnlineRun, *, num_episodes: int = NUM_EPISODES) -> dict[str, Any]:
    """Score the last policy and write `result.json`.

    Raises:
        UserError: the run has no checkpoint, or cannot be scored here.
    """
    env_id = str(run.config.env["id"])
    rollouts = evaluate_policy(run.policy(), env_id, num_episodes=num_episodes)
    rates = [row["updates_per_second"] for row in run.rows()]
    extra = {"updates_per_second": float(np.median(rates)) if rates else 0.0}
    header = run.header()
    result = rollout_result(
        run.config.model, header["update"], header["env_steps"], rollouts,
        seed=run.config.seed, hyperparameters=run.config.hyperparameters, extra=extra,
    )  # fmt: skip
    write_json(run.folder / "result.json", result)
    return result


def rollout_result(
    model: str,
    num_updates: int,
    num_env_steps: int,
    rollouts: Rollouts,
    *,
    seed: int,
    hyperparameters: dict[str, Any],
    extra: dict[str, float] | None = None,
) -> dict[str, Any]:
    """The content of a `result.json` for a policy: its score and the passport of the score."""
    metrics = {"episode_return": float(rollouts.returns.mean()), **(extra or {})}
    if rollouts.normalised is not None:
        metrics["normalized_score"] = float(rollouts.normalised.mean())
    return {
        "format": FORMAT,
        "model": model,
        "hyperparameters": hyperparameters,
        "dataset": None,
        "seeds": [seed],
        "num_updates": num_updates,
        "num_env_steps": num_env_steps,
        "env": environment(rollouts.env_id),
        "score": {
            "rule": RULE,
            "num_episodes": len(rollouts.returns),
            "start_seed": rollouts.seed,
            "returns": rollouts.returns.tolist(),
            "lengths": rollouts.lengths.tolist(),
        },
        "metrics": {name: spread(np.asarray([value], float)) for name, value in metrics.items()},
        **provenance(),
    }
