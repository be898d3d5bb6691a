from __future__ import annotations

import builtins
import importlib
import shutil
import warnings

import numpy as np
import pytest

from toolkit.data import fetch, load, read_arrays
from toolkit.errors import UserError


@pytest.fixture
def pendulum(tmp_path, monkeypatch):
    """Three short recorded episodes; the second ends in a termination."""
    minari = pytest.importorskip("minari", reason="Minari is an extra")
    gymnasium = pytest.importorskip("gymnasium", reason="Minari needs Gymnasium")
    from minari.data_collector.episode_buffer import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    rng = np.random.default_rng(0)
    lengths, buffers = [4, 3, 5], []
    for i, length in enumerate(lengths):
        last = np.arange(length) == length - 1
        buffers.append(
            EpisodeBuffer(
                id=i,
                observations=list(rng.uniform(-1, 1, (length + 1, 3)).astype(np.float32)),
                actions=list(rng.uniform(-2, 2, (length, 1)).astype(np.float32)),
                rewards=list(rng.normal(size=length)),
                terminations=list(last & (i == 1)),
                truncations=list(last & (i != 1)),
                infos={},
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Minari misses a homepage and the like
        minari.create_dataset_from_buffers(
            "toy/pendulum/made-v0", buffer=buffers, env=gymnasium.spec("Pendulum-v1")
        )
    return buffers, tmp_path / "toy" / "pendulum" / "made-v0"


@pytest.mark.parametrize("form", ["id", "folder", "file"])
def test_a_local_dataset_is_read(pendulum, form):
    buffers, folder = pendulum
    name = {"id": "toy/pendulum/made-v0", "folder": folder, "file": folder / "data/main_data.hdf5"}
    data = load(name[form])
    assert data.num_transitions == 12
    assert data.episode_bounds().tolist() == [[0, 4], [4, 7], [7, 12]]
    assert np.flatnonzero(data.terminal).tolist() == [6]
    assert np.flatnonzero(data.timeout).tolist() == [3, 11]
    assert np.asarray(data.valid_next).all()
    states = np.array(buffers[1].observations)
    np.testing.assert_array_equal(data.observations[4:7], states[:-1])
    np.testing.assert_array_equal(data.next_observations[4:7], states[1:])
    np.testing.assert_allclose(data.rewards[7:], buffers[2].rewards, rtol=1e-6)
    assert data.source.name == "toy/pendulum/made-v0"
    assert data.source.env == "Pendulum-v1"
    assert len(data.source.sha256) == 64


def test_the_doctor_reads_it_too(pendulum):
    from toolkit.data import check

    report = check(pendulum[1])
    assert report.layout == "Minari"
    assert report.find("action-range").num_rows > 0
    assert not report.has_errors


def test_one_that_is_not_on_this_machine(tmp_path, monkeypatch):
    pytest.importorskip("minari", reason="Minari is an extra")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    with pytest.raises(UserError, match="`toolkit data fetch mujoco/hopper/medium-v0` downloads"):
        load("mujoco/hopper/medium-v0")


def test_a_damaged_folder(pendulum):
    folder = pendulum[1]
    (folder / "data" / "metadata.json").write_text("{}")
    with pytest.raises(UserError, match="expected a Minari dataset, got one that Minari cannot"):
        load(folder)
    shutil.rmtree(folder / "data")
    with pytest.raises(UserError, match="got a directory"):
        load(folder)


@pytest.mark.parametrize("call", [load, fetch])
def test_without_minari_the_extra_is_named(monkeypatch, call):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "minari":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(UserError) as error:
        call("mujoco/hopper/medium-v0")
    assert str(error.value) == (
        "mujoco/hopper/medium-v0: reading Minari datasets needs the extra, which "
        "`pip install 'koopman-toolkit[minari]'` installs."
    )


def test_a_failed_download_is_a_sentence(monkeypatch):
    minari = pytest.importorskip("minari", reason="Minari is an extra")

    def fail(_name):
        raise ValueError("Couldn't find any compatible version.\nlong story")

    monkeypatch.setattr(minari, "download_dataset", fail)
    with pytest.raises(UserError, match=r"\(Couldn't find any compatible version\)\.$"):
        fetch("mujoco/hopper/medium-v0")


def test_dictionary_observations_are_laid_side_by_side():
    from toolkit.data.minari_reader import _matrix

    values = {"b": np.ones((2, 2)), "a": {"x": np.zeros(2)}}
    assert _matrix(None, values, 2).tolist() == [[0, 1, 1], [0, 1, 1]]


def test_raw_arrays_have_true_successors(pendulum):
    raw = read_arrays(pendulum[1])
    assert raw.next_observations is not None
    assert raw.timeouts.sum() == 2
