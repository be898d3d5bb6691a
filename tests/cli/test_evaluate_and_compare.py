"""`toolkit evaluate` and `toolkit compare` on finished runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest


def edit(folder, **changes):
    """Change values of a result.json; a dotted name reaches inside."""
    path = folder / "result.json"
    result = json.loads(path.read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        place = result
        for parent in parents:
            place = place[parent]
        place[last] = value
    path.write_text(json.dumps(result))


def test_evaluate_prints_the_stored_numbers(toolkit, run_copy, tmp_path):
    stored = json.loads((run_copy / "result.json").read_text())
    answer = toolkit("evaluate", run_copy, "--json", tmp_path / "again.json")
    assert answer.code == 0
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["metrics"] == stored["metrics"]
    assert again == json.loads((run_copy / "result.json").read_text())
    lines = answer.out.splitlines()
    head = next(line for line in lines if line.startswith("steps"))
    assert head.split("  ") != []
    for step in (1, 10, 25, 50, 100):
        row = next(line for line in lines if line.startswith(f"{step} "))
        error = stored["metrics"]["state_error_by_horizon"]["mean"][step - 1]
        floor = stored["metrics"]["persistence_error_by_horizon"]["mean"][step - 1]
        assert f"{error:.4g} ± " in row
        assert f"{floor:.4g}" in row
        assert row.endswith(f"{error / floor:.4g}")
    share = stored["metrics"]["state_error_vs_persistence"]
    assert f"state error, share of persistence's, all steps: {share['mean']:.4g} ± " in answer.out


def test_evaluate_at_another_horizon_with_reencoding(toolkit, run_copy):
    answer = toolkit("evaluate", run_copy, "--horizon", 12, "--reencode-every", 4)
    assert answer.code == 0
    result = json.loads((run_copy / "result.json").read_text())
    assert (result["score"]["horizon"], result["score"]["reencode_every"]) == (12, 4)
    assert len(result["metrics"]["state_error_by_horizon"]["mean"]) == 12
    assert [line.split()[0] for line in answer.out.splitlines()[4:7]] == ["1", "10", "12"]


def test_evaluate_on_other_data_says_so(toolkit, run_copy, tmp_path):
    path = tmp_path / "more.hdf5"
    make = ["data", "make", "toolkit/pendulum", "--out", path, "--num-transitions", 300]
    assert toolkit(*make, "--episode-steps", 100, "--seed", 5).code == 0
    assert toolkit("evaluate", run_copy, "--data", path, "--horizon", 20).code == 0
    score = json.loads((run_copy / "result.json").read_text())["score"]
    assert score["num_test_episodes"] == 3
    assert score["test_data"]["sha256"]
    assert score["test_data"]["history"][-1] == "evaluated on as a whole"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--horizon", 500], "`horizon` is 500"),
        (["--horizon", 0], "`horizon` must be at least 1, got 0"),
        (["--reencode-every", -1], "`reencode_every` must not be negative, got -1"),
        (["--data", "toolkit/cart-pole"], "trained on observations of 3 numbers"),
        (["--json", "/nowhere/at/all.json"], "the report cannot be written"),
    ],
)
def test_evaluate_refuses(refused, run_copy, words, sentence):
    assert sentence in refused("evaluate", run_copy, *words)


def test_evaluate_refuses_a_folder_without_a_run(refused, tmp_path):
    assert "it has no config.json" in refused("evaluate", tmp_path)


def test_equal_runs_may_be_compared(toolkit, trained, run_copy):
    answer = toolkit("compare", trained, run_copy)
    assert answer.code == 0
    assert "These runs may be compared" in answer.out
    scores = json.loads((trained / "result.json").read_text())["metrics"]
    values = scores["state_error_vs_persistence"]["per_seed"]
    row = next(line for line in answer.out.splitlines() if line.startswith(str(trained)))
    low, high = min(values), max(values)
    assert row.endswith(f"{np.mean(values):.4g}  [{low:.4g}, {high:.4g}]")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset__sha256": "f" * 64}, "training data (SHA-256)"),
        ({"score__horizon": 50}, "horizon: 100 and 50"),
        ({"score__rule": "best"}, "score rule: last update, never the best and best"),
        ({"env": {"id": "Hopper-v5", "mujoco": "3.1"}}, "environment: none and Hopper-v5"),
        ({"score__test_data__history": []}, "choice of test episodes"),
    ],
)
def test_runs_that_differ_may_not_be_compared_and_why(toolkit, trained, run_copy, changes, reason):
    edit(run_copy, **changes)
    answer = toolkit("compare", trained, run_copy)
    assert answer.code == 1
    assert "may NOT be compared" in answer.out
    assert reason in answer.out


@pytest.fixture
def four_runs(trained, tmp_path) -> list[Path]:
    """Two models on two datasets."""
    folders = [tmp_path / f"{model}-{data}" for model in ("koopman", "other") for data in "ab"]
    for folder in folders:
        shutil.copytree(trained, folder)
        model, data = folder.name.split("-")
        edit(folder, model=model, dataset__sha256=data * 64)
    return folders


def test_two_models_on_two_datasets_are_aggregated_over_both(toolkit, four_runs):
    answer = toolkit("compare", *four_runs)
    assert answer.code == 0
    assert "over 2 datasets" in answer.out
    assert any(line.startswith("other ") for line in answer.out.splitlines())


def test_different_numbers_of_seeds_are_not_aggregated_and_that_is_said(toolkit, four_runs):
    path = four_runs[0] / "result.json"
    result = json.loads(path.read_text())
    result["metrics"]["state_error_vs_persistence"]["per_seed"].append(0.5)
    path.write_text(json.dumps(result))
    assert "not aggregated: the runs have different numbers" in toolkit("compare", *four_runs).out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "two or more different folders, got 1"),
        (["--metric", "speed"], "two or more"),
    ],
)
def test_compare_needs_two_folders(refused, trained, words, sentence):
    assert sentence in refused("compare", trained, *words)


def test_compare_refuses_what_it_cannot_read(refused, trained, run_copy, tmp_path):
    assert "expected an evaluated run" in refused("compare", trained, tmp_path)
    sentence = refused("compare", trained, run_copy, "--metric", "speed")
    assert "has no metric 'speed'; it has state_error_vs_persistence" in sentence
    sentence = refused("compare", trained, run_copy, "--metric", "state_error_by_horizon")
    assert "is a list by horizon" in sentence
    (run_copy / "result.json").write_text("{")
    assert "does not hold JSON" in refused("compare", trained, run_copy)
