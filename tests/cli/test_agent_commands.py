"""`toolkit train` and `evaluate` with offline agents, end to end on the bundled robot data."""

from __future__ import annotations

import json
import os
import re
import shutil

import jax
import numpy as np
import pytest

from toolkit.cli import main
from toolkit.commands import train as train_module
from toolkit.data import load
from toolkit.data.tasks import family_of_env
from toolkit.evaluation.rollouts import evaluate_policy
from toolkit.training import Run
from toolkit.training.records import read_rows

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

DATA = "toolkit/hopper-medium"
SIZES = ["--hidden", "4", "--layers", "1", "--batch-size", "8", "--chunk-updates", "5"]
BC = ["train", "bc", "--data", DATA, *SIZES, "--num-updates", "10", "--seeds", "0,1"]
TSRL = ["train", "tsrl", "--data", DATA, *SIZES, "--num-updates", "10", "--tdm-updates", "15"]


def words(*given):
    return [str(word) for word in given]


@pytest.fixture(scope="module")
def cloned(tmp_path_factory):
    """BC with two seeds, scored on the way. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "bc"
    assert main(words(*BC, "--evaluate-every", 5, "--out", folder)) == 0
    return folder


@pytest.fixture(scope="module")
def symmetric(tmp_path_factory):
    """TSRL, which trained its representation first. Not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "tsrl"
    assert main(words(*TSRL, "--out", folder)) == 0
    return folder


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


ONE_RUN = {"config.json", "metrics.jsonl", "checkpoint/state.ckpt", "result.json"}


def result_of(folder):
    return json.loads((folder / "result.json").read_text())


def test_the_result_of_an_agent_is_the_documented_passport(cloned):
    assert files(cloned) == ONE_RUN
    result, data = result_of(cloned), load(DATA)
    assert (result["format"], result["model"], result["seeds"]) == (1, "bc", [0, 1])
    assert result["num_updates"] == 10
    assert result["dataset"]["sha256"] == data.source.sha256
    assert result["dataset"]["num_transitions"] == 10_000
    assert result["env"]["id"] == data.source.env
    assert result["env"]["mujoco"] and result["env"]["gymnasium"]
    assert {"jax", "numpy", "toolkit"} <= set(result["versions"])
    assert result["device"] and "commit" in result
    score = result["score"]
    assert score["rule"] == "last update, never the best"
    assert (score["num_episodes"], score["start_seed"]) == (10, 10_000)
    assert np.shape(score["returns"]) == np.shape(score["lengths"]) == (2, 10)


def test_its_metrics_follow_from_the_returns(cloned):
    result = result_of(cloned)
    returns, facts = np.asarray(result["score"]["returns"]), family_of_env(result["env"]["id"])
    normalised = 100 * (returns - facts.random_return) / (
        facts.expert_return - facts.random_return
    )  # fmt: skip
    for name, per_seed in [
        ("episode_return", returns.mean(1)), ("normalized_score", normalised.mean(1))
    ]:  # fmt: skip
        metric = result["metrics"][name]
        np.testing.assert_allclose(metric["per_seed"], per_seed, rtol=1e-9)
        assert metric["mean"] == pytest.approx(per_seed.mean())
        assert metric["std"] == pytest.approx(per_seed.std(ddof=1))
    assert result["metrics"]["updates_per_second"]["mean"] > 0


def test_the_returns_are_those_of_the_stored_policy_on_raw_observations(cloned):
    run = Run.open(cloned)
    again = evaluate_policy(run.policy(1), result_of(cloned)["env"]["id"])
    assert again.returns.tolist() == result_of(cloned)["score"]["returns"][1]
    assert result_of(cloned)["score"]["returns"][0] != result_of(cloned)["score"]["returns"][1]
    normaliser, raw = run.normaliser(), np.asarray(load(DATA).observations, np.float64)
    np.testing.assert_allclose(normaliser.mean, raw.mean(0), rtol=1e-5, atol=1e-6)  # of all rows


