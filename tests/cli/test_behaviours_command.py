"""`toolkit study behaviours`: which policies of a run are stored, and what befalls the old ones."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from toolkit.behaviours import load_behaviour, read_passport, stages
from toolkit.cli import main
from toolkit.errors import UserError
from toolkit.studies.behaviours import choose_stages
from toolkit.training.online_run import OnlineRun

SMALL = [
    "--env", "Hopper-v4", "--hidden", "8", "--batch-size", "8", "--num-envs", "2",
    "--random-steps", "64", "--replay-capacity", "256", "--num-episodes", "1", "--threads", "1",
    "--num-env-steps", "256", "--keep-policies",
]  # fmt: skip


def rows_of(scores):
    return [
        {"env_steps": 1000 * (i + 1), "normalized_score": float(score)}
        for i, score in enumerate(scores)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of SAC with four kept policies."""
    folder = tmp_path_factory.mktemp("behaviours") / "sac"
    words = ["train", "sac", *SMALL, "--evaluate-every", "64", "--out", str(folder)]
    assert main(words) == 0
    return folder


def test_expert_is_the_last_and_medium_nearest_to_a_third_of_it():
    chosen = choose_stages(rows_of([0, 10, 20, 34, 50, 60, 90]))
    assert chosen["expert"] == 6 and chosen["medium"] == 3
    assert list(chosen.values()) == sorted(chosen.values())


def test_the_first_and_the_last_policy_are_never_medium():
    assert choose_stages(rows_of([30, 80, 85, 90]))["medium"] == 1
    assert choose_stages(rows_of([0, 1, 2, -3]))["medium"] in (1, 2)


def test_stages_between_are_named_by_their_steps():
    chosen = choose_stages(rows_of(np.linspace(0, 90, 40)))
    between = set(chosen) - {"medium", "expert"}
    assert len(between) == 5
    assert all(name == f"{chosen[name] + 1:04d}k" for name in between)
    assert sum(chosen[name] < chosen["medium"] for name in between) == 3


def test_two_policies_are_too_few():
    with pytest.raises(UserError, match="at least 3 kept policies, got 2"):
        choose_stages(rows_of([1, 2]))


def test_stored_policies_act_like_those_of_the_run(trained, toolkit, tmp_path):
    result = toolkit("study", "behaviours", trained, "--out", tmp_path, "--num-episodes", "2")
    assert result.code == 0 and "hopper-expert" in result.out
    order = stages("hopper", tmp_path)
    assert order[-1] == "expert" and "medium" in order
    policy, _ = OnlineRun.open(trained).policies()[-1]
    stored = load_behaviour("hopper-expert", tmp_path)
    for kept, rounded in zip(*map(jax.tree.leaves, (policy.actor, stored.actor)), strict=True):
        np.testing.assert_array_equal(rounded, np.asarray(kept).astype(np.float16))
    passport = read_passport("hopper-medium", tmp_path)
    assert len(passport["returns"]) == 2 and len(passport["curve"]) == 4
    assert passport["episode_return"] == pytest.approx(np.mean(passport["returns"]), abs=0.01)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(f"hopper-{s}" for s in order)


def test_old_policies_stay_where_new_ones_cannot_be_made(trained, refused, tmp_path):
    old = tmp_path / "hopper-medium.ckpt"
    old.write_bytes(b"old")
    few = tmp_path / "few"
    main(["train", "sac", *SMALL, "--evaluate-every", "256", "--out", str(few)])
    said = refused("study", "behaviours", few, "--out", tmp_path)
    assert "at least 3 kept policies, got 1" in said and old.read_bytes() == b"old"
    said = refused("study", "behaviours", trained, "--out", tmp_path, "--num-episodes", "0")
    assert "num_episodes" in said and old.read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob("*.ckpt")] == ["hopper-medium.ckpt"]


def test_a_run_of_another_agent_is_refused(trained, refused, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    config = json.loads((trained / "config.json").read_text())
    (other / "config.json").write_text(
        json.dumps(config | {"model": "tdmpc", "hyperparameters": {}})
    )
    assert "holds a run of tdmpc" in refused("study", "behaviours", other, "--out", tmp_path)
