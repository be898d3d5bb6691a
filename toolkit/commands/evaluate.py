"""`toolkit evaluate RUN_DIR`: prediction errors of a model, or returns of a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from toolkit.commands.output import plus_minus, table, write_report
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.training.config import RunConfig
    from toolkit.training.experiment import Experiment
    from toolkit.training.run import Run

_STEPS = (1, 10, 25, 50, 100)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run and write its result.json: prediction errors of a dynamics model on its
    held-out episodes, losses of a representation, or returns of a policy in its environment.
    Stored policies, such as toolkit/hopper-expert, are evaluated too."""

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
        kind = self._kind()
        if kind in ("dynamics", "representation") and self.record:
            raise UserError(f"{self.run_dir} trained a model, which does not act; omit `record`.")
        if kind != "dynamics" and self.data:
            raise UserError(f"{self.run_dir} is not evaluated on `data`, as dynamics models are.")
        if kind == "dynamics":
            result = self._model()
        elif kind == "representation":
            result = self._representation()
        else:
            result = self._agent() if kind == "agent" else self._policy()
        if self.json:
            write_report(self.json, result)
        return 0

    def _kind(self) -> str:
        """What there is to evaluate: a kind of the registry, or a stored `policy`."""
        from toolkit.training.run import Run, read_json

        config = Path(self.run_dir) / "config.json"
        if config.is_file() and read_json(config).get("kind") == "online":
            return "online"
        if self.run_dir.startswith("toolkit/") and not Path(self.run_dir).exists():
            return "policy"
        return Run.open(self.run_dir).config.kind

    def _model(self) -> dict[str, Any]:
        from toolkit.evaluation.scores import evaluate, load_test_data, write_result
        from toolkit.training.run import Run

        run = Run.open(self.run_dir)
        test = load_test_data(self.data) if self.data else None
        evaluation = evaluate(run, test, horizon=self.horizon, reencode_every=self.reencode_every)
        result = write_result(run, evaluation)
        print(report(result))
        return result

    def _representation(self) -> dict[str, Any]:
        from toolkit.evaluation.representation_scores import score_representation
        from toolkit.training.run import Run

        run = Run.open(self.run_dir)
        result = score_representation(run)
        print(representation_report(result, run.config))
        return result

    def _agent(self) -> dict[str, Any]:
        from toolkit.evaluation.agent_scores import env_of, score_agent
        from toolkit.training.run import Run

        run = Run.open(self.run_dir)
        result = score_agent(run, num_episodes=self.num_episodes)
        print(agent_report(result))
        if self.record:
            self._record(run.policy(), str(env_of(run)))
        return result

    def _record(self, policy: Any, env_id: str) -> None:
        from toolkit.evaluation.recording import record_motion, write_recording

        assert self.record is not None
        animation, strip = write_recording(self.record, record_motion(policy, env_id))
        print(f"\nrecorded in {animation} and {strip}")

    def _policy(self) -> dict[str, Any]:
        from toolkit.commands.train_online import online_report
        from toolkit.training.online_driver import write_online_result
        from toolkit.training.online_run import OnlineRun

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
            self._record(policy, env_id)
        return result


def finisher(experiment: Experiment) -> Callable[[Run], str]:
    """What follows a training: measure, write `result.json`, and return the report.

    What would not work then is found now.

    Raises:
        UserError: the data are too short to test on.
    """
    from toolkit.evaluation.agent_scores import env_of, score_agent
    from toolkit.evaluation.representation_scores import score_representation
    from toolkit.evaluation.scores import evaluate, reachable_horizon, write_result

    kind = experiment.config.kind
    if kind == "dynamics":
        horizon = reachable_horizon(experiment.test)
        return lambda run: report(
            write_result(run, evaluate(run, experiment.test, horizon=horizon))
        )
    if kind == "representation":
        return lambda run: representation_report(score_representation(run, experiment), run.config)

    def score(run: Run) -> str:
        if env_of(run) is None:
            return "Not scored: the data name no environment, and `env` was not given."
        return agent_report(score_agent(run))

    return score


def measurer(run: Run, experiment: Experiment) -> Callable[[Any], dict[str, Any]] | None:
    """What to measure of an agent's states while they train: scores in its environment."""
    from toolkit.evaluation.agent_scores import env_of, scores_of

    env_id = env_of(run)
    if experiment.config.kind != "agent" or env_id is None:
        return None
    return lambda states: scores_of(experiment, states, env_id)


def agent_report(result: dict[str, Any]) -> str:
    """The scores of an offline agent's `result.json` in words and a table, a row per seed."""
    score, metrics, env = result["score"], result["metrics"], result["env"]
    normalised = metrics.get("normalized_score")
    rows = [("seed", "mean return", "lowest", "highest", "mean length", "normalised score")]
    for at, (seed, returns, lengths) in enumerate(
        zip(result["seeds"], score["returns"], score["lengths"], strict=True)
    ):
        rows.append((
            str(seed), f"{sum(returns) / len(returns):.5g}", f"{min(returns):.5g}",
            f"{max(returns):.5g}", f"{sum(lengths) / len(lengths):.4g}",
            f"{normalised['per_seed'][at]:.4g}" if normalised else "-",
        ))  # fmt: skip
    seeds = len(result["seeds"])
    main = normalised or metrics["episode_return"]
    name = "normalised score" if normalised else "return"
    return "\n".join([
        f"{result['model']} on {result['dataset']['name']}, in {env['id']} "
        f"(mujoco {env['mujoco']}): update {result['num_updates']:,}",
        f"scored by: {score['rule']}; {score['num_episodes']} episodes from fixed starts "
        f"(seed {score['start_seed']})",
        "",
        table(rows),
        "",
        f"{name}: {plus_minus(main['mean'], main['std'], seeds)}",
        f"updates per second: {metrics['updates_per_second']['mean']:.4g}",
    ])  # fmt: skip


def representation_report(result: dict[str, Any], config: RunConfig) -> str:
    """The terms of a representation's `result.json`, and what its monitors say."""
    from toolkit.evaluation.representation_scores import warnings_of

    metrics, score, seeds = result["metrics"], result["score"], len(result["seeds"])
    rows = [("term", "mean")]
    rows += [(name.removeprefix("loss/"), plus_minus(m["mean"], m["std"], seeds))
             for name, m in metrics.items()]  # fmt: skip
    return "\n".join(
        [
            f"{result['model']} on {result['dataset']['name']}: update {result['num_updates']:,}",
            f"kept: {score['rule']}; measured on {score['num_held_out']:,} held-out transitions",
            "",
            table(rows),
            *warnings_of(metrics, config),
        ]
    )


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
