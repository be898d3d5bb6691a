"""`toolkit train`: what it writes, how it stops, and how it goes on."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.cli.conftest import SMALL
from toolkit.commands import train as train_module
from toolkit.commands.train import Train
from toolkit.data import load
from toolkit.evaluation import prediction_errors
from toolkit.training import Run


def test_a_run_directory_holds_everything(trained):
    names = {str(path.relative_to(trained)) for path in trained.rglob("*") if path.is_file()}
    assert names == {"config.json", "metrics.jsonl", "checkpoint/state.ckpt", "result.json"}


def test_the_result_is_the_documented_passport(trained):
    result = json.loads((trained / "result.json").read_text())
    assert result["format"] == 1
    assert result["model"] == "koopman"
    assert set(result["dataset"]) == {"name", "sha256", "num_transitions", "history"}
    assert result["dataset"]["num_transitions"] == 20_000
    assert result["seeds"] == [0, 1]
    assert result["num_updates"] == 20
    assert result["env"] is None
    assert {"jax", "numpy", "toolkit"} <= set(result["versions"])
    assert result["device"]
    assert "commit" in result
    assert result["score"]["rule"] == "last update, never the best"
    assert result["score"]["horizon"] == 100
    assert result["score"]["num_test_windows"] == 20 * 101
    assert "test part" in result["score"]["test_data"]["history"][-1]
    metrics = result["metrics"]
    assert {"state_error_vs_persistence", "state_error_by_horizon", "reward_error",
            "updates_per_second"} <= set(metrics)  # fmt: skip
    for metric in metrics.values():
        assert set(metric) == {"mean", "std", "per_seed"}
        np.testing.assert_allclose(metric["mean"], np.mean(metric["per_seed"], axis=0))
        np.testing.assert_allclose(metric["std"], np.std(metric["per_seed"], axis=0, ddof=1))


def test_the_scores_are_those_of_the_opened_run(trained):
    run = Run.open(trained)
    metrics = run.result()["metrics"]
    for index in range(2):
        errors = prediction_errors(run.trained(index), run.test_data(), horizon=100)
        assert metrics["state_error_vs_persistence"]["per_seed"][index] == pytest.approx(
            errors.state_vs_persistence
        )
        np.testing.assert_allclose(
            metrics["state_error_by_horizon"]["per_seed"][index], errors.state, rtol=1e-6
        )


def test_a_trained_model_predicts_in_raw_units(trained):
    run = Run.open(trained)
    test = run.test_data()
    predicted = run.trained(1).predict(test.observations[0], test.actions[:5])
    np.testing.assert_array_equal(predicted.obs[0], test.observations[0])
    assert predicted.obs.shape == (6, 3)
    assert predicted.reward.shape == (5,)


def test_without_data_and_out_the_names_say_what_was_trained():
    assert train_module.default_folder("koopman", "toolkit/pendulum") == Path(
        "runs/koopman-toolkit-pendulum"
    )


def test_a_file_gives_the_folder_its_stem(tmp_path):
    path = tmp_path / "hopper v2 (small).hdf5"
    path.write_bytes(b"")
    folder = train_module.default_folder("koopman", str(path))
    assert folder == Path("runs/koopman-hopper-v2-small-")


def test_a_complete_run_says_so_and_is_evaluated_again(toolkit, run_copy):
    (run_copy / "result.json").unlink()
    before = (run_copy / "checkpoint" / "state.ckpt").read_bytes()
    answer = toolkit(
        "train", "koopman", *SMALL, "--data", "toolkit/pendulum", "--seeds", "0,1",
        "--out", run_copy, "--resume",
    )  # fmt: skip
    assert answer.code == 0
    assert "already complete at update 20" in answer.out
    assert "normalised error" in answer.out
    assert (run_copy / "result.json").exists()
    assert (run_copy / "checkpoint" / "state.ckpt").read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_a_nan_is_one_sentence_and_code_1(toolkit, tmp_path):
    answer = toolkit(
        "train", "tiny", "--break-at", 24, "--chunk-updates", 10, "--out", tmp_path / "r"
    )
    assert answer.code == 1
    sentences = [line for line in answer.err.splitlines() if line.startswith("toolkit: ")]
    assert len(sentences) == 1
    assert "stopped at update 24: `bias` is not finite" in sentences[0]
    assert Run.open(tmp_path / "r").header()["update"] == 20
    assert not (tmp_path / "r" / "result.json").exists()


@pytest.fixture
def evaluation_left_out(monkeypatch):
    """The tiny model is no dynamics model, so it cannot be evaluated."""
    monkeypatch.setattr(train_module, "finisher", lambda experiment: lambda run: "")


@pytest.mark.usefixtures("tiny", "evaluation_left_out")
def test_ctrl_c_saves_says_how_to_go_on_and_the_words_work(toolkit, tmp_path, monkeypatch):
    words = ["train", "tiny", "--seeds", "0,1", "--chunk-updates", 10, "--width", 2]
    assert toolkit(*words, "--out", tmp_path / "whole").code == 0

    show = train_module._Bar.show

    def press_ctrl_c(self, row):
        show(self, row)
        if row["update"] == 20:
            raise KeyboardInterrupt

    monkeypatch.setattr(train_module._Bar, "show", press_ctrl_c)
    answer = toolkit(*words, "--out", tmp_path / "broken")
    assert answer.code == 130
    hint = re.search(r"^Stopped at update 20 of 40; continue with: toolkit (.*)$", answer.err, re.M)
    assert hint, answer.err
    monkeypatch.setattr(train_module._Bar, "show", show)
    assert toolkit(*hint[1].split()).code == 0
    states = [Run.open(tmp_path / name).state() for name in ("whole", "broken")]
    jax.tree.map(np.testing.assert_array_equal, *states)


def test_the_words_that_go_on_keep_what_a_run_does_not_store(trained):
    config = Run.open(trained).config
    train = Train(learner=config.learner(), evaluate_every=20, checkpoint_seconds=5.0)
    words = config.command(trained, train._of_this_call()).split()
    assert words[-5:] == ["--evaluate-every", "20", "--checkpoint-seconds", "5.0", "--resume"]
    assert Train(learner=config.learner())._of_this_call() == {}


@pytest.mark.usefixtures("tiny")
def test_a_full_disk_stops_the_run_and_keeps_the_older_checkpoint(refused, tmp_path, monkeypatch):
    fsync, calls = os.fsync, []

    def full_at_the_second_checkpoint(descriptor):
        calls.append(descriptor)
        if len(calls) > 3:  # config.json, the empty metrics and one checkpoint went well
            raise OSError(28, os.strerror(28))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_second_checkpoint)
    sentence = refused("train", "tiny", "--chunk-updates", 10, "--checkpoint-seconds", 0,
                       "--out", tmp_path / "r")  # fmt: skip
    assert sentence.endswith("state.ckpt: No space left on device.")
    monkeypatch.undo()
    assert (tmp_path / "r" / "checkpoint" / "state.ckpt").exists()
    from toolkit.training import read_header

    assert read_header(tmp_path / "r" / "checkpoint" / "state.ckpt")["update"] == 10
    assert [path.name for path in (tmp_path / "r" / "checkpoint").iterdir()] == ["state.ckpt"]


@pytest.mark.usefixtures("tiny", "evaluation_left_out")
def test_the_bar_moves_once_per_chunk_and_shows_the_rate(toolkit, tmp_path):
    answer = toolkit("train", "tiny", "--chunk-updates", 10, "--out", tmp_path / "r")
    assert "40/40" in answer.err
    assert "updates/s" in answer.err
    assert "loss/total=" in answer.err


@pytest.mark.usefixtures("tiny", "evaluation_left_out")
def test_an_environment_goes_into_the_passport(toolkit, tmp_path):
    pytest.importorskip("gymnasium")
    out = tmp_path / "r"
    assert toolkit("train", "tiny", "--env", "CartPole-v1", "--out", out).code == 0
    env = json.loads((out / "config.json").read_text())["env"]
    assert env["id"] == "CartPole-v1"
    assert set(env) == {"id", "mujoco", "gymnasium"}


def test_without_data_the_bundled_sample_is_the_default():
    assert train_module.DEFAULT_DATA == "toolkit/hopper-medium"
    assert load(train_module.DEFAULT_DATA).num_transitions == 10_000
