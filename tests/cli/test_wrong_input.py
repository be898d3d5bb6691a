"""Wrong input of every kind: one sentence, code 2, and nothing half-written."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tests.cli.conftest import SMALL


@pytest.fixture
def dataset(tmp_path):
    """Writes a D4RL file of four episodes; keywords replace arrays, None removes one."""

    def write(steps: int = 30, **changes):
        rng = np.random.default_rng(0)
        rows = 4 * steps
        arrays = {
            "observations": rng.normal(size=(rows, 3)).astype(np.float32),
            "actions": rng.uniform(-1, 1, (rows, 2)).astype(np.float32),
            "rewards": np.zeros(rows, np.float32),
            "terminals": np.zeros(rows, bool),
            "timeouts": np.arange(rows) % steps == steps - 1,
        } | changes
        path = tmp_path / "data.hdf5"
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                if array is not None:
                    file[name] = array
        return path

    return write


@pytest.fixture
def refused_train(refused, tmp_path):
    """Trains with these words, which must be refused before anything is written."""

    def call(*words):
        out = tmp_path / "out" / "run"
        sentence = refused("train", "koopman", *SMALL, *words, "--out", out)
        assert not out.parent.exists()
        return sentence

    return call


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluate", "toolkit/hopper-expert", "--num-episodes", -1], "`num_episodes` must be at"),
        (["data", "make", "toolkit/pendulum", "--seed", -1], "`seed` must not be negative"),
        (["data", "make", "toolkit/hopper-random", "--seed", -1], "`seed` must not be negative"),
        (["data", "make", "toolkit/hopper-random", "--threads", 0], "`threads` must be at least 1"),
        (["data", "subsample", "toolkit/hopper-medium", "--seed", -1], "`seed` must not be neg"),
    ],
)
def test_numbers_that_cannot_be(refused, tmp_path, words, sentence):
    pytest.importorskip("mujoco")
    out, size = ["--out", tmp_path / "out.hdf5"], ["--num-transitions", 100]
    more = out + size if "data" in words else []
    if "toolkit/pendulum" in words:
        more = out
    assert sentence in refused(*words, *more)
    assert not list(tmp_path.iterdir())


def test_a_missing_file(refused_train, tmp_path):
    assert "gone.hdf5" in refused_train("--data", tmp_path / "gone.hdf5")


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"<html><body>404</body></html>", "HTML"),
        (b"PK\x03\x04", "expected an HDF5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
    ],
)
def test_a_file_of_another_kind(refused_train, tmp_path, content, word):
    path = tmp_path / "data.hdf5"
    path.write_bytes(content)
    sentence = refused_train("--data", path)
    assert "data.hdf5" in sentence
    assert word in sentence


def test_a_truncated_file(refused_train, dataset):
    path = dataset()
    path.write_bytes(path.read_bytes()[:3000])
    assert "data.hdf5" in refused_train("--data", path)


def test_a_file_of_another_layout(refused_train, dataset):
    sentence = refused_train("--data", dataset(actions=None))
    assert "`actions`" in sentence


def test_rows_that_do_not_match(refused_train, dataset):
    sentence = refused_train("--data", dataset(rewards=np.zeros(7, np.float32)))
    assert "`rewards` must have 120 rows" in sentence


def test_nan_rows(refused_train, dataset):
    observations = np.zeros((120, 3), np.float32)
    observations[17, 1] = np.nan
    sentence = refused_train("--data", dataset(observations=observations))
    assert "`observations` is not finite in 1 of 120 rows, the first being row 17" in sentence


def test_a_horizon_beyond_every_episode(refused_train, dataset):
    sentence = refused_train("--data", dataset(), "--horizon", 600)
    assert "`horizon` is 600, but the longest unbroken run" in sentence
    assert "has 29 transitions" in sentence


def test_a_single_episode_cannot_be_split(refused_train, dataset):
    sentence = refused_train("--data", dataset(timeouts=np.arange(120) == 119))
    assert "single episode" in sentence


def test_an_unknown_dataset_name(refused_train):
    assert "close names are toolkit/pendulum" in refused_train("--data", "toolkit/pendulun")


@pytest.mark.parametrize("seeds", ["a", "0,,1", "0,0"])
def test_malformed_seeds(refused_train, seeds):
    assert "`seeds` must be different whole numbers" in refused_train("--seeds", seeds)


@pytest.mark.parametrize(
    "name",
    ["num-updates", "batch-size", "modes", "hidden", "horizon", "decoded-steps", "chunk-updates"],
)
@pytest.mark.parametrize("value", [0, -3])
def test_sizes_below_one(refused_train, name, value):
    sentence = refused_train(f"--{name}", value)
    assert f"`{name.replace('-', '_')}` must be at least 1, got {value}" in sentence


def test_other_numbers_out_of_range(refused_train):
    assert "`learning_rate`" in refused_train("--learning-rate", -1)
    assert "`learning_rate`" in refused_train("--learning-rate", "nan")
    assert "`weight_decay` must not be negative" in refused_train("--weight-decay", -1)
    assert "`checkpoint_seconds`" in refused_train("--checkpoint-seconds", -1)


def test_an_unknown_environment(refused_train):
    pytest.importorskip("gymnasium")
    sentence = refused_train("--env", "Nothing-v0")
    assert "`env` must be an id of Gymnasium, got 'Nothing-v0'" in sentence


def test_a_file_in_place_of_the_folder(refused, tmp_path):
    (tmp_path / "file").write_text("kept")
    sentence = refused("train", "koopman", *SMALL, "--out", tmp_path / "file" / "run")
    assert "Cannot write" in sentence
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_may_not_be_written_is_left_as_it_was(refused, tmp_path, monkeypatch):
    from pathlib import Path

    def read_only(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", read_only)
    sentence = refused("train", "koopman", *SMALL, "--out", tmp_path / "run")
    assert sentence.endswith("config.json: Permission denied.")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_holds_a_run(refused, run_copy):
    before = {path: path.read_bytes() for path in run_copy.rglob("*") if path.is_file()}
    any_data = ["train", "koopman", *SMALL, "--seeds", "0,1", "--out", run_copy, "--data"]
    words = [*any_data, "toolkit/pendulum"]
    assert "already holds a run; `--resume` continues it" in refused(*words)
    sentence = refused(*words, "--hidden", 9, "--resume")
    assert "`hidden` is 9 here but 8 there" in sentence
    sentence = refused(*any_data, "toolkit/duffing", "--resume")
    assert "`data` is toolkit/duffing" in sentence
    assert {path: path.read_bytes() for path in before} == before


def test_a_damaged_checkpoint(refused, run_copy):
    checkpoint = run_copy / "checkpoint" / "state.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    words = ["train", "koopman", *SMALL, "--seeds", "0,1", "--out", run_copy, "--resume"]
    words += ["--data", "toolkit/pendulum"]
    assert "is a truncated or damaged checkpoint" in refused(*words)
    assert "is a truncated or damaged checkpoint" in refused("evaluate", run_copy)
    checkpoint.write_bytes(b"something else")
    assert "is not a checkpoint of this toolkit" in refused(*words)
