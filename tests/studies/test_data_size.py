"""The study of growing parts of a dataset: what it draws, its rows, restart, and its table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from toolkit.cli import main
from toolkit.data import load
from toolkit.data.subsampling import subsample_episodes
from toolkit.errors import UserError
from toolkit.studies import data_size, small_data
from toolkit.studies.comparison import Candidate
from toolkit.studies.data_size import DataSize, summary
from toolkit.studies.small_data import Effort
from toolkit.studies.table import Table

DATA = "toolkit/hopper-medium"


@pytest.fixture
def small(monkeypatch):
    """An agent that compiles quickly, on parts that hold several episodes."""
    bc = Candidate("bc", "bc", {"hidden": 4, "batch_size": 8})
    monkeypatch.setattr(small_data, "CANDIDATES", {"bc": bc})
    monkeypatch.setattr(small_data, "FAST", Effort(2, 2, 1))
    monkeypatch.setattr(data_size, "FAST_SIZES", (600, 1500))


def study(tmp_path, **changes):
    settings = {"data": DATA, "agents": ("bc",), "fast": True, "runs": tmp_path / "runs"}
    return DataSize(out=tmp_path / "table.json", **(settings | changes))


def parts_folder(tmp_path):
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def rows_of(tmp_path):
    return Table.read(tmp_path / "table.json")["rows"]


def test_each_seed_draws_its_own_parts_and_smaller_ones_lie_within_larger(
    small, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("mujoco")
    assert study(tmp_path, seeds="0,1").run() == 0
    rows = rows_of(tmp_path)
    assert [(r["size"], r["seed"], r["draw"]) for r in rows] == [
        (600, 0, 0), (1500, 0, 0), (600, 1, 1), (1500, 1, 1),
    ]  # fmt: skip
    parts = {
        (size, seed): load(parts_folder(tmp_path) / f"hopper-medium-{size}-draw-{seed}.hdf5")
        for size in (600, 1500) for seed in (0, 1)
    }  # fmt: skip
    whole = load(DATA)
    longest = np.diff(whole.episode_bounds(), axis=1).max()
    for row in rows:
        part = parts[row["size"], row["seed"]]
        assert abs(part.num_transitions - row["size"]) <= longest / 2
        described = row["dataset"]
        assert described["num_transitions"] == part.num_transitions
        assert described["sha256"] == part.source.sha256 != whole.source.sha256
        assert row["env"]["id"] == "Hopper-v4" and np.isfinite(row["normalized_score"])
    known = [{tuple(o) for o in np.asarray(p.observations).tolist()} for p in parts.values()]
    assert known[0] < known[2] and known[1] < known[3] and known[0] != known[1]
    settings = Table.read(tmp_path / "table.json")["settings"]
    assert settings["whole"]["sha256"] == whole.source.sha256

    monkeypatch.setattr(small_data, "train_and_score", None)  # nothing is left to train
    assert study(tmp_path, seeds="0,1").run() == 0
    assert rows_of(tmp_path) == rows
    assert "600" in capsys.readouterr().out


def test_parts_of_other_data_with_the_same_name_lie_elsewhere(tmp_path):
    whole = load(DATA)
    other = subsample_episodes(whole, num_transitions=5000, seed=7)
    other = replace(other, source=replace(other.source, sha256="f" * 64))
    own = study(tmp_path)
    first, second = own.part(whole, 600, 0), own.part(other, 600, 0)
    assert first != second
    assert load(first).source.sha256 != load(second).source.sha256


def test_all_of_the_data_is_the_dataset_itself(tmp_path):
    whole = load(DATA)
    where = study(tmp_path).part(whole, whole.num_transitions, 3)
    assert where == DATA and not (tmp_path / "runs").exists()


def row(size, agent, seed, score, updates=10):
    return {
        "dataset": {"label": f"set-{size}-draw-{seed}"}, "candidate": agent, "seed": seed,
        "num_updates": updates, "normalized_score": score, "size": size,
    }  # fmt: skip


def test_the_table_has_sizes_as_columns_and_shows_the_longest_run():
    rows = [
        row(5000, "bc", 0, 1.0, updates=5), row(5000, "bc", 0, 20.0), row(5000, "bc", 1, 30.0),
        row(30_000, "tsrl", 0, 60.0), row(30_000, "bc", 0, 33.0),
    ]  # fmt: skip
    head, bc, budget, tsrl, _ = summary(rows)[1:]
    assert head.split() == ["transitions", "5,000", "30,000"]
    assert bc.split() == ["bc", "25.0", "±", "7.1", "33.0"]
    assert "2 × 10" in budget and "1 × 10" in budget
    assert tsrl.split() == ["tsrl", "-", "60.0"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agents": ("bcc",)}, "`agents` must be of .*, got 'bcc'"),
        ({"sizes": (), "fast": False}, "`sizes` must hold at least one"),
        ({"sizes": (10, 10_001), "fast": False}, r"`sizes` must lie in 1\.\.10000, .*got 10001"),
        ({"num_episodes": 0}, "`num_episodes` must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_studied_is_refused(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        study(tmp_path, **changes).run()
    assert not (tmp_path / "table.json").exists()


def test_the_command_line_knows_it(capsys):
    assert main(["study", "--help"]) == 0
    assert "data-size" in capsys.readouterr().out
    assert main(["study", "data-size", "--help"]) == 0
    assert "--sizes" in capsys.readouterr().out
