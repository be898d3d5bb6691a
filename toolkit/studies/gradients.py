"""`toolkit study gradients`: gradients through time of every model, against Theorem 3.1."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import UserError
from toolkit.studies.comparison import Candidate
from toolkit.studies.table import Row, Table, described, identity

if TYPE_CHECKING:
    from toolkit.data import Dataset, Window
    from toolkit.dynamics import AbstractDynamics

#: How far back gradients are followed, in environment steps.
LAGS = (1, 3, 10, 30, 100)
#: Of the full matrix: its size, and the real part and the shear of `sheared_rotation`, per step.
DENSE = {"size": 16, "decay": -0.1, "shear": 0.5}
#: What counts as inside the envelope, with rounding of 100 steps in single precision.
TOLERANCE = 1e-3

_TRAINED = (
    Candidate("koopman", "koopman"),
    Candidate("koopman, constant", "koopman", {"real_part": "constant"}),
    Candidate("gru", "gru"),
    Candidate("mlp", "mlp"),
    Candidate("mlp, 100 steps", "mlp", {"horizon": 100}),
    Candidate("transformer", "transformer"),
    Candidate("state-space", "state-space"),
)
_MATRICES = ("dense, normal", "dense, sheared")
MODELS = (*(candidate.name for candidate in _TRAINED), *_MATRICES)


@dataclass(frozen=True)
class Effort:
    """How much is trained and measured."""

    num_updates: int
    num_windows: int


FAST = Effort(num_updates=4, num_windows=4)


@dataclass(frozen=True, kw_only=True)
class Gradients:
    """Follow gradients back through a hundred steps of every model, before and after training.

    A size is that of ∂ℒ_k/∂z_0 as a multiple of ∂ℒ_k/∂z_k, for single windows; of the control
    that acted l steps before the state it is |∂ℒ/∂c|. A study that was stopped goes on.
    """

    data: str
    """A dataset: a file, or a name from `toolkit data list`."""
    out: Path
    """The table, as JSON."""
    models: tuple[str, ...] = MODELS
    """Which models. The full matrices are not trained."""
    seeds: str = "0"
    """Seeds joined by commas."""
    num_updates: int = 200
    """Updates of each model between the two measurements."""
    num_windows: int = 64
    """Windows of held-out episodes through which gradients are pulled."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def run(self) -> int:
        """Fill the table, row by row, and print it."""
        from toolkit.training.config import parse_seeds

        unknown = [name for name in self.models if name not in MODELS]
        if unknown:
            raise UserError(f"`models` must be of {'; '.join(MODELS)}, got {unknown[0]!r}.")
        effort = FAST if self.fast else Effort(self.num_updates, self.num_windows)
        for name, value in asdict(effort).items():
            if value < 1:
                raise UserError(f"`{name}` must be at least 1, got {value}.")
        table = Table(self.out, asdict(effort) | {"lags": list(LAGS)})
        table.check_data([self.data])
        label, done = Path(self.data).stem, {identity(row) for row in table.rows}
        for seed in parse_seeds(self.seeds):
            for name in self.models:
                if (label, name, seed) not in done:
                    table.rows.append(measure_model(name, self.data, seed, effort))
                    table.save()
                    print(told(table.rows[-1]), flush=True)
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0


def measure_model(name: str, data: str, seed: int, effort: Effort) -> Row:
    """Gradients through one model on held-out windows, before training and after it."""
    from toolkit.evaluation import normalised
    from toolkit.nn import num_parameters
    from toolkit.training import select_seed, train
    from toolkit.training.experiment import prepare
    from toolkit.training.run import provenance

    trained_one = next((c for c in _TRAINED if c.name == name), _TRAINED[0])
    options = {**trained_one.options, "num_updates": effort.num_updates}
    learner = Candidate(name, trained_one.model, options).learner(0)
    experiment = prepare(trained_one.model, learner, data, seeds=(seed,))
    test = normalised(experiment.test, experiment.normaliser)
    window = _windows(test, effort.num_windows, seed)
    if name in _MATRICES:
        model = _dense(name, test, seed)
        measured = {"before": sizes(model, window, seed)}
    else:
        state = experiment.init()
        model = select_seed(state, 0).model
        measured = {"before": sizes(model, window, seed)}
        chunks = train(
            experiment.learner, state, experiment.sampler, seeds=(seed,),
            num_updates=effort.num_updates, chunk_updates=min(50, effort.num_updates),
        )  # fmt: skip
        for state, _ in chunks:  # noqa: B007 - the last one is measured
            pass
        measured["after"] = sizes(select_seed(state, 0).model, window, seed)
    return {
        "dataset": described(experiment, data),
        "candidate": name,
        "seed": seed,
        "options": DENSE if name in _MATRICES else trained_one.options,
        "parameters": num_parameters(model),
        "num_windows": window.action.shape[1],
        "lags": list(LAGS),
        **measured,
        **provenance(),
    }


