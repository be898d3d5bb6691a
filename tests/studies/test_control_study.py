"""The study of agents that learn online: its rows, restart, budgets, and its table."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from toolkit.cli import main
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.registry import find_model
from toolkit.studies import control
from toolkit.studies.control import CANDIDATES, FAST_OPTIONS, REDUCED, Control
from toolkit.studies.control_table import curves_of, summary
from toolkit.studies.table import Table
from toolkit.training.config import check_numbers

TASK = "dmc/cartpole-swingup@100"  # ten decisions an episode


def study(tmp_path, **changes):
    settings = {
        "tasks": (TASK,), "agents": ("koopman-tdmpc",), "seeds": "0", "fast": True,
        "num_scores": 2, "num_episodes": 1, "runs": tmp_path / "runs",
    }  # fmt: skip
    return Control(out=tmp_path / "table.json", **(settings | changes))


def rows_of(tmp_path):
    return Table.read(tmp_path / "table.json")["rows"]


@pytest.fixture
def short_horizon(monkeypatch):
    """Sequences that fit into ten decisions."""
    few = {"koopman-tdmpc": FAST_OPTIONS["koopman-tdmpc"] | {"horizon": 3}}
    monkeypatch.setattr(control, "FAST_OPTIONS", FAST_OPTIONS | few)


def test_a_row_holds_curve_score_budget_and_passport_and_is_made_once(
    short_horizon, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")
    assert study(tmp_path, seeds="0,1").run() == 0
    rows = rows_of(tmp_path)
    assert [(r["env"]["id"], r["candidate"], r["seed"]) for r in rows] == [
        (TASK, "koopman-tdmpc", 0), (TASK, "koopman-tdmpc", 1),
    ]  # fmt: skip
    for row in rows:
        assert row["num_env_steps"] == 128 and row["repeat"] == 100 and not row["reduced"]
        assert row["curve_env_steps"] == [64, 128] and len(row["curve_return"]) == 2
        assert len(row["returns"]) == 10
        assert row["episode_return"] == pytest.approx(np.mean(row["returns"]), abs=0.01)
        assert row["hyperparameters"]["hidden"] == 8 and row["num_updates"] > 0
        assert row["env"]["dm_control"] and row["env"]["mujoco"] and row["versions"]["jax"]
    assert rows[0]["returns"] != rows[1]["returns"]

    monkeypatch.setattr(control, "train_and_score", None)  # nothing is left to train
    assert study(tmp_path, seeds="0,1").run() == 0
    assert rows_of(tmp_path) == rows
    assert "2 × 12,800" in capsys.readouterr().out


def test_a_study_that_was_stopped_in_a_training_goes_on_in_it(short_horizon, tmp_path, monkeypatch):
    pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")
    from toolkit.training import online_driver

    saves, real = [], online_driver.OnlineRun.save

    def stop(run, *state):
        real(run, *state)
        saves.append(run.folder)
        raise KeyboardInterrupt

    monkeypatch.setattr(online_driver.OnlineRun, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        study(tmp_path).run()
    monkeypatch.setattr(online_driver.OnlineRun, "save", real)
    assert study(tmp_path).run() == 0 and len(saves) == 1
    (stopped,) = rows_of(tmp_path)

    (tmp_path / "whole").mkdir()
    assert study(tmp_path / "whole").run() == 0
    (whole,) = rows_of(tmp_path / "whole")
    for name in ("returns", "curve_return", "curve_env_steps", "num_updates"):
        assert stopped[name] == whole[name]


def row(task, agent, seed, score, steps=1000, *, repeat=4, reduced=True):
    return {
        "env": {"id": task}, "candidate": agent, "seed": seed, "num_env_steps": steps,
        "repeat": repeat, "reduced": reduced, "episode_return": score,
        "curve_env_steps": [steps // 2, steps], "curve_return": [score / 2, score],
    }  # fmt: skip


ROWS = [
    row("a", "tdmpc", 0, 100.0), row("a", "tdmpc", 1, 300.0),
    row("a", "koopman-tdmpc", 0, 400.0), row("a", "koopman-tdmpc", 1, 600.0),
    row("b", "tdmpc", 0, 50.0, steps=10), row("b", "tdmpc", 0, 500.0),
    row("b", "koopman-tdmpc", 0, 700.0), row("c", "tdmpc", 0, 1.0),
]  # fmt: skip


def test_the_table_shows_the_longest_run_and_aggregates_what_all_agents_share():
    lines = summary(ROWS)
    text = "\n".join(lines)
    assert lines[2].split() == ["a", "200", "±", "141", "500", "±", "141"]
    assert "2 × 4,000, reduced" in lines[3]
    assert lines[4].split() == ["b", "500", "700"]  # not the run of ten steps
    assert lines[6].split() == ["c", "1", "-"]
    assert "over 2 task(s) and 1 seed(s)" in text  # c lacks an agent, b has one seed
    found = {line.split("  ")[1]: line.split()[-2:] for line in lines[-3:]}
    assert found["mean"] == ["0.300", "0.550"]  # seed 0: (0.1 + 0.5) / 2, (0.4 + 0.7) / 2
    assert found["optimality gap"] == ["0.700", "0.450"]


def test_with_several_seeds_the_aggregates_have_intervals():
    text = summary([r for r in ROWS if r["env"]["id"] == "a"])[-2]
    assert text.split()[:4] == ["mean", "0.200", "[0.100,", "0.300]"]


def test_curves_count_control_steps_and_are_cut_to_the_points_of_every_seed():
    longer = ROWS[0] | {"curve_env_steps": [500, 1000, 1500], "curve_return": [1.0, 2.0, 3.0]}
    steps, returns = curves_of([longer, ROWS[1]])["a"]["tdmpc"]
    assert steps.tolist() == [2000, 4000]
    assert returns.tolist() == [[1.0, 2.0], [150.0, 300.0]]


def test_curves_of_runs_of_other_lengths_meet_where_both_were_scored():
    long = ROWS[0] | {"curve_env_steps": [500, 1000, 2000], "curve_return": [1.0, 2.0, 3.0]}
    short = ROWS[1] | {"curve_env_steps": [250, 500, 1000], "curve_return": [7.0, 8.0, 9.0]}
    steps, returns = curves_of([long, short])["a"]["tdmpc"]
    assert steps.tolist() == [500 * ROWS[0]["repeat"], 1000 * ROWS[0]["repeat"]]
    assert returns.tolist() == [[1.0, 2.0], [8.0, 9.0]]
    apart = ROWS[1] | {"curve_env_steps": [300], "curve_return": [7.0]}
    _, returns = curves_of([long, apart])["a"]["tdmpc"]
    assert returns.tolist() == [[1.0, 2.0, 3.0]]


def test_fast_agents_can_begin():
    spec = EnvSpec("dmc/cartpole-swingup", 5, 1, 125, image_size=24)
    for candidate in CANDIDATES.values():
        options = FAST_OPTIONS[candidate.model] | candidate.options
        find_model(candidate.model).load()(**options).init(spec, key=jax.random.key(0))


def test_every_candidate_can_be_made_in_every_size():
    for candidate in CANDIDATES.values():
        for sizes in (REDUCED, FAST_OPTIONS, {candidate.model: {}}):
            options = sizes[candidate.model] | candidate.options
            agent = find_model(candidate.model).load()(**options)
            check_numbers(agent)
            assert agent.num_env_steps == 125_000 or candidate.model == "sac"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"agents": ("tdmcp",)}, "`agents` must be of .*, got 'tdmcp'"),
        ({"agents": ()}, "`agents` must name at least one"),
        ({"tasks": ()}, "`tasks` must name at least one"),
        ({"num_control_steps": 0}, "`num_control_steps` must be at least 1, got 0"),
        ({"num_scores": 0}, "`num_scores` must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_studied_is_refused(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        study(tmp_path, **changes).run()
    assert not (tmp_path / "table.json").exists()


def test_an_unknown_task_is_refused_before_anything_is_trained(tmp_path):
    pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")
    with pytest.raises(UserError, match="no task cartpole-swingdown; did you mean"):
        study(tmp_path, tasks=(TASK, "dmc/cartpole-swingdown")).run()
    assert not (tmp_path / "table.json").exists()


def test_the_command_line_knows_it(capsys):
    assert main(["study", "control", "--help"]) == 0
    assert "--num-control-steps" in capsys.readouterr().out
