"""`toolkit evaluate RUN_DIR`: prediction errors of a model, or returns of a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from toolkit.commands.output import plus_minus, table, write_report
from toolkit.errors import UserError

_STEPS = (1, 10, 25, 50, 100)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run and write its result.json: prediction errors of a model on its held-out
    episodes, or returns of a policy in its environment. Stored policies, such as
    toolkit/hopper-expert, are evaluated too."""

    run_dir: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="RUN_DIR")]
    """Folder of the run, or the name of a stored policy."""
    data: str | None = None
    """Models: another dataset to evaluate on, whole: a file or a name."""
    horizon: int = 100
    """Models: steps predicted from each start."""
    reencode_every: int | None = None
    """Models: encode the prediction again after so many steps, 0 never; without it, as trained."""
    num_episodes: int = 10
    """Policies: episodes, each from its own fixed start."""
    record: Path | None = None
    """Policies: also write one episode to this .gif or .mp4, and a film strip beside it."""
    json: Path | None = None
    """Also write the result to this file."""

    def run(self) -> int:
        """Print the table."""
        result = self._policy() if self._is_policy() else self._model()
        if self.json:
            write_report(self.json, result)
        return 0

    def _is_policy(self) -> bool:
        from toolkit.training.run import read_json

        config = Path(self.run_dir) / "config.json"
        if config.is_file():
            return read_json(config).get("kind") == "online"
        return self.run_dir.startswith("toolkit/") and not Path(self.run_dir).exists()

    def _model(self) -> dict[str, Any]:
        from toolkit.evaluation.scores import evaluate, load_test_data, write_result
        from toolkit.training.run import Run

        if self.record:
            raise UserError(f"{self.run_dir} trained a model, which does not act; omit `record`.")
        run = Run.open(self.run_dir)
        test = load_test_data(self.data) if self.data else None
        evaluation = evaluate(run, test, horizon=self.horizon, reencode_every=self.reencode_every)
        result = write_result(run, evaluation)
        print(report(result))
        return result

    def _policy(self) -> dict[str, Any]:
        from toolkit.commands.train_online import online_report
        from toolkit.evaluation.recording import record_motion, write_recording
        from toolkit.training.online_driver import write_online_result
        from toolkit.training.online_run import OnlineRun

        if self.data:
            raise UserError(f"{self.run_dir} is a policy, which is not evaluated on `data`.")
        if Path(self.run_dir).exists():
            run = OnlineRun.open(self.run_dir)
            policy, env_id = run.policy(), str(run.config.env["id"])
            result = write_online_result(run, num_episodes=self.num_episodes)
        else:
            from toolkit.behaviours.policies import load_behaviour, score_behaviour

            behaviour = load_behaviour(self.run_dir.removeprefix("toolkit/"))
            policy, env_id = behaviour.policy(explore=False), behaviour.robot.env_id
            result = score_behaviour(behaviour, num_episodes=self.num_episodes)
        print(online_report(result))
        if self.record:
            animation, strip = write_recording(self.record, record_motion(policy, env_id))
            print(f"\nrecorded in {animation} and {strip}")
        return result


def report(result: dict[str, Any]) -> str:
    """The scores of a `result.json` in words and a table."""
    score, metrics, seeds = result["score"], result["metrics"], len(result["seeds"])
    share, reward = metrics["state_error_vs_persistence"], metrics["reward_error"]
    return "\n".join([
        f"{result['model']} on {result['dataset']['name']}: update {result['num_updates']}, "
        f"{seeds} seed{'s' if seeds > 1 else ''}",
        f"tested on {score['num_test_windows']} windows of {score['horizon']} steps in "
        f"{score['num_test_episodes']} episodes of {score['test_data']['name']}",
        "",
        table([_HEAD, *(_row(metrics, step, seeds) for step in _steps(score["horizon"]))]),
        "",
        f"state error, share of persistence's, all steps: "
        f"{plus_minus(share['mean'], share['std'], seeds)}",
        f"reward error, all steps: {plus_minus(reward['mean'], reward['std'], seeds)}",
        f"updates per second: {metrics['updates_per_second']['mean']:.4g}",
    ])  # fmt: skip


_HEAD = ("steps", "normalised error", "raw error", "persistence", "mean predictor", "ratio")


def _steps(horizon: int) -> list[int]:
    return sorted({step for step in _STEPS if step <= horizon} | {horizon})


def _row(metrics: dict[str, Any], step: int, seeds: int) -> tuple[str, ...]:
    """Errors `step` steps ahead; `ratio` is the model's over persistence's."""

    def at(name: str, part: str = "mean") -> float:
        return metrics[name][part][step - 1]

    error, raw = "state_error_by_horizon", "state_error_raw_by_horizon"
    persistence, mean = at("persistence_error_by_horizon"), at("mean_predictor_error_by_horizon")
    return (
        str(step),
        plus_minus(at(error), at(error, "std"), seeds),
        plus_minus(at(raw), at(raw, "std"), seeds),
        f"{persistence:.4g}",
        f"{mean:.4g}",
        f"{at(error) / persistence:.4g}" if persistence > 0 else "-",
    )
