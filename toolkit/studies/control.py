"""`toolkit study control`: agents that learn online in DeepMind Control, and their curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.studies.comparison import Candidate
from toolkit.studies.control_table import about, summary, told
from toolkit.studies.table import Row, Table

_FIVE = {"decoded_steps": 5}
#: The encoder makes the modes themselves: the literal reading of arXiv:2306.11941 §4.2.1.
_MODES_FOR_LATENT = _FIVE | {"lifted": False, "modes": 50}
_PUBLISHED_SPECTRUM = _FIVE | {"real_part": "constant", "frequency_scale": 1.0}
#: Agents by the names of their rows; those of arXiv:2306.11941 Figs. 5 and 6, and some of our own.
CANDIDATES = {
    c.name: c
    for c in (
        Candidate("tdmpc", "tdmpc"),
        Candidate("tdmpc, horizon 20", "tdmpc", {"horizon": 20}),
        Candidate("tdmpc, horizon 20, losses of 5", "tdmpc", {"horizon": 20} | _FIVE),
        Candidate("koopman-tdmpc", "koopman-tdmpc"),
        Candidate("koopman-tdmpc, losses of 5", "koopman-tdmpc", _FIVE),
        Candidate("koopman-tdmpc, horizon 5", "koopman-tdmpc", {"horizon": 5}),
        Candidate("koopman-tdmpc, plans of 20", "koopman-tdmpc", {"plan_horizon": 20} | _FIVE),
        Candidate("koopman-tdmpc, modes for latent", "koopman-tdmpc", _MODES_FOR_LATENT),
        Candidate("koopman-tdmpc, paper's spectrum", "koopman-tdmpc", _PUBLISHED_SPECTRUM),
        Candidate(
            "koopman-tdmpc, as in the paper",
            "koopman-tdmpc",
            _MODES_FOR_LATENT | _PUBLISHED_SPECTRUM | {"plan_horizon": 20},
        ),
        Candidate("sac", "sac"),
        Candidate("sac-pixels", "sac-pixels"),
        Candidate("spr", "spr"),
        Candidate("koopman-spr", "koopman-spr"),
    )
}
_SMALL_PLANNING = {
    "hidden": 128, "encoder_hidden": 128, "batch_size": 128, "samples": 128, "proposals": 8,
    "elites": 16, "iterations": 4, "random_steps": 500, "schedule_steps": 2_000,
}  # fmt: skip
_SMALL_PIXELS = {  # shifts are as published a twentieth of the image
    "image_size": 48, "shift": 2, "filters": 16, "hidden": 256, "batch_size": 64,
    "random_steps": 500,
}  # fmt: skip
#: Networks, batches and plans for a computer without a GPU; everything else is as published.
REDUCED: dict[str, dict[str, Any]] = {
    "tdmpc": _SMALL_PLANNING,
    "koopman-tdmpc": _SMALL_PLANNING,
    "sac": {"batch_size": 128, "random_steps": 500},
    "sac-pixels": _SMALL_PIXELS,
    "spr": _SMALL_PIXELS,
    "koopman-spr": _SMALL_PIXELS,
}
_FAST_PLANNING = {
    "latent": 4, "hidden": 8, "encoder_hidden": 8, "batch_size": 8, "samples": 8, "proposals": 2,
    "elites": 2, "iterations": 1, "random_steps": 8, "replay_capacity": 256,
}  # fmt: skip
_FAST_PIXELS = {
    "image_size": 24, "shift": 1, "filters": 9, "features": 4, "hidden": 8, "batch_size": 4,
    "random_steps": 8, "replay_capacity": 256,
}  # fmt: skip
FAST_OPTIONS: dict[str, dict[str, Any]] = {
    "tdmpc": _FAST_PLANNING,
    "koopman-tdmpc": _FAST_PLANNING | {"modes": 4, "lift_hidden": 8, "action_hidden": 4},
    "sac": {"hidden": 8, "batch_size": 8, "random_steps": 8, "replay_capacity": 256},
    "sac-pixels": _FAST_PIXELS,
    "spr": _FAST_PIXELS,
    "koopman-spr": _FAST_PIXELS,
}
#: Control steps of a `fast` study: one round of acting and learning behind the random ones.
FAST_DECISIONS = 128


@dataclass(frozen=True, kw_only=True)
class Control:
    """Train agents in tasks of DeepMind Control, and follow what their policies earn.

    Budgets are told in control steps of the simulator, so that a task's action repeat gives no
    agent more experience. A study that was stopped goes on where it stopped, in the middle of a
    training too; a later call may add agents, tasks, seeds or longer runs to the same table.

    Source: arXiv:2306.11941 §4.2, which has 500,000 control steps and five seeds.
    """

    out: Path
    """The table, as JSON."""
    runs: Path = Path("runs/control")
    """Folder of the runs, one for each task, agent, length and seed."""
    tasks: tuple[str, ...] = ("dmc/cartpole-swingup", "dmc/cheetah-run")
    """Tasks, as dmc/DOMAIN-TASK or dmc/DOMAIN-TASK@REPEAT."""
    agents: tuple[str, ...] = ("tdmpc", "tdmpc, horizon 20", "koopman-tdmpc")
    """Which agents: names of the study's candidates."""
    seeds: str = "0,1,2,3,4"
    """Seeds joined by commas, each trained by itself."""
    num_control_steps: int = 500_000
    """Length of each run, in steps of the simulator, action repeats counted."""
    num_scores: int = 10
    """Points of a learning curve; everything is saved at each."""
    num_episodes: int = 10
    """Episodes of a point of the curve, from fixed starts; the score at the end always has 10."""
    reduced: bool = False
    """Smaller networks, batches and plans, for a computer without a GPU; rows say so."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def run(self) -> int:
        """Fill the table, run by run, and print it.

        Raises:
            UserError: an agent or a task is unknown, a number is below one, or the table holds a
                study with other settings.
        """
        from toolkit.envs.dmc import parse
        from toolkit.training.config import parse_seeds

        seeds = parse_seeds(self.seeds)
        for name in ("tasks", "agents"):
            if not getattr(self, name):
                raise UserError(f"`{name}` must name at least one.")
        unknown = [name for name in self.agents if name not in CANDIDATES]
        if unknown:
            raise UserError(f"`agents` must be of {'; '.join(CANDIDATES)}, got {unknown[0]!r}.")
        for name in ("num_control_steps", "num_scores", "num_episodes"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        repeats = {task: parse(task)[2] for task in self.tasks}
        settings = {
            "num_scores": self.num_scores, "num_episodes": self.num_episodes,
            "reduced": self.reduced, "fast": self.fast,
        }  # fmt: skip
        table = Table(self.out, settings)
        for seed in seeds:
            for task in self.tasks:
                for name in self.agents:
                    self.complete(table, task, repeats[task], CANDIDATES[name], seed)
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0

    def complete(
        self, table: Table, task: str, repeat: int, candidate: Candidate, seed: int
    ) -> None:
        """Add the row of an agent in a task, unless the table has it at this length."""
        decisions = FAST_DECISIONS if self.fast else -(-self.num_control_steps // repeat)
        wanted = task, candidate.name, seed
        if any(about(r) == wanted and r["num_env_steps"] >= decisions for r in table.rows):
            return
        options = candidate.options | {"num_env_steps": decisions}
        if self.fast:
            options = FAST_OPTIONS[candidate.model] | options
        elif self.reduced:
            options = REDUCED[candidate.model] | options
        name = f"{candidate.name}-{decisions}-seed-{seed}".replace(", ", "-").replace(" ", "-")
        folder = self.runs / task.replace("/", "-") / name
        row = train_and_score(
            candidate, task, seed, options, folder,
            evaluate_every=max(1, decisions // self.num_scores), num_episodes=self.num_episodes,
        )  # fmt: skip
        row |= {"repeat": repeat, "reduced": self.reduced}
        table.rows.append(row)
        table.save()
        print(told(row), flush=True)


def train_and_score(
    candidate: Candidate,
    task: str,
    seed: int,
    options: dict[str, Any],
    folder: Path,
    *,
    evaluate_every: int,
    num_episodes: int,
) -> Row:
    """The row of one agent in one task with one seed, begun or continued in its own folder."""
    from toolkit.registry import find_model
    from toolkit.training.config import chosen_hyperparameters
    from toolkit.training.online_driver import (
        fit_online,
        start_or_continue_online,
        write_online_result,
    )
    from toolkit.training.run import provenance

    agent = find_model(candidate.model).load()(**options)
    run, state, envs = start_or_continue_online(
        folder, candidate.model, agent, task, seed=seed, evaluate_every=evaluate_every,
        num_episodes=num_episodes, resume=True,
    )  # fmt: skip
    try:
        fit_online(run, state, envs)
    finally:
        envs.close()
    result, rows = write_online_result(run), run.rows()
    score, metrics = result["score"], result["metrics"]
    return {
        "env": result["env"],
        "candidate": candidate.name,
        "model": candidate.model,
        "hyperparameters": chosen_hyperparameters(candidate.model, run.config.hyperparameters),
        "seed": seed,
        "num_env_steps": result["num_env_steps"],
        "num_updates": result["num_updates"],
        "curve_env_steps": [row["env_steps"] for row in rows],
        "curve_return": [round(row["episode_return"], 2) for row in rows],
        "seconds": rows[-1]["seconds"],
        "updates_per_second": metrics["updates_per_second"]["mean"],
        "rule": score["rule"],
        "start_seed": score["start_seed"],
        "episode_return": metrics["episode_return"]["mean"],
        "returns": [round(value, 2) for value in score["returns"]],
        **provenance(),
    }