def sizes(model: AbstractDynamics, window: Window, seed: int) -> dict[str, Any]:
    """Median, least and largest size over windows at each lag; beside them what theory allows."""
    import jax.random as jr

    from toolkit.evaluation.gradients import gradient_norms

    lags = np.array(LAGS)
    norms = gradient_norms(model, window, lags, key=jr.key(seed))
    found: dict[str, Any] = {
        "state": _over_windows(norms.state),
        "control": _over_windows(norms.control[:, lags - 1]),
    }
    bounds = envelope(model, lags)
    if bounds is not None:
        low, high = bounds
        inside = (norms.state >= low * (1 - TOLERANCE)) & (norms.state <= high * (1 + TOLERANCE))
        found["envelope"] = {"low": _short(low), "high": _short(high)}
        found["inside"] = float(inside.mean())
    return found


def envelope(model: AbstractDynamics, lags: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """What eigenvalues alone promise: Theorem 3.1, or |λ|^k of a full matrix; None without them.

    The theorem holds for a diagonal K. For a full matrix its formula is taken at its word, to
    show where it fails.
    """
    from toolkit.dynamics.dense import DenseDynamics
    from toolkit.evaluation.gradients import gradient_envelope
    from toolkit.spectral.koopman import KoopmanDynamics

    if isinstance(model, KoopmanDynamics):
        return gradient_envelope(model.spectrum, lags)
    if isinstance(model, DenseDynamics):
        radius = np.exp(DENSE["decay"] * lags)  # exact: every eigenvalue has this size
        return radius, radius
    return None


def _dense(name: str, dataset: Dataset, seed: int) -> AbstractDynamics:
    import jax.numpy as jnp
    import jax.random as jr

    from toolkit.dynamics import Heads
    from toolkit.dynamics.dense import DenseDynamics
    from toolkit.spectral.nonnormal import sheared_rotation

    shear = DENSE["shear"] if name == "dense, sheared" else 0.0
    size = int(DENSE["size"])
    matrix = sheared_rotation(size, DENSE["decay"], shear, seed=seed)
    heads_key, action_key = jr.split(jr.key(seed))
    heads = Heads(dataset.obs_dim, size, hidden=64, key=heads_key)
    matrix = jnp.asarray(matrix, jnp.float32)
    return DenseDynamics(heads, matrix, dataset.obs_dim, dataset.action_dim, key=action_key)


def _windows(dataset: Dataset, count: int, seed: int) -> Window:
    import jax.random as jr

    from toolkit.data import WindowSampler

    return WindowSampler(dataset, max(LAGS)).sample(count, key=jr.key(seed))


def _over_windows(norms: np.ndarray) -> dict[str, list[float]]:
    return {
        "median": _short(np.median(norms, axis=0)),
        "least": _short(norms.min(0)),
        "largest": _short(norms.max(0)),
    }


def _short(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def told(row: Row) -> str:
    """A row in one line: the median size after the most steps."""
    when = [w for w in ("before", "after") if w in row]
    ends = ", ".join(f"{w} training {row[w]['state']['median'][-1]:.2g}" for w in when)
    return f"{row['candidate']:20s} seed {row['seed']}  {row['lags'][-1]} steps back: {ends}"


def summary(rows: list[Row]) -> list[str]:
    """Median sizes at each lag (mean over seeds, in the logarithm), and the share inside theory."""
    head = "".join(f"{lag:>10d}" for lag in LAGS)
    lines = ["", f"{'size of ∂ℒ/∂z, median':34s}{head}   inside e^kΔtμ"]
    for name in dict.fromkeys(row["candidate"] for row in rows):
        for when in ("before", "after"):
            found = [row[when] for row in rows if row["candidate"] == name and when in row]
            if not found:
                continue
            medians = np.array([one["state"]["median"] for one in found])
            middle = np.exp(np.log(np.maximum(medians, 1e-38)).mean(0))
            cells = "".join("  <1e-30 " if m < 1e-30 else f"{m:10.2g}" for m in middle)
            inside = [one["inside"] for one in found if "inside" in one]
            share = f"{np.mean(inside):12.0%}" if inside else f"{'-':>12s}"
            lines.append(f"{name:22s}{when + ' training' if when else '':>12s}{cells}{share}")
    return lines
