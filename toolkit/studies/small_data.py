"""`toolkit study small-data`: offline agents on datasets of about 10,000 transitions, scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.studies.comparison import Candidate
from toolkit.studies.score_table import summary, told
from toolkit.studies.table import Row, Table, described

_NO_DYNAMICS = {"augment": False, "symmetry_weight": 0.0}
#: Agents by the names of their rows.
CANDIDATES = {
    c.name: c
    for c in (
        Candidate("bc", "bc"),
        Candidate("bc, best 10 %", "bc", {"best_share": 0.1}),
        Candidate("td3-bc", "td3-bc"),
        Candidate("td3-bc, noise", "td3-bc", {"state_noise": 0.003}),
        Candidate("iql", "iql"),
        Candidate("cql", "cql"),
        Candidate("cql, noise", "cql", {"state_noise": 0.003}),
        Candidate("kfc", "kfc"),
        Candidate("kfc++", "kfc++"),
        Candidate("cql, polynomial", "kfc", {"generator": "polynomial"}),
        Candidate("cql, random", "kfc", {"generator": "random"}),
        Candidate("cql, spectral", "cql-spectral"),
        Candidate("td3-bc, spectral", "td3-bc-symmetry"),
        Candidate("td3-bc, polynomial", "td3-bc-symmetry", {"generator": "polynomial"}),
        Candidate("td3-bc, random", "td3-bc-symmetry", {"generator": "random"}),
        Candidate("mopo", "mopo"),
        Candidate("tsrl", "tsrl"),
        Candidate("spectral tsrl", "spectral-tsrl"),
        Candidate("spectral tsrl, weight 20", "spectral-tsrl", {"action_weight": 20.0}),
        Candidate("spectral tsrl, weight 40", "spectral-tsrl", {"action_weight": 40.0}),
        Candidate("tsrl, no augmentation", "tsrl", {"augment": False}),
        Candidate("tsrl, no latent critic", "tsrl", {"augment": False, "latent_critic": False}),
        Candidate("tsrl, cloning", "tsrl", {"constraint": "cloning"}),
        Candidate("tsrl, published tdm", "tsrl"),
        Candidate("tsrl, tdm-no-ode", "tsrl", {"augment": False}),
        Candidate("tsrl, forward-autoencoder", "tsrl", _NO_DYNAMICS),
        Candidate("tsrl, autoencoder", "tsrl", _NO_DYNAMICS),
        Candidate("tsrl, simsiam", "tsrl", _NO_DYNAMICS),
    )
}
#: What a candidate builds on, where it is not what its agent trains first.
REPRESENTATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "tsrl, tdm-no-ode": ("tdm-no-ode", {}),
    "tsrl, forward-autoencoder": ("forward-autoencoder", {}),
    "tsrl, autoencoder": ("autoencoder", {}),
    "tsrl, simsiam": ("simsiam", {}),
    "tsrl, published tdm": ("tdm", {"variant": "published"}),
}


@dataclass(frozen=True)
class Effort:
    """Updates of an agent and of the representation beneath it, and episodes of a score."""

    num_updates: int
    representation_updates: int
    num_episodes: int


FAST = Effort(num_updates=4, representation_updates=4, num_episodes=1)


@dataclass(frozen=True, kw_only=True)
class AgentStudy:
    """The settings that studies of offline agents share, and how one cell of a table is filled."""

    out: Path
    """The table, as JSON."""
    runs: Path
    """Folder of the runs."""
    agents: tuple[str, ...]
    """Which agents: names of the study's candidates."""
    seeds: str = "0"
    """Seeds joined by commas."""
    num_updates: int = 50_000
    """Updates of each agent."""
    representation_updates: int = 20_000
    """Updates of each representation, at most."""
    num_episodes: int = 10
    """Episodes of a score, from fixed starts."""
    fast: bool = False
    """A run of seconds that shows that everything works; its numbers mean nothing."""

    def effort(self) -> Effort:
        """What each agent gets.

        Raises:
            UserError: an agent is unknown, or a number is below one.
        """
        unknown = [name for name in self.agents if name not in CANDIDATES]
        if unknown:
            raise UserError(f"`agents` must be of {'; '.join(CANDIDATES)}, got {unknown[0]!r}.")
        for name in ("num_updates", "representation_updates", "num_episodes"):
            if getattr(self, name) < 1:
                raise UserError(f"`{name}` must be at least 1, got {getattr(self, name)}.")
        effort = Effort(self.num_updates, self.representation_updates, self.num_episodes)
        return FAST if self.fast else effort

    def complete(
        self, table: Table, where: str, name: str, seeds: Sequence[int], *, runs: Path,
        about: Row | None = None,
    ) -> None:  # fmt: skip
        """Add the rows of an agent on a dataset, unless the table has them.

        Runs lie in the folder `runs`; `about` is added to each of the rows.
        """
        effort = self.effort()
        if is_done(table.rows, where, name, seeds, effort):
            return
        for row in train_and_score(CANDIDATES[name], where, seeds, effort, runs):
            table.rows.append(row | (about or {}))
            print(told(row), flush=True)
        table.save()


