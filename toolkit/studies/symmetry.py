"""`toolkit study symmetry`: is a transition shifted along a symmetry still a transition?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import UserError, check_seed
from toolkit.studies.small_data import trained
from toolkit.studies.table import Row, Table, described

SIZES = (0.001, 0.003, 0.01, 0.03, 0.1)
#: Updates, transitions and sizes of a run that only shows that everything works.
FAST = (20, 50, (0.01,))


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """Shift recorded states, put the simulator into them, and see where it really goes.

    For every generator, noise and control, at every size: how far the shifted pair is from the
    true dynamics, beside the model's own error over one step, and beside the same shifted state
    whose next state was only moved along. A study that was stopped goes on where it stopped.
    """

    data: tuple[str, ...]
    """Datasets of MuJoCo robots: files, or names from `toolkit data list`."""
    out: Path
    """The table, as JSON."""
    runs: Path = Path("runs/symmetry")
    """Folder of the two models for each dataset."""
    seed: int = 0
    """Seed of the models, of the transitions and of the shifts."""
    num_updates: int = 20_000
    """Updates of each model, at most."""
    num_transitions: int = 2000
    """Transitions that are shifted."""
    sizes: tuple[float, ...] = SIZES
    """Shift sizes ε: shares of a latent state, or standard deviations of noise."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def run(self) -> int:
        """Fill the table, dataset by dataset, and print it."""
        if not self.data:
            raise UserError("`data` must name at least one dataset.")
        if not self.sizes or not min(self.sizes) > 0:
            raise UserError(f"`sizes` must be positive numbers, at least one, got {self.sizes}.")
        check_seed(self.seed)
        for name in ("num_updates", "num_transitions"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        updates, transitions, sizes = self.num_updates, self.num_transitions, self.sizes
        if self.fast:
            updates, transitions, sizes = FAST
        settings = {
            "seed": self.seed, "num_updates": updates, "num_transitions": transitions,
            "sizes": list(sizes), **({"fast": True} if self.fast else {}),
        }  # fmt: skip
        table = Table(self.out, settings)
        table.check_data(self.data)
        for where in self.data:
            if any(row["dataset"]["label"] == Path(where).stem for row in table.rows):
                continue
            table.rows.extend(measured(where, self.seed, updates, transitions, sizes, self.runs))
            table.save()
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0


def measured(
    where: str, seed: int, updates: int, transitions: int, sizes: Sequence[float], runs: Path
) -> list[Row]:
    """A row for every augmentation and size on one dataset."""
    import jax
    import jax.numpy as jnp
    import jax.random as jr

    from toolkit.data import load
    from toolkit.data.samplers import TransitionSampler, transitions_at
    from toolkit.envs.poses import robot_of
    from toolkit.evaluation.augmented import true_errors, whole_states
    from toolkit.evaluation.prediction import normalised
    from toolkit.evaluation.symmetry import augmentations, judge, model_error, verdict_row
    from toolkit.training.loop import select_seed
    from toolkit.training.run import provenance

    dataset = load(where)
    robot = robot_of(robot_name(dataset, where))
    models = {
        name: trained(name, {"num_updates": updates}, where, dataset, (seed,), runs, name)
        for name in ("koopman-forward", "spectral-core")
    }
    run = models["koopman-forward"]
    normaliser = run.normaliser()
    best = {name: select_seed(found.state(), 0).best for name, found in models.items()}
    rows = np.asarray(TransitionSampler(dataset, successors_only=True).rows)
    rows = np.random.default_rng(seed).permutation(rows)
    batch = transitions_at(normalised(dataset, normaliser), jnp.asarray(rows, jnp.int32))
    usable = np.flatnonzero(whole_states(robot, normaliser, batch))[:transitions]
    batch = jax.tree.map(lambda column: column[usable], batch)
    common = {
        "dataset": described(run, where),
        "num_transitions": len(usable),
        "replay_error": float(f"{true_errors(robot, normaliser, batch).mean():.4g}"),
        "model_error": {name: float(f"{model_error(m, batch):.5g}") for name, m in best.items()},
        **provenance(),
    }
    found = []
    for size in sizes:
        ways = augmentations(best["koopman-forward"], best["spectral-core"], size)
        for at, (name, (augmentation, model)) in enumerate(ways.items()):
            key = jr.fold_in(jr.key(seed), at)
            verdict = judge(augmentation, batch, robot, normaliser, model=model, key=key)
            found.append({"augmentation": name, "size": size, **verdict_row(verdict), **common})
    return found


def robot_name(dataset: Any, where: str) -> str:
    """The robot that a dataset was recorded from.

    Raises:
        UserError: its source names none.
    """
    from toolkit.data.tasks import family_name

    name = family_name(dataset.source)
    if name is None:
        raise UserError(f"{where} does not say which robot it was recorded from.")
    return name


def summary(rows: Sequence[Row]) -> list[str]:
    """For each dataset the augmentations line by line, with their errors at every size."""
    lines = []
    for label in dict.fromkeys(row["dataset"]["label"] for row in rows):
        own = [row for row in rows if row["dataset"]["label"] == label]
        errors = ", ".join(f"{name} {e:.4f}" for name, e in own[0]["model_error"].items())
        lines += [
            "",
            f"{label}: one step of the model itself: {errors}; of the simulator from recorded "
            f"states: {own[0]['replay_error']:.4f}",
            f"{'':24s}{'size':>8s}{'moved':>10s}{'error':>10s}{'95 %':>20s}"
            f"{'moved along':>13s}{'wins':>7s}{'predicted':>11s}",
        ]
        for row in sorted(own, key=lambda row: row["augmentation"]):
            predicted = row["predicted_error"]
            interval = f"{row['low']:.5f}–{row['high']:.5f}"
            lines.append(
                f"{row['augmentation']:24s}{row['size']:8g}{row['displacement']:10.5f}"
                f"{row['error']:10.5f}{interval:>20s}"
                f"{row['translated_error']:13.5f}{row['wins']:7.0%}"
                + (f"{predicted:11.5f}" if predicted is not None else f"{'–':>11s}")
            )
    return lines
