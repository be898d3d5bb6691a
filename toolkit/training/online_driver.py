"""Driving the online loop: rows, checkpoints and scores at every evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.envs import make_envs
from toolkit.envs.interface import AbstractEnvs
from toolkit.errors import UserError
from toolkit.evaluation.rollouts import NUM_EPISODES, Rollouts, evaluate_policy
from toolkit.evaluation.scores import rollout_result
from toolkit.training.config import check_numbers, hyperparameters_of
from toolkit.training.online import OnlineState, Round, init_online, train_online
from toolkit.training.online_config import EVALUATE_EVERY, OnlineConfig
from toolkit.training.online_run import OnlineRun
from toolkit.training.passport import environment
from toolkit.training.records import Row
from toolkit.training.run import write_json


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
    folder = Path(folder)
    config = partial(
        OnlineConfig, model, hyperparameters_of(agent), environment(env_id), seed=seed,
        evaluate_every=evaluate_every, num_episodes=num_episodes, keep_policies=keep_policies,
    )  # fmt: skip
    continued = OnlineRun.exists(folder)
    if continued:
        _check_same_run(folder, config, resume=resume)
    envs = make_envs(env_id, agent.num_envs, seed=seed, threads=threads, image_size=agent.sees())
    try:
        if continued and not envs.restorable:
            raise UserError(
                f"{folder} cannot be resumed, because the state of {env_id} cannot be saved; "
                "another `--out` starts beside it."
            )
        state = init_online(agent, envs, seed=seed)
        run = OnlineRun.create(folder, config(spec=envs.spec))  # the length may have changed
        if continued and run.has_checkpoint:
            state = run.restore(state, envs)
    except BaseException:
        envs.close()
        raise
    return run, state, envs


def _check_same_run(folder: Path, config: Callable[..., OnlineConfig], *, resume: bool) -> None:
    """Refuse a folder whose run is not to be resumed, or is another than `config` makes."""
    if not resume:
        raise UserError(
            f"{folder} already holds a run; `--resume` continues it, another `--out` starts "
            "beside it."
        )
    stored = OnlineRun.open(folder).config
    difference = config(spec=stored.spec).difference(stored)
    if difference:
        raise UserError(f"{folder} holds another run, so it cannot be resumed: {difference}.")


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
        interval.end()
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
    """What was seen since the last evaluation, and the time it took, without the next one's."""

    def __init__(self, spent: float):
        self.spent, self.began, self.seconds = spent, time.monotonic(), 0.0
        self.rounds: list[Round] = []

    def add(self, happened: Round) -> None:
        self.rounds.append(happened)

    def end(self) -> None:
        self.seconds = time.monotonic() - self.began

    def row(self, state: OnlineState, rollouts: Rollouts) -> Row:
        """Scores of this moment, and means over the interval, in plain numbers."""
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
            "seconds": round(self.spent + self.seconds, 3),
            "updates_per_second": round(updates / self.seconds, 3),
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
