"""`toolkit train koopman-spr --env dmc/…`: from the first frame to the score, and again."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.agents import dots
from toolkit.cli import main
from toolkit.envs import canvas, task_camera
from toolkit.errors import UserError
from toolkit.training.config import flags
from toolkit.training.records import read_rows

pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")

SIZES = dots.SMALL | dots.KOOPMAN | {
    "random_steps": 32, "updates_per_step": 2.0, "replay_capacity": 100,  # full at the end
}  # fmt: skip
SMALL = [*flags(SIZES), "--evaluate-every", "32", "--num-episodes", "1"]
TRAIN = ["train", "koopman-spr", "--env", "dmc/cartpole-swingup@100", *SMALL]


@pytest.fixture(scope="module", autouse=True)
def _renderer():
    """Whatever a canvas writes into the environment is taken back."""
    before = os.environ.get("MUJOCO_GL")
    try:
        canvas.choose_backend()
    except UserError as error:
        pytest.skip(str(error))
    yield
    os.environ.pop("MUJOCO_GL", None)
    if before is not None:
        os.environ["MUJOCO_GL"] = before


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 96 decisions in episodes of ten, not to be changed; its replay is full."""
    folder = tmp_path_factory.mktemp("pixels") / "run"
    assert main([*TRAIN, "--num-env-steps", "96", "--out", str(folder)]) == 0
    return folder


def test_the_folder_holds_scores_and_their_passport(whole):
    result = json.loads((whole / "result.json").read_text())
    assert result["model"] == "koopman-spr" and result["num_env_steps"] == 96
    assert result["env"]["id"] == "dmc/cartpole-swingup@100" and result["env"]["dm_control"]
    assert result["score"]["lengths"] == [10] * 10
    assert 0 <= result["metrics"]["episode_return"]["mean"] <= 1000
    rows = read_rows(whole / "metrics.jsonl")
    assert [row["update"] for row in rows] == [0, 64, 128]
    assert {"loss/prediction", "loss/critic", "loss/actor"} <= set(rows[-1])
    assert json.loads((whole / "config.json").read_text())["spec"]["image_size"] == 16


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(whole, toolkit, tmp_path):
    base = [*TRAIN, "--out", tmp_path / "run"]
    assert toolkit(*base, "--num-env-steps", "64").code == 0
    assert toolkit(*base, "--num-env-steps", "96", "--resume").code == 0
    here, there = (
        (path / "checkpoint" / "state.ckpt").read_bytes().split(b"\n", 2)[2]
        for path in (tmp_path / "run", whole)
    )
    assert here == there


def test_it_is_evaluated_from_pixels(whole, toolkit, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", "2")
    assert answer.code == 0
    assert "koopman-spr in dmc/cartpole-swingup@100" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--env", "dmc/cartpole-swingdown"], "has no task cartpole-swingdown; did you mean"),
        (["--env", "dmc/cartpole-swingup@7"], "must divide an episode's 1000 control steps, got 7"),
        (["--env", "Hopper-v4"], "need a task of DeepMind Control, such as `env` dmc/cartpole"),
        (["--horizon", "11"], "must not exceed the 10 steps of an episode of dmc/cartpole-swingup"),
        (["--replay-capacity", "6"], "`replay_capacity` must hold more than the 3 steps"),
        (["--image-size", "9"], "`image_size` must be at least 15, got 9"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence, refused, tmp_path):
    assert sentence in refused(*TRAIN, *words, "--out", tmp_path / "run")


def test_without_a_renderer_there_is_one_sentence(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(canvas, "can_render", lambda backend: False)
    monkeypatch.setattr(task_camera, "_CANVASES", {})
    sentence = refused(*TRAIN, "--out", tmp_path / "run")
    assert "MuJoCo cannot draw here" in sentence and "libegl1" in sentence
