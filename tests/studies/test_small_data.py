"""The study of offline agents on small data: rows, restart, and the table beside the paper's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.registry import find_model
from toolkit.studies import small_data
from toolkit.studies.comparison import Candidate
from toolkit.studies.score_table import PAPER, budget_cell, summary
from toolkit.studies.small_data import (
    CANDIDATES,
    REPRESENTATIONS,
    Effort,
    SmallData,
    builds_on,
    is_done,
)
from toolkit.studies.table import Table
from toolkit.training import driver

pytest.importorskip("mujoco")

DATA = "toolkit/hopper-medium"


@pytest.fixture
def small(monkeypatch):
    """Agents and a model that compile quickly."""
    bc = {"hidden": 4, "batch_size": 8}
    tsrl = bc | {"dropout": 0.0}
    monkeypatch.setattr(
        small_data, "CANDIDATES",
        {"bc": Candidate("bc", "bc", bc), "tsrl": Candidate("tsrl", "tsrl", tsrl)},
    )  # fmt: skip
    tdm = {"batch_size": 8, "validation_share": 0.0}
    monkeypatch.setattr(small_data, "REPRESENTATIONS", {"tsrl": ("tdm", tdm)})
    monkeypatch.setattr(small_data, "FAST", Effort(2, 2, 1))


def study(tmp_path, **changes):
    settings = {"data": (DATA,), "agents": ("bc",), "fast": True, "runs": tmp_path / "runs"}
    return SmallData(out=tmp_path / "table.json", **(settings | changes))


def table(tmp_path):
    return Table.read(tmp_path / "table.json")["rows"]


def test_rows_say_everything_and_what_is_done_is_not_done_again(
    small, tmp_path, monkeypatch, capsys
):
    assert study(tmp_path, agents=("bc", "tsrl"), seeds="0,3").run() == 0
    rows = table(tmp_path)
    assert [(r["candidate"], r["seed"]) for r in rows] == [
        ("bc", 0), ("bc", 3), ("tsrl", 0), ("tsrl", 3),
    ]  # fmt: skip
    for row in rows:
        assert row["dataset"]["sha256"] and row["versions"] and row["device"] and row["env"]["id"]
        assert row["num_updates"] == 2 and len(row["returns"]) == 1
        reference = (row["returns"][0] + 20.272305) / (3234.3 + 20.272305) * 100
        assert row["normalized_score"] == pytest.approx(reference, abs=1e-3)
    assert rows[0]["representation"] is None
    assert rows[2]["representation"]["hyperparameters"]["num_updates"] == 2
    assert str(tmp_path) not in json.dumps(rows)  # a table is read on other machines
    monkeypatch.setattr(small_data, "train_and_score", None)  # nothing is left to train
    assert study(tmp_path, agents=("bc", "tsrl"), seeds="0,3").run() == 0
    assert table(tmp_path) == rows
    assert "normalised score" in capsys.readouterr().out


def test_a_run_that_was_stopped_in_the_middle_goes_on(small, tmp_path, monkeypatch):
    monkeypatch.setattr(small_data, "FAST", Effort(100, 2, 1))
    stop = {"after": 50}

    whole = driver.fit
    monkeypatch.setattr(driver, "fit", lambda *a, **k: _interrupted(whole, *a, stop=stop, **k))
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path).run()
    assert not (tmp_path / "table.json").exists()
    stop["after"] = 1000
    assert study(tmp_path).run() == 0
    folder = next((tmp_path / "runs" / Path(DATA).stem).iterdir())
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    updates = [json.loads(line)["update"] for line in rows]
    assert updates == [50, 100]  # the first fifty were not repeated


def _interrupted(fit, run, experiment, state, *, stop, **options):
    def on_chunk(row):
        if row["update"] >= stop["after"]:
            raise KeyboardInterrupt

    return fit(run, experiment, state, on_chunk=on_chunk, **options)


def row(label, agent, seed, score, updates=10):
    return {
        "dataset": {"label": label}, "candidate": agent, "seed": seed, "num_updates": updates,
        "normalized_score": score,
    }  # fmt: skip


def test_a_longer_representation_is_not_done_yet():
    beneath = {"hyperparameters": {"num_updates": 20}}
    rows = [row("x", "tsrl", 0, 1.0) | {"representation": beneath},
            row("x", "bc", 0, 1.0) | {"representation": None}]  # fmt: skip
    for updates, done in ((20, True), (30, False)):
        assert is_done(rows, "x.hdf5", "tsrl", [0], Effort(10, updates, 1)) is done
        assert is_done(rows, "x.hdf5", "bc", [0], Effort(10, updates, 1))


def test_a_cell_tells_the_budgets_of_all_its_seeds():
    rows = [row("x", "bc", 0, 1.0, updates=100_000), row("x", "bc", 1, 1.0, updates=50_000)]
    assert budget_cell(rows) == "2 × 50,000 to 100,000"


def test_the_table_stands_beside_the_papers_and_shows_the_longest_run():
    rows = [
        row("hopper-medium-v2-10k", "bc", 0, 1.0, updates=5),
        row("hopper-medium-v2-10k", "bc", 0, 20.0),
        row("hopper-medium-v2-10k", "bc", 1, 30.0),
        row("hopper-medium-replay-v2-10k", "bc", 0, 10.0),
        row("hopper-medium-replay-v2-10k", "bc", 1, 10.0),
        row("hopper-medium-v2-10k", "tsrl", 0, 60.0),
    ]
    text = "\n".join(summary(rows))
    assert "25.0 ± 7.1" in text and "2 × 10" in text and "29.7" in text and "12.1" in text
    mean = next(line for line in summary(rows) if line.startswith("mean of 2 sets"))
    assert mean.split()[-2:] == ["17.5", "-"]  # one agent lacks a set
    lines = summary(rows)
    paper = lines[lines.index(mean) + 1].split()[-2:]
    assert paper == [f"{(29.7 + 12.1) / 2:.1f}", f"{(62.0 + 21.8) / 2:.1f}"]


def test_the_papers_means_are_those_it_speaks_of():
    for agent, mean in {"tsrl": 49.1, "cql": 22.6, "iql": 22.2, "bc": 16.7, "td3-bc": 15.4}.items():
        assert np.mean([scores[agent] for scores in PAPER.values()]) == pytest.approx(
            mean, abs=0.06
        )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agents": ("bcc",)}, "`agents` must be of .*, got 'bcc'"),
        ({"data": ()}, "`data` must name at least one dataset"),
        ({"num_updates": 0}, "`num_updates` must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_studied_is_refused(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        study(tmp_path, **changes).run()


def test_every_candidate_finds_what_it_builds_on():
    for name, candidate in CANDIDATES.items():
        agent = find_model(candidate.model).load()(**candidate.options)
        if not hasattr(agent, "representation"):
            assert name not in REPRESENTATIONS and builds_on(candidate) is None
            continue
        model, settings = builds_on(candidate)
        learner = find_model(model).load()
        learner(**settings)
        agent.check_foundation(f"{name}'s", learner.parts)  # raises where a part is missing
