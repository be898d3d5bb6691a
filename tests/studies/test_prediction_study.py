"""The prediction study: rows, restart, budget, and the table beside the paper's."""

from __future__ import annotations

import json

import numpy as np
import pytest

from toolkit.data import load
from toolkit.errors import UserError
from toolkit.studies import ablation, comparison
from toolkit.studies.ablation import GROUPS, Ablation
from toolkit.studies.comparison import Budget, Candidate, cell
from toolkit.studies.prediction import PAPER, Prediction, summary
from toolkit.studies.table import Table


@pytest.fixture
def small(monkeypatch):
    """Models that compile quickly, and few windows."""
    import toolkit.training.run  # noqa: F401 - takes the real registry with it
    from toolkit.dynamics.gru import GRU
    from toolkit.spectral import Koopman

    class SmallKoopman(Koopman):
        modes: int = 4
        hidden: int = 8

    class SmallGRU(GRU):
        units: int = 4
        hidden: int = 8

    homes = {"koopman": SmallKoopman, "gru": SmallGRU}
    find = lambda name: type(
        "Entry", (), {"kind": "dynamics", "load": staticmethod(lambda: homes[name])}
    )
    monkeypatch.setattr("toolkit.registry.find_model", find)
    monkeypatch.setattr(comparison, "FAST", Budget(None, 3, 40))


def study(tmp_path, **changes):
    settings = {"data": ("toolkit/hopper-medium",), "models": ("koopman", "gru"), "fast": True}
    return Prediction(out=tmp_path / "table.json", **(settings | changes))


def test_a_stopped_study_goes_on_and_rows_say_everything(small, tmp_path, capsys):
    assert study(tmp_path, models=("koopman",)).run() == 0
    first = Table.read(tmp_path / "table.json")["rows"]
    assert study(tmp_path).run() == 0
    rows = Table.read(tmp_path / "table.json")["rows"]
    assert rows[:1] == first and [row["candidate"] for row in rows] == ["koopman", "gru"]
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


def test_a_time_becomes_updates_by_speeds_measured_side_by_side(small, tmp_path, monkeypatch):
    """A second study of the same table measures new models beside a known one, on its scale."""
    speeds = {"koopman": 30.0, "gru": 10.0}
    asked = []

    def measured(candidates, data):
        asked.append([c.name for c in candidates])
        busy = 1.0 if len(asked) == 1 else 0.5
        return {c.name: busy * speeds[c.name] for c in candidates}

    monkeypatch.setattr(comparison, "measure_speeds", measured)
    settings = {"fast": False, "seconds": 2.0, "max_windows": 40}
    study(tmp_path, models=("koopman",), **settings).run()
    study(tmp_path, **settings).run()
    rows = Table.read(tmp_path / "table.json")["rows"]
    assert [row["num_updates"] for row in rows] == [60, 20]
    assert asked == [["koopman"], ["koopman", "gru"]]


def test_a_table_holds_a_row_per_line(tmp_path):
    table = Table(tmp_path / "table.json", {"num_updates": 3})
    table.rows.extend([{"seed": 0, "errors": [0.1, 0.2]}, {"seed": 1, "errors": [0.3, 0.4]}])
    table.speeds["few"] = {"gru": 1.5}
    table.save()
    text = table.path.read_text()
    assert '\n{"seed": 1, "errors": [0.3, 0.4], "passport": 0}\n' in text
    assert json.loads(text)["settings"] == {"num_updates": 3}
    assert Table(table.path, {"num_updates": 3}).rows == table.rows


def test_speeds_are_measured(small):
    speeds = comparison.measure_speeds([Candidate("a", "koopman")], "toolkit/hopper-medium")
    assert list(speeds) == ["a"] and speeds["a"] > 1


def test_options_depend_on_how_much_data_there_are():
    candidate = Candidate("a", "koopman", {"modes": 4}, plenty={"reencode_every": 0, "modes": 9})
    assert candidate.options_for(10_000) == {"modes": 4}
    assert candidate.options_for(1_000_000) == {"modes": 4, "reencode_every": 0}


def test_an_ablation_changes_one_choice_at_a_time(small, tmp_path, capsys, monkeypatch):
    two = {"consistency": GROUPS["consistency"][:2]}
    monkeypatch.setattr(ablation, "GROUPS", two)
    out, data = tmp_path / "ablation.json", ("toolkit/hopper-medium",)
    assert Ablation(data=data, out=out, groups=("consistency",), fast=True).run() == 0
    rows = Table.read(out)["rows"]
    assert [row["candidate"] for row in rows] == ["default", "consistency 0"]
    assert [row["options"] for row in rows] == [{}, {"consistency_weight": 0.0}]
    printed = capsys.readouterr().out
    assert "consistency 0" in printed and "3 updates" in printed
    with pytest.raises(UserError, match="`groups` must be of consistency, got 'colour'"):
        Ablation(data=data, out=out, groups=("colour",), fast=True).run()