def test_the_policy_was_scored_on_the_way_and_last_as_at_the_end(cloned):
    rows = read_rows(cloned / "metrics.jsonl")
    assert [row["update"] for row in rows] == [5, 10]
    assert all(len(row["normalized_score"]) == len(row["episode_return"]) == 2 for row in rows)
    metrics = result_of(cloned)["metrics"]
    assert rows[-1]["normalized_score"] == metrics["normalized_score"]["per_seed"]
    assert rows[0]["episode_return"] != rows[-1]["episode_return"]


def test_it_is_scored_only_where_it_was_asked_for(toolkit, tmp_path):
    answer = toolkit(*BC, "--evaluate-every", 10, "--out", tmp_path / "r")
    assert answer.code == 0
    assert "normalised score" in answer.out
    asked = ["normalized_score" in row for row in read_rows(tmp_path / "r" / "metrics.jsonl")]
    assert asked == [False, True]


@pytest.mark.parametrize("every", [3, -5])
def test_scoring_between_chunks_is_refused(refused, tmp_path, every):
    sentence = refused(*BC, "--evaluate-every", every, "--out", tmp_path / "r")
    assert f"`evaluate_every` must be 0 or a multiple of `chunk_updates` (5), got {every}" in (
        sentence
    )
    assert not (tmp_path / "r").exists()


def test_chunks_of_nothing_are_refused(refused, tmp_path):
    sentence = refused("train", "bc", "--chunk-updates", 0, "--out", tmp_path / "r")
    assert "`chunk_updates` must be at least 1, got 0" in sentence


