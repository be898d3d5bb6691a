from __future__ import annotations

import contextlib
import errno
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from toolkit.data import Dataset, RawArrays, Source, load, read_arrays, write_d4rl
from toolkit.errors import UserError


def dataset(rows=12, seed=0, **flags):
    rng = np.random.default_rng(seed)
    obs = rng.normal(size=(rows, 3))
    source = Source("hopper-medium-v2", "ab" * 32, "Hopper-v4", 0.008, ("drawn", "filtered"))
    return Dataset.from_arrays(
        obs, rng.normal(size=(rows, 2)), rng.normal(size=rows), rng.normal(size=(rows, 3)),
        source=source, **flags,
    )  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_what_is_written_is_read_back(tmp_path, data):
    rows = data.draw(st.integers(1, 12))
    flags = {
        key: np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
        for key in ("terminal", "timeout", "valid_next")
    }
    written = dataset(rows, **flags)
    again = load(write_d4rl(tmp_path / "file.hdf5", written))
    for name in (
        "observations",
        "actions",
        "rewards",
        "next_observations",
        "terminal",
        "valid_next",
    ):
        np.testing.assert_array_equal(getattr(again, name), getattr(written, name))
    ours, theirs = np.asarray(again.timeout), np.asarray(written.timeout)
    assert ours[theirs].all()  # random successors never follow, so there are more breaks


def test_source_and_metadata_survive(tmp_path):
    file = write_d4rl(tmp_path / "file.hdf5", dataset(), {"operator": "Ada", "trial": 3})
    source = load(file).source
    assert (source.name, source.env, source.dt) == ("hopper-medium-v2", "Hopper-v4", 0.008)
    assert source.history == ("drawn", "filtered")
    assert source.sha256 == read_arrays(file).sha256
    attributes = read_arrays(file).attributes
    assert (attributes["operator"], attributes["trial"]) == ("Ada", 3)
    assert attributes["source_sha256"] == "ab" * 32


def test_layout_is_d4rls_and_compressed(tmp_path):
    file = write_d4rl(tmp_path / "file.hdf5", dataset())
    with h5py.File(file) as content:
        assert set(content) == {
            "observations", "actions", "rewards", "next_observations", "terminals", "timeouts",
            "infos",
        }  # fmt: skip
        assert content["observations"].compression == "gzip"
        assert content["terminals"].dtype == bool
        assert content["observations"].dtype == np.float32


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_compact_file_is_read_back_bit_for_bit_and_is_smaller(tmp_path, data):
    rows = data.draw(st.integers(1, 40))
    obs = np.random.default_rng(0).normal(size=(rows + 1, 300)).astype(np.float32)
    successors = obs[1:].copy()
    jumps = data.draw(st.lists(st.integers(0, rows - 1), max_size=3, unique=True))
    successors[jumps] = np.nan  # as a damaged file has it; `load` refuses it, reading does not
    raw = RawArrays(
        obs[:-1], np.zeros((rows, 1)), np.zeros(rows), np.zeros(rows, bool), successors,
        name="hopper-medium-v2", attributes={"origin": "here"},
    )  # fmt: skip
    whole = write_d4rl(tmp_path / "whole.hdf5", raw)
    compact = write_d4rl(tmp_path / "compact.hdf5", raw, compact=True)
    one, other = read_arrays(whole), read_arrays(compact)
    assert one.stored.keys() == other.stored.keys() and one.attributes == other.attributes
    for key, array in one.stored.items():
        assert array.dtype == other.stored[key].dtype
        assert array.tobytes() == other.stored[key].tobytes()
    if rows > 20 and not jumps:
        assert compact.stat().st_size < 0.8 * whole.stat().st_size


def test_a_compact_file_with_a_row_out_of_range_is_damaged(tmp_path):
    path = write_d4rl(tmp_path / "file.hdf5", dataset(), compact=True)
    with h5py.File(path, "r+") as file:
        file["infos/other_successors/rows"][0] = 1000
    with pytest.raises(UserError, match="got a truncated or damaged one"):
        read_arrays(path)


def test_raw_arrays_are_written_as_they_are(tmp_path, recording):
    arrays = recording([5]).arrays()
    arrays["rewards"][2] = np.nan
    file = write_d4rl(tmp_path / "file.hdf5", RawArrays(**arrays, name="mine"))
    raw = read_arrays(file)
    assert raw.name == "mine"
    np.testing.assert_array_equal(raw.rewards, arrays["rewards"])


@contextlib.contextmanager
def file_size_limit(num_bytes):
    """The kernel refuses to let any file grow further, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("num_bytes", [0, 1000, 5000])
def test_a_file_that_cannot_grow_leaves_nothing_half_written(tmp_path, existing, num_bytes):
    file, written = tmp_path / "file.hdf5", dataset(500)
    if existing:
        file.write_text("precious")
    with (
        pytest.raises(UserError, match=r"file\.hdf5: the file could not be written \(File too"),
        file_size_limit(num_bytes),
    ):
        write_d4rl(file, written)
    assert [p.name for p in tmp_path.iterdir()] == (["file.hdf5"] if existing else [])
    assert not existing or file.read_text() == "precious"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_a_full_disk_or_a_read_only_folder(tmp_path, monkeypatch, code, reason):
    def half(self, content):
        with open(self, "wb") as file:
            file.write(bytes(content)[:100])
        raise OSError(code, reason)

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(UserError, match=rf"could not be written \({reason}\)\.$"):
        write_d4rl(tmp_path / "file.hdf5", dataset())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/file.hdf5", "blocker/file.hdf5"])
def test_a_folder_that_is_none(tmp_path, place):
    (tmp_path / "blocker").write_text("a file")
    with pytest.raises(UserError, match="could not be written"):
        write_d4rl(tmp_path / place, dataset())
    assert [p.name for p in tmp_path.iterdir()] == ["blocker"]


def test_a_folder_under_the_files_own_name(tmp_path):
    (tmp_path / "file.hdf5").mkdir()
    with pytest.raises(UserError, match="could not be written"):
        write_d4rl(tmp_path / "file.hdf5", dataset())
    assert [p.name for p in tmp_path.iterdir()] == ["file.hdf5"]
