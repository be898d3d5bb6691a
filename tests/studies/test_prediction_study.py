"""The prediction study: rows, restart, budget, and the table beside the paper's."""

from __future__ import annotations

import json

import pytest

from toolkit.errors import UserError
from toolkit.studies import prediction
from toolkit.studies.prediction import PAPER, Prediction, summary


@pytest.fixture
def small(monkeypatch):
    """Models that compile quickly, and few windows."""
    from toolkit.dynamics.gru import GRU
    from toolkit.spectral import Koopman

    class SmallKoopman(Koopman):
        modes: int = 4
        hidden: int = 8

    class SmallGRU(GRU):
        units: int = 4
        hidden: int = 8

    homes = {"koopman": SmallKoopman, "gru": SmallGRU}
    find = lambda name: type("Entry", (), {"load": staticmethod(lambda: homes[name])})
    monkeypatch.setattr("toolkit.registry.find_model", find)
    monkeypatch.setattr(prediction, "FAST", {"num_updates": 3, "max_windows": 40})


def study(tmp_path, **changes):
    settings = {"data": ("toolkit/hopper-medium",), "models": ("koopman", "gru"), "fast": True}
    return Prediction(out=tmp_path / "table.json", **(settings | changes))


def test_a_stopped_study_goes_on_and_rows_say_everything(small, tmp_path, capsys):
    assert study(tmp_path, models=("koopman",)).run() == 0
    first = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert study(tmp_path).run() == 0
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert rows[:1] == first and [row["model"] for row in rows] == ["koopman", "gru"]
    for row in rows:
        assert row["num_updates"] == 3 and row["num_test_windows"] == 40
        assert row["dataset"]["sha256"] and row["versions"] and row["device"]
        assert len(row["state_error_by_horizon"]) == 100
        mean = sum(row["state_error_by_horizon"]) / 100
        assert row["state_error"] == pytest.approx(mean, rel=1e-3)
    assert "hopper-medium" in capsys.readouterr().out


def test_other_settings_need_another_table(tmp_path):
    settings = {"seconds": None, "num_updates": 3, "max_windows": 40}
    (tmp_path / "table.json").write_text(json.dumps({"settings": settings, "rows": []}))
    with pytest.raises(UserError, match="holds a study with other settings"):
        study(tmp_path, fast=False, num_updates=5).run()


def test_a_time_becomes_a_number_of_updates(small, tmp_path):
    study(tmp_path, models=("gru",), fast=False, seconds=1e-6, max_windows=40).run()
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert rows[0]["num_updates"] == 20


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": ()}, "`data` must name at least one"),
        ({"models": ("lstm",)}, "`models` must be of koopman, .*, got 'lstm'"),
        ({"fast": False}, "must say the budget"),
        ({"fast": False, "seconds": 1.0, "num_updates": 1}, "and not both"),
        ({"fast": False, "seconds": -1.0}, "`seconds` must be positive, got -1"),
    ],
)
def test_wrong_settings_are_refused(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        study(tmp_path, **changes).run()


def test_the_table_has_the_papers_figures_below_the_set_they_belong_to():
    rows = [
        {"dataset": {"label": label}, "model": model, "seed": seed, "state_error": error}
        for label, model, seed, error in [
            ("hopper-medium-expert-1M", "gru", 0, 0.1), ("hopper-medium-expert-1M", "gru", 1, 0.3),
            ("hopper-medium-expert-1M", "koopman", 0, 0.5), ("pendulum", "koopman", 0, 0.7),
        ]
    ]  # fmt: skip
    _, head, ours, paper, other = summary(rows)
    assert head.split()[-2:] == ["gru", "koopman"]
    assert ours.split()[1:] == ["0.2", "0.5"]
    assert paper.split()[-2:] == ["0.011", "0.012"]
    assert other.split() == ["pendulum", "-", "0.7"]


def test_the_papers_table_is_whole():
    assert len(PAPER) == 9
    assert all(set(row) == {"mlp", "transformer", "gru", "koopman"} for row in PAPER.values())
