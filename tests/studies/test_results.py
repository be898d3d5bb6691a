"""Tables for figures: which rows are compared, what is said to be missing, where tables lie."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.studies import results
from toolkit.studies.results import (
    block,
    blocks,
    by_size,
    committed,
    missing,
    passport,
    read_online_rows,
    read_rows,
    verdict_panels,
)

ROOT = Path(__file__).parents[2]


def row(label, agent, seed, score, updates=10, **more):
    return {
        "dataset": {"label": label, "name": f"toolkit/{label}"}, "candidate": agent,
        "seed": seed, "num_updates": updates,
        "normalized_score": float(score), "env": {"id": "Hopper-v4", "mujoco": "3.17"},
        "returns": [1.0, 2.0], "rule": "last update, never the best", "device": "cpu: cpu",
        "versions": {"jax": "0.10.1"}, "commit": "0123456789abc", **more,
    }  # fmt: skip


ROWS = [
    *(row(label, "bc", seed, 10 * place + seed)
      for place, label in enumerate("HWC") for seed in (1, 0)),
    row("R", "bc", 0, 50.0),
    *(row(label, "td3-bc", seed, 100 + seed) for label in "HW" for seed in (0, 1)),
    row("C", "td3-bc", 0, 7.0), row("R", "td3-bc", 0, 8.0),
    row("H", "tsrl", 0, 60.0),
]  # fmt: skip


def write(tmp_path, rows, **settings):
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"format": 1, "settings": settings, "rows": rows}))
    return path


def test_a_block_holds_sets_that_every_agent_has_with_so_many_seeds():
    scores, sets = block(ROWS, 2, ["bc", "td3-bc"])
    assert sets == ["H", "W"]
    np.testing.assert_array_equal(scores["bc"], [[0, 10], [1, 11]])  # by seed, not by row
    np.testing.assert_array_equal(scores["td3-bc"], [[100, 100], [101, 101]])
    assert block(ROWS, 1)[1] == ["H"]  # the only set of all three
    assert block(ROWS, 2) == ({}, [])
    assert block([], 1) == ({}, [])


def test_every_comparison_is_offered_the_largest_first():
    found = blocks(ROWS)
    assert list(found) == [
        "2 sets, 2 seeds: bc; td3-bc", "4 sets, 1 seed: bc; td3-bc",
        "1 set, 1 seed: bc; td3-bc; tsrl",
    ]  # fmt: skip
    for scores, sets in found.values():
        for values in scores.values():
            assert values.shape[1] == len(sets) and np.isfinite(values).all()
    assert blocks([]) == {}
    more = [*ROWS, row("R", "bc", 1, 5.0), row("R", "td3-bc", 1, 5.0), row("C", "td3-bc", 1, 5.0)]
    assert list(blocks(more)) == ["4 sets, 2 seeds: bc; td3-bc", "1 set, 1 seed: bc; td3-bc; tsrl"]
    assert list(blocks([r for r in ROWS if r["candidate"] == "bc"])) == [
        "3 sets, 2 seeds: bc", "4 sets, 1 seed: bc",
    ]  # fmt: skip


def test_what_is_missing_is_said():
    told = missing(ROWS, ["bc", "td3-bc", "tsrl", "iql"], list("HWCR"))
    assert told == ["tsrl is missing on W, C, R.", "iql is missing altogether."]


def test_scores_by_size():
    rows = [row("p", "bc", seed, seed, size=size) for size in (30_000, 5_000) for seed in (2, 0)]
    rows.append(row("p", "tsrl", 0, 9.0, size=5_000))
    assert by_size(rows) == {"bc": {5_000: [0.0, 2.0], 30_000: [0.0, 2.0]}, "tsrl": {5_000: [9.0]}}


def test_a_passport_names_each_value_once():
    text = passport([*ROWS, row("W", "bc", 5, 1.0, updates=50_000)])
    assert text.count("Hopper-v4") == 1 and "10 to 50,000 updates" in text
    for part in (
        "Data: toolkit/H, toolkit/W, toolkit/C, toolkit/R.",
        "MuJoCo 3.17",
        "2 episodes",
        "never the best",
        "JAX 0.10.1",
        "0123456.",
    ):
        assert part in text


def test_the_longest_run_is_read_and_toy_numbers_are_refused(tmp_path):
    rows = [row("H", "bc", 0, 1.0, updates=5), row("H", "bc", 0, 2.0, updates=9)]
    (read,) = read_rows(write(tmp_path, rows, fast=False))
    assert read["normalized_score"] == 2.0
    with pytest.raises(UserError, match="its numbers mean nothing"):
        read_rows(write(tmp_path, rows, fast=True))
    (tmp_path / "table.json").write_text("[]")
    with pytest.raises(UserError, match="is not a table of this study"):
        read_rows(tmp_path / "table.json")


def test_tables_are_found_in_the_source_tree_and_in_an_installed_package(tmp_path, monkeypatch):
    assert committed("initialisation.json") == ROOT / "results" / "initialisation.json"
    assert committed("no such table.json") is None
    monkeypatch.setattr(results, "FOLDERS", (tmp_path / "none", tmp_path))
    (tmp_path / "table.json").write_text("{}")
    assert committed("table.json") == tmp_path / "table.json"
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert wheel["targets"]["wheel"]["force-include"] == {"results": "toolkit/results"}


def test_verdicts_are_panels_of_datasets_and_curves_of_augmentations(tmp_path):
    rows = [
        {"dataset": {"label": label}, "augmentation": name, "displacement": size * place,
         "error": size, "translated_error": 2.0}
        for place, label in enumerate("HW", start=1)
        for size in (0.1, 0.2) for name in ("noise", "spectral")
    ]  # fmt: skip
    panels = verdict_panels(write(tmp_path, rows), ["spectral"])
    assert list(panels) == ["H", "W"] and list(panels["W"]) == ["spectral"]
    moved, ratio = panels["W"]["spectral"]
    np.testing.assert_allclose(moved, [0.2, 0.4])
    np.testing.assert_allclose(ratio, [0.05, 0.1])
    with pytest.raises(UserError, match="its numbers mean nothing"):
        verdict_panels(write(tmp_path, rows, fast=True), ["spectral"])


def online(task, agent, seed, returns, steps=4):
    shared = row("", agent, seed, 0.0)
    del shared["dataset"], shared["normalized_score"]
    return shared | {
        "env": {"id": task, "mujoco": "3.17"}, "num_env_steps": steps, "repeat": 8,
        "reduced": True, "curve_env_steps": [steps // 2, steps], "curve_return": returns,
    }  # fmt: skip


def test_of_online_runs_the_longest_count_and_their_passport_says_that_they_are_small(tmp_path):
    rows = [online("a", "tdmpc", 0, [1.0, 2.0]), online("a", "tdmpc", 0, [3.0, 4.0], steps=8),
            online("a", "tdmpc", 1, [5.0, 6.0], steps=8)]  # fmt: skip
    read = read_online_rows(write(tmp_path, rows, fast=False))
    assert [found["curve_return"] for found in read] == [[3.0, 4.0], [5.0, 6.0]]
    text = passport(read)
    assert text.startswith("a in MuJoCo 3.17, 2 episodes") and "Data:" not in text
    assert "smaller than published. Made with" in text
    with pytest.raises(UserError, match="--fast"):
        read_online_rows(write(tmp_path, rows, fast=True))
