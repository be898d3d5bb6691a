"""`toolkit train sac`, `evaluate` and `compare` on its runs, and `data make` for robots."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from toolkit.cli import main
from toolkit.envs.canvas import can_render
from toolkit.training.records import read_rows

SMALL = [
    "--env", "Hopper-v4", "--hidden", "8", "--batch-size", "8", "--num-envs", "2",
    "--random-steps", "64", "--replay-capacity", "256", "--evaluate-every", "64",
    "--num-episodes", "2", "--threads", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 192 steps, not to be changed."""
    folder = tmp_path_factory.mktemp("online") / "sac"
    words = ["train", "sac", *SMALL, "--num-env-steps", "192", "--keep-policies"]
    assert main([*words, "--out", str(folder)]) == 0
    return folder


def test_the_folder_holds_everything(whole):
    config = json.loads((whole / "config.json").read_text())
    assert config["kind"] == "online" and config["env"]["id"] == "Hopper-v4"
    rows = read_rows(whole / "metrics.jsonl")
    assert [row["env_steps"] for row in rows] == [64, 128, 192]
    assert [row["update"] for row in rows] == [0, 64, 128]
    assert "loss/critic" in rows[-1] and len(rows[-1]["returns"]) == 2
    assert len(list((whole / "policies").iterdir())) == 3
    result = json.loads((whole / "result.json").read_text())
    assert result["score"]["rule"] == "last update, never the best"
    assert len(result["score"]["returns"]) == 10
    assert result["env"]["mujoco"] and result["num_env_steps"] == 192
    mean = result["metrics"]["normalized_score"]["mean"]
    returns = result["metrics"]["episode_return"]["mean"]
    assert mean == pytest.approx(100 * (returns + 20.272305) / (3234.3 + 20.272305))


def test_a_run_continued_from_its_checkpoint_is_the_same(whole, toolkit, tmp_path):
    folder = tmp_path / "sac"
    base = ["train", "sac", *SMALL, "--out", folder]
    assert toolkit(*base, "--num-env-steps", "128").code == 0
    assert toolkit(*base, "--num-env-steps", "192", "--resume").code == 0
    here, there = (read_rows(path / "metrics.jsonl") for path in (folder, whole))
    for a, b in zip(here, there, strict=True):
        timed = {"seconds", "updates_per_second"}
        assert {k: v for k, v in a.items() if k not in timed} == {
            k: v for k, v in b.items() if k not in timed
        }
    payload = [
        (path / "checkpoint" / "state.ckpt").read_bytes().split(b"\n", 2)[2]
        for path in (folder, whole)
    ]
    assert payload[0] == payload[1]


