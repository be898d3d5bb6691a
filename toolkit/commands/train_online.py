"""`toolkit train AGENT --env ID`: an agent that collects its own experience."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from toolkit.agents.interface import AbstractOnlineAgent
from toolkit.commands.output import table
from toolkit.evaluation.rollouts import NUM_EPISODES
from toolkit.registry import name_of
from toolkit.training.loop import TrainingDiverged
from toolkit.training.online import OnlineState
from toolkit.training.online_config import EVALUATE_EVERY
from toolkit.training.online_driver import (
    fit_online,
    start_or_continue_online,
    write_online_result,
)
from toolkit.training.online_run import OnlineRun
from toolkit.training.records import Row

Agent = TypeVar("Agent", bound=AbstractOnlineAgent)


@dataclass(frozen=True, kw_only=True)
class TrainOnline(Generic[Agent]):
    """Train an agent in an environment, score it, and keep everything in one folder."""

    env: str = "Hopper-v4"
    """Gymnasium id of the environment, or dmc/DOMAIN-TASK of DeepMind Control; @REPEAT behind it
    sets the action repeat."""
    seed: int = 0
    """Seed of the agent and of the environment's starts."""
    out: Path | None = None
    """Folder of the run; without it, runs/AGENT-ENV."""
    resume: bool = False
    """Continue the run in the folder, exactly as if it had not been stopped; not for
    environments of your own, whose state cannot be saved."""
    evaluate_every: int = EVALUATE_EVERY
    """Environment steps between two scores; everything is saved at each."""
    num_episodes: int = NUM_EPISODES
    """Episodes per score during training; the score at the end always has 10."""
    keep_policies: bool = False
    """Keep the agent of every score, not only the last."""
    threads: int | None = None
    """Threads of the simulator; without it, one per core."""
    agent: Annotated[Agent, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]

    def run(self) -> int:
        """0 when trained and scored, 1 if the numbers stopped being finite, 130 on Ctrl-C."""
        model = name_of(type(self.agent))
        out = self.out or Path("runs") / f"{model}-{self.env.replace('/', '-')}"
        run, state, envs = start_or_continue_online(
            out, model, self.agent, self.env, seed=self.seed, evaluate_every=self.evaluate_every,
            num_episodes=self.num_episodes, keep_policies=self.keep_policies,
            threads=self.threads, resume=self.resume,
        )  # fmt: skip
        try:
            with _Bar(int(state.env_steps), run.config.num_env_steps) as bar:
                fit_online(run, state, envs, on_round=bar.move, on_row=bar.show)
        except TrainingDiverged as error:
            print(f"toolkit: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return _interrupted(run, resumable=envs.restorable)
        finally:
            envs.close()
        print(f"{online_report(write_online_result(run))}\n\nEverything is in {run.folder}.")
        return 0


def _interrupted(run: OnlineRun, *, resumable: bool) -> int:
    steps = run.header()["env_steps"] if run.has_agent else 0
    saved = "checkpoint" if resumable else "agent"
    going_on = (
        f"Continue with: {run.config.command(run.folder)}" if resumable
        else f"The state of {run.config.env['id']} cannot be saved, so this run cannot go on."
    )  # fmt: skip
    print(
        f"Stopped; the last score and {saved} are from environment step {steps} of "
        f"{run.config.num_env_steps}. {going_on}",
        file=sys.stderr,
    )
    return 130


class _Bar:
    """A progress bar in environment steps, with the last score."""

    def __init__(self, done: int, total: int):
        from tqdm.auto import tqdm

        self.bar = tqdm(total=total, initial=done, unit=" steps", dynamic_ncols=True)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def move(self, state: OnlineState) -> None:
        """Move to a state's step."""
        self.bar.update(int(state.env_steps) - self.bar.n)

    def show(self, row: Row) -> None:
        """Show the newest score."""
        self.bar.set_postfix({"return": f"{row['episode_return']:.4g}"}, refresh=False)


def online_report(result: dict[str, Any]) -> str:
    """The scores of an online run's `result.json` in words and a table."""
    score, metrics, env = result["score"], result["metrics"], result["env"]
    returns = score["returns"]
    rows = [("episodes", "mean return", "lowest", "highest", "normalised score")]
    normalised = metrics.get("normalized_score")
    rows.append((
        str(len(returns)), f"{metrics['episode_return']['mean']:.5g}", f"{min(returns):.5g}",
        f"{max(returns):.5g}", f"{normalised['mean']:.4g}" if normalised else "-",
    ))  # fmt: skip
    lines = [
        f"{result['model']} in {env['id']} (mujoco {env['mujoco']}): update "
        f"{result['num_updates']:,}, environment step {result['num_env_steps']:,}",
        f"scored by: {score['rule']}; episodes from fixed starts (seed {score['start_seed']})",
        "",
        table(rows),
    ]
    if "updates_per_second" in metrics:
        lines += ["", f"updates per second: {metrics['updates_per_second']['mean']:.4g}"]
    return "\n".join(lines)