def test_every_ablation_builds_a_model_and_names_are_of_one_meaning():
    meanings: dict[str, Candidate] = {}
    for candidates in GROUPS.values():
        for candidate in candidates:
            assert meanings.setdefault(candidate.name, candidate) == candidate
            assert candidate.learner(10_000).horizon and candidate.learner(10**6).horizon


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
        {"dataset": {"label": label}, "candidate": model, "seed": seed, "state_error": error,
         "reward_error": 2 * error, "parameters": 7}
        for label, model, seed, error in [
            ("hopper-medium-expert-1M", "gru", 0, 0.1), ("hopper-medium-expert-1M", "gru", 1, 0.3),
            ("hopper-medium-expert-1M", "koopman", 0, 0.5), ("pendulum", "koopman", 0, 0.7),
        ]
    ]  # fmt: skip
    lines = summary(rows)
    _, head, ours, paper, other = lines[:5]
    rewards = lines[5:]
    assert head.split()[-2:] == ["gru", "koopman"]
    assert ours.split()[1:] == ["0.2", "±", "0.1", "0.5"]
    assert paper.split()[-2:] == ["0.011", "0.012"]
    assert other.split() == ["pendulum", "-", "0.7"]
    assert rewards[1].startswith("squared reward error, 100 steps")
    assert rewards[2].split()[1:] == ["0.4", "±", "0.3", "1"]
    assert rewards[3].split()[-2:] == ["0.001", "0.002"]
    assert rewards[-1].split() == ["parameters", "7", "7"]
    assert cell(rows, "pendulum", "gru") == "-"


def test_the_papers_table_is_whole():
    for table in PAPER.values():
        assert len(table) == 9
        assert all(set(row) == {"mlp", "transformer", "gru", "koopman"} for row in table.values())
    rewards = PAPER["reward_error"]  # the GRU's lower in five rows, the Koopman model's in three
    ahead = [np.sign(row["gru"] - row["koopman"]) for row in rewards.values()]
    assert (ahead.count(-1), ahead.count(1), ahead.count(0)) == (5, 3, 1)


def test_rows_of_two_processes_are_all_kept(tmp_path):
    first, second = (Table(tmp_path / "t.json", {}) for _ in range(2))
    for table, seed in ((first, 0), (second, 1), (first, 2)):
        table.rows.append({"dataset": {"label": "a"}, "seed": seed, "sizes": (1, 2)})
        table.save()
    assert sorted(row["seed"] for row in Table(first.path, {}).rows) == [0, 1, 2]


def test_speeds_are_those_that_were_first_in_the_file(tmp_path):
    first, second = (Table(tmp_path / "t.json", {}) for _ in range(2))
    first.speeds["small"] = {"gru": 1.0}
    first.save()
    known = second.speeds.setdefault("small", {})
    known |= {"gru": 7.0, "mlp": 2.0}
    second.save()
    assert known == Table(first.path, {}).speeds["small"] == {"gru": 1.0, "mlp": 2.0}


def test_a_file_that_another_study_began_meanwhile_is_left_alone(tmp_path):
    ours, other = (Table(tmp_path / "t.json", {"fast": fast}) for fast in (True, False))
    other.save()
    with pytest.raises(UserError, match="holds a study with other settings"):
        ours.save()
    assert Table.read(ours.path)["settings"] == {"fast": False}


def test_data_that_would_be_taken_for_one_another_are_refused(tmp_path):
    table = Table(tmp_path / "t.json", {})
    with pytest.raises(UserError, match="has the name 'x' twice"):
        table.check_data(["a/x.hdf5", "b/x.hdf5"])
    name, own = "toolkit/hopper-medium", load("toolkit/hopper-medium").source.sha256
    table.rows.append({"dataset": {"label": "hopper-medium", "sha256": own}})
    table.check_data([name])
    table.rows[0]["dataset"]["sha256"] = "0" * 64
    with pytest.raises(UserError, match="has rows of other data under the name 'hopper-medium'"):
        table.check_data([name])
    table.rows[0]["dataset"]["label"] = "pendulum"
    table.check_data(["toolkit/pendulum"])  # simulated, whose last bits depend on the machine


def test_rows_that_share_a_passport_share_it_in_the_file_and_are_whole_again_when_read(tmp_path):
    table = Table(tmp_path / "t.json", {})
    shared = {"dataset": {"label": "a"}, "commit": "0f", "device": "cpu", "versions": {"jax": "1"}}
    table.rows.extend(
        [shared | {"seed": 0}, shared | {"seed": 1}, shared | {"commit": "1f", "seed": 2}]
    )
    table.save()
    text = table.path.read_text()
    assert text.count('"0f"') == 1 and text.count('"1f"') == 1
    assert Table(table.path, {}).rows == table.rows
    table.path.write_text(text.replace('"passport": 1', '"passport": 7'))
    with pytest.raises(UserError, match="is not a table of this study"):
        Table.read(table.path)