def test_evaluate_prints_a_row_for_each_seed(toolkit, cloned, tmp_path):
    copy = shutil.copytree(cloned, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", 3, "--json", tmp_path / "a.json")
    assert answer.code == 0
    result = result_of(copy)
    assert json.loads((tmp_path / "a.json").read_text()) == result
    assert result["score"]["num_episodes"] == 3
    first = [returns[:3] for returns in result_of(cloned)["score"]["returns"]]
    np.testing.assert_allclose(result["score"]["returns"], first, rtol=1e-3)  # the same starts
    lines = answer.out.splitlines()
    for index, seed in enumerate(("0", "1")):
        row = next(line for line in lines if line.startswith(f"{seed} "))
        assert f"{np.mean(first[index]):.5g}" in row
    assert any(line.startswith("normalised score: ") and " ± " in line for line in lines)


@pytest.mark.parametrize(
    ("model", "kind"), [("koopman", "dynamics model"), ("tdm", "representation")]
)
def test_what_does_not_act_is_not_scored_on_the_way(refused, tmp_path, model, kind):
    sentence = refused(
        "train", model, "--data", DATA, "--evaluate-every", 50, "--out", tmp_path / "r"
    )
    assert f"`evaluate_every` is for agents, which have a policy to score; {model} is a {kind}" in (
        sentence
    )
    assert not (tmp_path / "r").exists()


def test_evaluate_refuses_what_agents_do_not_have(refused, cloned, symmetric):
    assert "is not evaluated on `data`" in refused("evaluate", cloned, "--data", DATA)
    sentence = refused("evaluate", cloned, "--num-episodes", 0)
    assert "`num_episodes` must be at least 1, got 0" in sentence
    first = symmetric / "representation"
    assert "does not act; omit `record`" in refused("evaluate", first, "--record", "a.gif")


def test_a_recording(toolkit, cloned, tmp_path, monkeypatch):
    from toolkit.envs import canvas
    from toolkit.errors import UserError

    monkeypatch.setenv("MUJOCO_GL", os.environ.get("MUJOCO_GL", ""))
    try:
        canvas.choose_backend()
    except UserError as error:
        pytest.skip(str(error))
    copy = shutil.copytree(cloned, tmp_path / "copy")
    answer = toolkit("evaluate", copy, "--num-episodes", 1, "--record", tmp_path / "a.gif")
    assert answer.code == 0
    assert f"recorded in {tmp_path / 'a.gif'} and {tmp_path / 'a.png'}" in answer.out
    assert (tmp_path / "a.gif").read_bytes()[:3] == b"GIF"
    assert (tmp_path / "a.png").read_bytes()[1:4] == b"PNG"


def test_the_representation_is_trained_first_in_a_folder_of_its_own(symmetric):
    first = {f"representation/{name}" for name in ONE_RUN}
    assert files(symmetric) == ONE_RUN | first
    run, under = Run.open(symmetric), Run.open(symmetric / "representation")
    assert (under.config.model, under.config.num_updates) == ("tdm", 15)
    assert run.config.hyperparameters["representation"] == str(symmetric / "representation")
    jax.tree.map(np.testing.assert_array_equal, run.state().model, under.state().best)
    assert result_of(symmetric / "representation")["score"]["rule"] == (
        "best model by its loss on held-out episodes"
    )
    assert "normalized_score" in result_of(symmetric)["metrics"]


def test_what_was_left_open_is_written_down(symmetric):
    values = Run.open(symmetric).config.hyperparameters
    assert (values["quantile"], values["action_weight"]) == (0.7, 100.0)  # of a hopper


def states_of(folder):
    return Run.open(folder).state()


def test_a_complete_run_is_resumed_by_evaluating_it_again_also_under_another_name(
    toolkit, symmetric, monkeypatch
):
    before = jax.tree.leaves(states_of(symmetric))
    monkeypatch.chdir(symmetric.parent)
    answer = toolkit(*TSRL, "--out", symmetric.name, "--resume")
    assert answer.code == 0, answer.err
    assert "representation is already complete at update 15" in answer.out
    assert f"{symmetric.name} is already complete at update 10" in answer.out
    for old, new in zip(before, jax.tree.leaves(states_of(symmetric)), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_run_that_was_moved_with_its_representation_is_resumed(toolkit, symmetric, tmp_path):
    moved = shutil.copytree(symmetric, tmp_path / "elsewhere")
    answer = toolkit(*TSRL, "--out", moved, "--resume")
    assert answer.code == 0, answer.err
    assert f"{moved} is already complete at update 10" in answer.out


def test_a_run_is_not_resumed_on_another_model(refused, symmetric, tmp_path):
    moved = shutil.copytree(symmetric, tmp_path / "elsewhere")
    config = json.loads((moved / "config.json").read_text())
    config["foundation"] = "0" * 64
    (moved / "config.json").write_text(json.dumps(config))
    said = refused(*TSRL, "--out", moved, "--resume")
    assert "holds another run, so it cannot be resumed: `representation` is 'SHA-256 " in said
    assert "here but 'SHA-256 000000000000' there" in said


def test_a_run_is_not_overwritten(refused, symmetric):
    sentence = refused(*TSRL, "--out", symmetric)
    assert "already holds a run; `--resume` continues it" in sentence


def test_a_named_representation_is_used_as_it_is(toolkit, symmetric, tmp_path):
    first = symmetric / "representation"
    answer = toolkit(*TSRL, "--representation", first, "--out", tmp_path / "r")
    assert answer.code == 0, answer.err
    assert files(tmp_path / "r") == ONE_RUN
    for ours, theirs in zip(
        *(jax.tree.leaves(states_of(f)) for f in (tmp_path / "r", symmetric)), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--seeds", "4"], "has no seed 4; it was trained with 0"),
        (["--data", "toolkit/hopper-medium-replay"], "was trained on toolkit/hopper-medium"),
        (["--quantile", "2"], "`quantile` must lie in 0..1, got 2.0"),
        (["--latent-critic", "False"], "`augment` makes latent samples"),
    ],
)
def test_what_does_not_fit_the_representation_is_refused_first(
    refused, symmetric, tmp_path, given, sentence
):
    out = tmp_path / "r"
    said = refused(*TSRL, "--representation", symmetric / "representation", *given, "--out", out)
    assert sentence in said
    assert not out.exists()


def stop_when(monkeypatch, total, update):
    """Ctrl-C when a bar of this length comes to this update."""
    show = train_module._Bar.show

    def press_ctrl_c(self, row):
        show(self, row)
        if (self.bar.total, row["update"]) == (total, update):
            raise KeyboardInterrupt

    monkeypatch.setattr(train_module._Bar, "show", press_ctrl_c)
    return lambda: monkeypatch.setattr(train_module._Bar, "show", show)


def test_interrupted_in_both_parts_and_resumed_it_ends_as_if_it_had_not_been(
    toolkit, symmetric, tmp_path, monkeypatch
):
    out = tmp_path / "broken"
    stops = [(15, 5), (10, 5)]  # the representation takes 15 updates, the agent 10
    for resume, (total, update) in zip(([], ["--resume"]), stops, strict=True):
        repair = stop_when(monkeypatch, total, update)
        answer = toolkit(*TSRL, "--out", out, *resume)
        assert answer.code == 130
        assert f"Stopped at update {update} of {total}; continue with: toolkit train" in answer.err
        assert (out / "config.json").exists() is (total == 10)
        assert not (out / "result.json").exists()
        repair()
    answer = toolkit(*TSRL, "--out", out, "--resume")
    assert answer.code == 0, answer.err
    for name in ("", "representation"):
        ours, theirs = (jax.tree.leaves(states_of(f / name)) for f in (out, symmetric))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_words_that_an_interrupted_run_says_continue_it(toolkit, tmp_path, monkeypatch):
    out = tmp_path / "broken"
    repair = stop_when(monkeypatch, 10, 5)
    answer = toolkit(*BC, "--best-share", "0.5", "--out", out)
    assert answer.code == 130
    hint = re.search(r"continue with: toolkit (.*)$", answer.err, re.M)
    assert hint and "--best-share 0.5" in hint[1]
    repair()
    assert toolkit(*hint[1].split()).code == 0
    assert Run.open(out).header()["update"] == 10


def test_data_without_an_environment_train_and_are_not_scored(toolkit, tmp_path):
    out = tmp_path / "r"
    data = ["--data", "toolkit/pendulum"]
    made = ["data", "make", "toolkit/pendulum", "--num-transitions", 400, "--episode-steps", 100]
    assert toolkit(*made, "--out", tmp_path / "few.hdf5").code == 0
    data[1] = tmp_path / "few.hdf5"
    answer = toolkit("train", "bc", *data, *SIZES, "--num-updates", 5, "--out", out)
    assert answer.code == 0, answer.err
    assert "Not scored: the data name no environment, and `env` was not given." in answer.out
    assert "names no environment to score its policy in" in toolkit("evaluate", out).err


@pytest.mark.parametrize(
    ("agent", "updates", "model"),
    [
        ("td3-bc-symmetry", "--model-updates", "spectral-core"),
        ("spectral-tsrl", "--core-updates", "spectral-core"),
    ],
)
def test_an_agent_of_symmetries_trains_its_model_first(toolkit, tmp_path, agent, updates, model):
    out = tmp_path / "run"
    shown = toolkit(
        "train", agent, "--data", DATA, *SIZES, "--num-updates", 5, updates, 5, "--out", out
    )
    beneath = json.loads((out / "representation" / "result.json").read_text())
    assert beneath["model"] == model
    assert {"change_error_share", "round_trip_share"} <= set(beneath["metrics"])
    assert "change unexplained" in shown.out  # after five updates it knows next to nothing
    assert "normalized_score" in result_of(out)["metrics"]


def test_a_symmetry_agent_refuses_a_model_without_its_symmetries(refused, symmetric, tmp_path):
    sentence = refused(
        "train", "kfc", "--data", DATA, "--representation", symmetric / "representation",
        "--out", tmp_path / "k",
    )  # fmt: skip
    assert "trained tdm, which has no symmetries for `generator` 'commutator'" in sentence
    assert not (tmp_path / "k").exists()
