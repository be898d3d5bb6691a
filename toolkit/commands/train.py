"""`toolkit train MODEL`: from a dataset to a run directory."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import tyro

from toolkit.commands.evaluate import finisher, measurer
from toolkit.errors import UserError
from toolkit.registry import find_model, name_of
from toolkit.training.config import CHUNK_UPDATES, DEFAULT_DATA, parse_seeds
from toolkit.training.driver import CHECKPOINT_SECONDS, already_there, fit, start_or_continue
from toolkit.training.experiment import Experiment, prepare
from toolkit.training.learner import AbstractLearner, State
from toolkit.training.loop import TrainingDiverged
from toolkit.training.records import Row
from toolkit.training.run import Run

Learner = TypeVar("Learner", bound=AbstractLearner)


@dataclass(frozen=True, kw_only=True)
class Train(Generic[Learner]):
    """Train a model on a dataset, evaluate it, and keep everything in one folder."""

    data: str = DEFAULT_DATA
    """Dataset: a file, or a name from `toolkit data list`."""
    env: str | None = None
    """Gymnasium id of the environment that the scores belong to."""
    seeds: str = "0"
    """Seeds joined by commas, trained in one program: 0,1,2."""
    out: Path | None = None
    """Folder of the run; without it, runs/MODEL-DATA."""
    resume: bool = False
    """Continue the run in the folder, exactly as if it had not been stopped."""
    chunk_updates: int = CHUNK_UPDATES
    """Updates per compiled chunk; the bar and the metrics move once per chunk."""
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    """Shortest time between two checkpoints, in seconds."""
    evaluate_every: int = 0
    """Agents: score the policy also every so many updates, in metrics.jsonl; 0 only at the end."""
    learner: Annotated[Learner, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]

    def run(self) -> int:
        """0 when trained and evaluated, 1 if the numbers stopped being finite, 130 on Ctrl-C."""
        if not self.checkpoint_seconds >= 0:
            raise UserError(
                f"`checkpoint_seconds` must not be negative, got {self.checkpoint_seconds}."
            )
        model = name_of(type(self.learner))
        settings: Any = {
            "seeds": parse_seeds(self.seeds), "chunk_updates": self.chunk_updates, "env": self.env,
        }  # fmt: skip
        out = self.out or default_folder(model, self.data)
        experiment = prepare(model, self.learner, self.data, **settings)
        if self.evaluate_every and experiment.config.kind != "agent":
            raise UserError(
                f"`evaluate_every` is for agents, which have a policy to score; {model} is a "
                f"{experiment.config.kind}{' model' * (experiment.config.kind == 'dynamics')}."
            )
        if self.evaluate_every < 0 or self.evaluate_every % self.chunk_updates:
            raise UserError(
                "`evaluate_every` must be 0 or a multiple of `chunk_updates` "
                f"({self.chunk_updates}), got {self.evaluate_every}."
            )
        if Run.exists(out) and not self.resume:
            raise already_there(out)
        learner = self._with_foundation(self.learner, out)
        if isinstance(learner, int):
            return learner
        if learner is not self.learner:  # of an agent's data nothing was held out: read once
            experiment = prepare(model, learner, self.data, dataset=experiment.test, **settings)
        finish = finisher(experiment)
        run, state = start_or_continue(out, experiment, resume=self.resume)
        stopped = self._train(run, experiment, state)
        if stopped:
            return stopped
        print(f"{finish(run)}\n\nEverything is in {run.folder}.")
        return 0

    def _with_foundation(self, learner: Learner, out: Path) -> Learner | int:
        """The learner with the folder of what it builds on, trained first where none was named;
        an exit code where that training did not come to its end.
        """
        named = getattr(learner, "representation", None)
        if named is None:
            return learner
        if named:  # absolute, like the data's location: the run may be continued from elsewhere
            return replace(learner, representation=str(Path(named).resolve()))
        folder = (out / "representation").resolve()
        first = Train(
            data=self.data, env=self.env, seeds=self.seeds, out=folder,
            resume=self.resume or Run.exists(folder), chunk_updates=self.chunk_updates,
            checkpoint_seconds=self.checkpoint_seconds, learner=learner.foundation(),
        )  # fmt: skip
        print(f"The representation first, in {folder}.")
        code = first.run()
        return code or replace(learner, representation=str(folder))

    def _train(self, run: Run, experiment: Experiment, state: State) -> int:
        """Exit code of the training itself; 0 when it came to its end."""
        done, total = int(state.update_count[0]), run.config.num_updates
        if done >= total:
            print(f"{run.folder} is already complete at update {done}; evaluating it again.")
            return 0
        try:
            with _Bar(done, total) as bar:
                fit(
                    run, experiment, state,
                    checkpoint_seconds=self.checkpoint_seconds, on_chunk=bar.show,
                    measure=measurer(run, experiment), measure_every=self.evaluate_every,
                )  # fmt: skip
        except TrainingDiverged as error:
            print(f"toolkit: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            update = run.header()["update"] if run.has_checkpoint else 0
            command = run.config.command(run.folder, self._of_this_call())
            print(
                f"Stopped at update {update} of {total}; continue with: {command}", file=sys.stderr
            )
            return 130
        return 0

    def _of_this_call(self) -> dict[str, int | float]:
        """What changes no number of the run, so that its folder does not know it."""
        chosen = {
            "evaluate_every": self.evaluate_every, "checkpoint_seconds": self.checkpoint_seconds,
        }  # fmt: skip
        usual = Train.__dataclass_fields__
        return {name: value for name, value in chosen.items() if value != usual[name].default}


class _Bar:
    """A progress bar with updates per second and the time left, moved once per chunk."""

    def __init__(self, done: int, total: int):
        from tqdm.auto import tqdm

        self.bar = tqdm(total=total, initial=done, unit=" updates", dynamic_ncols=True)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, row: Row) -> None:
        """Move to the row's update and show its loss."""
        losses = sorted(key for key in row if key.startswith("loss"))
        if losses:
            name = "loss/total" if "loss/total" in losses else losses[0]
            self.bar.set_postfix({name: f"{sum(row[name]) / len(row[name]):.4g}"}, refresh=False)
        self.bar.update(row["update"] - self.bar.n)


def train_command(model: str) -> Any:
    """The command that trains one model of the registry; its learner's fields are arguments."""
    entry = find_model(model)
    if entry.kind == "online":
        from toolkit.commands.train_online import TrainOnline

        return TrainOnline[entry.load()]
    return Train[entry.load()]


def default_folder(model: str, data: str) -> Path:
    """`runs/MODEL-DATA`, with a file's stem and nothing that a file system dislikes."""
    stem = Path(data).stem if Path(data).exists() else data
    return Path("runs") / re.sub(r"[^A-Za-z0-9._+-]+", "-", f"{model}-{stem}")
