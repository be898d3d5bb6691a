from __future__ import annotations

import pytest

from toolkit.data import catalogue, load
from toolkit.data.tasks import parse_task


def test_the_catalogue_is_complete_and_consistent(tmp_path, monkeypatch):
    entries = catalogue.entries()
    names = [entry.name for entry in entries]
    assert len(set(names)) == len(names) == 4 + 18 + 14 + 24
    assert all(len(e.sha256 or "") == 64 for e in entries if e.kind == "tsrl")
    full = catalogue.find_entry("walker2d-medium-replay-v2")
    assert f"{full.base_url}/{full.remote_path}" == (
        "http://rail.eecs.berkeley.edu/datasets/offline_rl/"
        "gym_mujoco_v2/walker2d_medium_replay-v2.hdf5"
    )
    assert (full.rows, full.size) == (302_000, "302,000")
    assert catalogue.find_entry("hopper-expert-v2").size == "~1,000,000"
    small = catalogue.find_entry("antmaze-umaze-v0-10k")
    assert (small.rows, small.file_name) == (5383, "antmaze-umaze-v0-ratio-100.npy")
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path))
    assert catalogue.cache_folder() == tmp_path
    monkeypatch.delenv("TOOLKIT_DATA_DIR")
    assert "koopman-toolkit" in str(catalogue.cache_folder())


def test_every_simulated_name_is_a_system():
    from toolkit.data.systems import SYSTEMS

    simulated = [e.name for e in catalogue.entries() if e.kind == "simulated"]
    assert simulated == [f"toolkit/{name}" for name in SYSTEMS]


def test_row_counts_are_those_of_the_files(shared_data):
    for entry in catalogue.entries():
        file = shared_data / "d4rl-small" / f"{entry.name}.hdf5"
        if file.exists():
            assert load(file).num_transitions == entry.rows


@pytest.mark.parametrize(
    ("text", "family", "quality", "version", "limit"),
    [
        ("hopper_medium_replay-v2.hdf5", "hopper", "medium-replay", 2, 1000),
        ("hopper-medium-v2-ratio-100", "hopper", "medium", 2, 1000),
        ("walker2d-medium-expert-v0", "walker2d", "medium-expert", 0, 1000),
        ("antmaze-umaze-diverse-v0", "antmaze", "umaze-diverse", 0, 700),
        ("antmaze-large-play-v2", "antmaze", "large-play", 2, 1000),
        ("relocate-human-v1", "relocate", "human", 1, 200),
        ("ant-random", "ant", "random", None, 1000),
    ],
)
def test_names_are_taken_apart(text, family, quality, version, limit):
    task = parse_task(text)
    assert (task.family, task.quality, task.version) == (family, quality, version)
    assert task.max_episode_steps == limit


@pytest.mark.parametrize(
    "text", ["", "pendulum", "hopper", "my-hopper-medium-v2", "hoppers-medium"]
)
def test_other_names_are_no_task(text):
    assert parse_task(text) is None