def test_what_cannot_be_resumed_is_refused(whole, refused, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    assert "already holds a run" in refused("train", "sac", *SMALL, "--out", copy)
    other = refused("train", "sac", *SMALL, "--discount", "0.9", "--out", copy, "--resume")
    assert "`discount` is 0.9 here but 0.99 there" in other


def test_a_folder_is_looked_at_before_anything_is_made(whole, refused, monkeypatch):
    monkeypatch.setattr("toolkit.training.online_driver.make_envs", None)
    assert "already holds a run" in refused("train", "sac", *SMALL, "--out", whole)
    words = ["train", "sac", *SMALL, "--seed", "3", "--out", whole, "--resume"]
    assert "`seed` is 3 here but 0 there" in refused(*words)


@pytest.fixture
def interrupted(toolkit, tmp_path, monkeypatch):
    """Trains for 400 steps and is stopped between steps 192 and 256; the answer."""
    from toolkit.envs.batched import BatchedRobots

    step, calls = BatchedRobots._advance, []

    def stop(self, action):
        if self.num_envs == 4:
            calls.append(0)
            if len(calls) == 50:
                raise KeyboardInterrupt
        return step(self, action)

    monkeypatch.setattr(BatchedRobots, "_advance", stop)
    words = ["train", "sac", *SMALL, "--num-envs", "4", "--num-env-steps", "400"]
    return lambda: toolkit(*words, "--out", tmp_path / "run")


def test_an_interruption_says_how_to_go_on(interrupted):
    answer = interrupted()
    assert answer.code == 130
    assert "from environment step 192 of 400. Continue with: toolkit train sac" in answer.err
    assert "--num-envs 4" in answer.err and answer.err.rstrip().endswith("--resume")


def test_an_interruption_says_that_nobody_can_go_on(interrupted, toolkit, tmp_path, monkeypatch):
    from toolkit.envs.batched import BatchedRobots

    monkeypatch.setattr(BatchedRobots, "restorable", False)
    answer = interrupted()
    assert answer.code == 130
    assert "the last score and agent are from environment step 192 of 400. The sta" in answer.err
    assert answer.err.rstrip().endswith("of Hopper-v4 cannot be saved, so this run cannot go on.")
    assert toolkit("evaluate", tmp_path / "run", "--num-episodes", "1").code == 0


def test_evaluating_a_run_scores_its_last_policy(whole, toolkit, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", "3", "--json", tmp_path / "r.json")
    assert answer.code == 0 and "normalised score" in answer.out
    result = json.loads((tmp_path / "r.json").read_text())
    assert len(result["score"]["returns"]) == 3
    first = json.loads((whole / "result.json").read_text())["score"]["returns"][0]
    assert result["score"]["returns"][0] == pytest.approx(first, rel=1e-4)


def test_a_stored_policy_is_evaluated_by_name(toolkit):
    answer = toolkit("evaluate", "toolkit/hopper-medium", "--num-episodes", "2")
    assert answer.code == 0
    assert "sac (hopper-medium) in Hopper-v4" in answer.out


def test_recording_writes_moving_pictures_and_a_film_strip(whole, toolkit, tmp_path):
    if not any(map(can_render, ("egl", "osmesa"))):
        pytest.skip("neither EGL nor OSMesa renders here")
    copy = shutil.copytree(whole, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", "1", "--record", tmp_path / "a.gif")
    assert answer.code == 0, answer.err
    assert (tmp_path / "a.gif").read_bytes()[:4] == b"GIF8"
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_runs_are_compared_by_their_scores(whole, toolkit, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    answer = toolkit("compare", whole, copy)
    assert answer.code == 0
    assert answer.out.startswith("normalized_score")
    toolkit("evaluate", copy, "--num-episodes", "3")
    answer = toolkit("compare", whole, copy)
    assert answer.code == 1 and "number of episodes: 10 and 3" in answer.out


def test_making_a_dataset_by_command(toolkit, tmp_path):
    answer = toolkit("data", "make", "toolkit/hopper-random", "--num-transitions", "60",
                     "--out", tmp_path / "r.hdf5", "--no-infos", "--threads", "1")  # fmt: skip
    assert answer.code == 0 and "60 transitions of toolkit/hopper-random" in answer.out
    answer = toolkit("data", "check", tmp_path / "r.hdf5", "--simulate")
    assert answer.code == 0 and "close enough to score policies" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "sac", "--env", "Hopper-v9"], "`env` must be an id of Gymnasium"),
        (["train", "sac", "--env", "CartPole-v1"], "CartPole-v1"),
        (["train", "sac", *SMALL, "--discount", "nan"], "`discount` must be a finite number"),
        (["train", "sac", *SMALL, "--evaluate-every", "0"], "`evaluate_every` must be at least 1"),
        (["evaluate", "toolkit/hopper-fast"], "is not a stored policy"),
        (["data", "make", "toolkit/hoper-medium", "--out", "x"], "did you mean"),
        (["data", "make", "hopper-medium-v2", "--out", "x"], "not a dataset that can be made"),
    ],
)
def test_wrong_input_is_one_sentence(words, sentence, refused, tmp_path):
    out = ["--out", tmp_path / "run"] if words[0] == "train" else []
    assert sentence in refused(*words, *out)
    assert not Path("x").exists()


def test_recording_needs_a_known_suffix(whole, refused, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    said = refused("evaluate", copy, "--num-episodes", "1", "--record", tmp_path / "a.avi")
    assert "`record` must end in .gif or .mp4" in said


def test_without_mujoco_training_says_what_to_install(refused, monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "mujoco", None)
    said = refused("train", "sac", *SMALL, "--out", tmp_path / "run")
    assert "pip install 'koopman-toolkit[mujoco]'" in said