@dataclass(frozen=True, kw_only=True)
class SmallData(AgentStudy):
    """Train offline agents on small datasets, and score their last policies in MuJoCo.

    Every seed of a dataset is one program. A study that was stopped goes on where it stopped, in
    the middle of a training too. A later call may add agents, datasets, seeds or longer runs to
    the same table; it shows the longest of each.
    """

    data: tuple[str, ...]
    """Datasets: files, or names from `toolkit data list`."""
    runs: Path = Path("runs/small-data")
    """Folder of the runs, one for each agent and dataset."""
    agents: tuple[str, ...] = ("bc", "td3-bc", "iql", "tsrl")
    """Which agents: names of the study's candidates."""

    def run(self) -> int:
        """Fill the table, run by run, and print it."""
        from toolkit.training.config import parse_seeds

        if not self.data:
            raise UserError("`data` must name at least one dataset.")
        effort, seeds = self.effort(), parse_seeds(self.seeds)
        table = Table(self.out, {"num_episodes": effort.num_episodes, "fast": self.fast})
        table.check_data(self.data)
        for where in self.data:
            for name in self.agents:
                self.complete(table, where, name, seeds, runs=self.runs)
        print(*summary(table.rows), sep="\n")
        print(f"The table is in {self.out}.")
        return 0


def is_done(
    rows: Sequence[Row], where: str, name: str, seeds: Sequence[int], effort: Effort
) -> bool:
    """Whether the table has every seed of an agent on a dataset, trained as long, and what it
    builds on too.
    """
    found = {
        row["seed"]
        for row in rows
        if (row["dataset"]["label"], row["candidate"]) == (Path(where).stem, name)
        and row["num_updates"] >= effort.num_updates
        and representation_updates(row) >= effort.representation_updates
    }
    return found >= set(seeds)


def representation_updates(row: Row) -> float:
    """Updates of what the row's agent builds on, at most; no bound where it builds on nothing."""
    beneath = row["representation"]
    return float(beneath["hyperparameters"]["num_updates"] if beneath else "inf")


def train_and_score(
    candidate: Candidate, where: str, seeds: Sequence[int], effort: Effort, runs: Path
) -> list[Row]:
    """A row for every seed of one agent on one dataset, its representation trained first."""
    from toolkit.data import load
    from toolkit.evaluation.agent_scores import score_agent
    from toolkit.training.run import provenance

    dataset, options, beneath = load(where), dict(candidate.options), None
    representation = builds_on(candidate)
    if representation:
        model, settings = representation
        settings = settings | {"num_updates": effort.representation_updates}
        name = "-".join([model, *map(str, settings.values())])
        beneath = trained(model, settings, where, dataset, seeds, runs, name)
        options |= {"representation": str(beneath.folder)}
    options |= {"num_updates": effort.num_updates}
    name = f"{candidate.name}-{effort.num_updates}".replace(", ", "-").replace(" ", "-")
    name = name.replace("%", "percent")
    run = trained(candidate.model, options, where, dataset, seeds, runs, name)
    result = score_agent(run, num_episodes=effort.num_episodes)
    score, metrics = result["score"], result["metrics"]
    if "normalized_score" not in metrics:
        raise UserError(f"{result['env']['id']} has no reference returns to normalise a score by.")
    return [
        {
            "dataset": described(run, where),
            "candidate": candidate.name,
            "model": candidate.model,
            "hyperparameters": {
                k: v for k, v in run.config.hyperparameters.items() if k != "representation"
            },
            "representation": None if beneath is None else {
                "model": beneath.config.model,
                "hyperparameters": beneath.config.hyperparameters,
            },
            "seed": seed,
            "num_updates": run.config.num_updates,
            "env": result["env"],
            "rule": score["rule"],
            "start_seed": score["start_seed"],
            "normalized_score": metrics["normalized_score"]["per_seed"][at],
            "episode_return": metrics["episode_return"]["per_seed"][at],
            "returns": [round(value, 3) for value in score["returns"][at]],
            "lengths": score["lengths"][at],
            "updates_per_second": metrics["updates_per_second"]["mean"],
            **provenance(),
        }
        for at, seed in enumerate(seeds)
    ]  # fmt: skip


def builds_on(candidate: Candidate) -> tuple[str, dict[str, Any]] | None:
    """The representation beneath a candidate and its hyperparameters; None if there is none."""
    from toolkit.registry import find_model, name_of

    agent = find_model(candidate.model).load()(**candidate.options)
    if not hasattr(agent, "representation"):
        return None
    if candidate.name in REPRESENTATIONS:
        return REPRESENTATIONS[candidate.name]
    return name_of(type(agent.foundation())), {}


def trained(
    model: str,
    options: dict[str, Any],
    where: str,
    dataset: Any,
    seeds: Sequence[int],
    runs: Path,
    name: str,
) -> Any:
    """The finished run of a model on a dataset, begun or continued in its own folder."""
    from toolkit.registry import find_model
    from toolkit.training.driver import fit, start_or_continue
    from toolkit.training.experiment import prepare

    learner = find_model(model).load()(**options)
    experiment = prepare(model, learner, where, seeds=tuple(seeds), dataset=dataset)
    folder = runs / Path(where).stem / f"{name}-seeds-{'-'.join(map(str, seeds))}"
    run, state = start_or_continue(folder, experiment, resume=True)
    if int(state.update_count[0]) < run.config.num_updates:
        fit(run, experiment, state)
    return run
