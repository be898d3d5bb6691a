"""`toolkit train koopman-tdmpc --env dmc/…`: from the first step to the score, and again."""

from __future__ import annotations

import json
import shutil

import pytest

from toolkit.cli import main
from toolkit.training.records import read_rows

pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")

SMALL = [
    "--latent", "4", "--hidden", "8", "--encoder-hidden", "8", "--horizon", "3",
    "--batch-size", "8", "--samples", "16", "--proposals", "2", "--elites", "4",
    "--iterations", "2", "--random-steps", "64", "--replay-capacity", "256",
    "--evaluate-every", "64", "--num-episodes", "1",
]  # fmt: skip
TRAIN = ["train", "koopman-tdmpc", "--env", "dmc/cartpole-swingup@100", *SMALL]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 192 decisions in episodes of ten, not to be changed."""
    folder = tmp_path_factory.mktemp("tdmpc") / "run"
    assert main([*TRAIN, "--num-env-steps", "192", "--out", str(folder)]) == 0
    return folder


def test_the_folder_holds_scores_and_their_passport(whole):
    result = json.loads((whole / "result.json").read_text())
    assert result["model"] == "koopman-tdmpc" and result["num_env_steps"] == 192
    assert result["env"]["id"] == "dmc/cartpole-swingup@100" and result["env"]["dm_control"]
    assert result["score"]["lengths"] == [10] * 10
    assert 0 <= result["metrics"]["episode_return"]["mean"] <= 1000
    rows = read_rows(whole / "metrics.jsonl")
    assert [row["update"] for row in rows] == [0, 64, 128]
    assert {"loss/consistency", "loss/reward", "loss/value", "loss/policy"} <= set(rows[-1])


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(whole, toolkit, tmp_path):
    base = [*TRAIN, "--out", tmp_path / "run"]
    assert toolkit(*base, "--num-env-steps", "128").code == 0
    assert toolkit(*base, "--num-env-steps", "192", "--resume").code == 0
    here, there = (
        (path / "checkpoint" / "state.ckpt").read_bytes().split(b"\n", 2)[2]
        for path in (tmp_path / "run", whole)
    )
    assert here == there


def test_it_is_evaluated(whole, toolkit, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", "2")
    assert answer.code == 0
    assert "koopman-tdmpc in dmc/cartpole-swingup@100" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--env", "dmc/cartpole-swingdown"], "has no task cartpole-swingdown; did you mean"),
        (["--env", "dmc/cartpole"], "`env` must be dmc/DOMAIN-TASK"),
        (["--env", "dmc/cartpole-swingup@7"], "must divide an episode's 1000 control steps, got 7"),
        (["--horizon", "11"], "must not exceed the 10 steps of an episode of dmc/cartpole-swingup"),
        (["--elites", "17"], "`elites` must be at most `samples` 16, got 17"),
        (["--replay-capacity", "2", "--horizon", "10", "--updates-per-step", "64"],
         "`replay_capacity` must hold a sequence"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(words, sentence, refused, tmp_path):
    assert sentence in refused(*TRAIN, *words, "--out", tmp_path / "run")
