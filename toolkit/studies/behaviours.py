"""`toolkit study behaviours RUN_DIR`: from a training run to the policies in the package."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import tyro

from toolkit.agents.interface import AbstractPolicy
from toolkit.agents.sac import ActorPolicy
from toolkit.behaviours.policies import FOLDER, score_behaviour, store_behaviour
from toolkit.commands.output import table
from toolkit.envs.robots import ROBOTS, find_robot
from toolkit.errors import UserError
from toolkit.training.online_run import OnlineRun
from toolkit.training.records import Row
from toolkit.training.run import provenance

BEFORE_MEDIUM = 3
AFTER_MEDIUM = 2
Kept = tuple[AbstractPolicy, Row]


@dataclass(frozen=True)
class Behaviours:
    """Store a training run's last policy as expert, the one nearest to a third of its score as
    medium, and some between for replay sets, each with its passport and the learning curve."""

    run_dir: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of a run of `toolkit train sac --keep-policies`."""
    num_episodes: int = 20
    """Episodes that score each stored policy."""
    out: Path = FOLDER
    """Folder of the stored policies."""

    def run(self) -> int:
        """Print the score of every stored stage.

        The robot's stored policies are replaced when all new ones are scored, and not before.

        Raises:
            UserError: the run is of no robot with stored policies, is not SAC's, or kept too few
                policies; `num_episodes` is below one.
        """
        run = OnlineRun.open(self.run_dir)
        robot = find_robot(str(run.config.env["id"]))
        if robot is None:
            raise UserError(f"{self.run_dir} was not trained on one of {', '.join(ROBOTS)}.")
        if run.config.model != "sac":
            raise UserError(
                f"Behaviours are the actors of `toolkit train sac`; {self.run_dir} holds a run of "
                f"{run.config.model}."
            )
        kept = run.policies()
        chosen = choose_stages([row for _, row in kept])
        curve = [(int(row["env_steps"]), round(row["episode_return"], 1)) for _, row in kept]
        rows = [("policy", "environment steps", "mean return", "normalised score")]
        self.out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.out) as beside:
            for stage, index in chosen.items():
                policy, row = kept[index]
                score = self._store(run, robot.name, stage, policy, row, curve, Path(beside))
                rows.append((
                    f"{robot.name}-{stage}", f"{row['env_steps']:,}",
                    f"{score['episode_return']:.1f}", f"{score['normalized_score']:.1f}",
                ))  # fmt: skip
            for old in self.out.glob(f"{robot.name}-*.ckpt"):
                old.unlink()
            for new in Path(beside).iterdir():
                new.rename(self.out / new.name)
        print(table(rows))
        return 0

    def _store(
        self, run: OnlineRun, robot: str, stage: str, policy: AbstractPolicy, row: Row,
        curve: list[tuple[int, float]], folder: Path,
    ) -> dict[str, float]:  # fmt: skip
        """Store one stage, then score what was stored and add the score to its passport."""
        assert isinstance(policy, ActorPolicy)
        passport: dict[str, Any] = {
            "env": run.config.env,
            "env_steps": row["env_steps"],
            "update": row["update"],
            "seed": run.config.seed,
            "hyperparameters": run.config.hyperparameters,
            "trained_by": run.config.command(Path("RUN_DIR")).removesuffix(" --resume"),
            "rule": "expert is the last policy of the run, which was stopped at a score above "
            "80; medium is the kept policy whose score is nearest to a third of the expert's",
            "curve": curve,
            **provenance(),
        }
        stored = store_behaviour(robot, stage, policy.actor, passport, folder)
        result = score_behaviour(stored, num_episodes=self.num_episodes)
        score = {
            "episode_return": result["metrics"]["episode_return"]["mean"],
            "normalized_score": result["metrics"]["normalized_score"]["mean"],
        }
        returns = [round(value, 2) for value in result["score"]["returns"]]
        store_behaviour(robot, stage, policy.actor, passport | score | {"returns": returns}, folder)
        return score


def choose_stages(rows: list[Row]) -> dict[str, int]:
    """Which kept policies become which stage, in the order of training.

    Raises:
        UserError: there are too few to choose from.
    """
    if len(rows) < 3:
        raise UserError(
            f"Stages are chosen from at least 3 kept policies, got {len(rows)}; train with "
            "--keep-policies and a smaller --evaluate-every."
        )
    last = len(rows) - 1
    scores = np.array([row["normalized_score"] for row in rows])
    medium = 1 + int(np.abs(scores[1:last] - scores[last] / 3).argmin())
    before = np.unique(np.linspace(0, medium, BEFORE_MEDIUM + 1).round().astype(int)[:-1])
    after = np.unique(np.linspace(medium, last, AFTER_MEDIUM + 2).round().astype(int)[1:-1])
    between = [i for i in (*before, *after) if i not in (medium, last)]
    names = {int(i): f"{round(rows[i]['env_steps'] / 1000):04d}k" for i in between}
    names |= {medium: "medium", last: "expert"}
    return {names[i]: i for i in sorted(names)}
