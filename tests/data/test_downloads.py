from __future__ import annotations

import errno
import hashlib

import pytest

from toolkit.data import catalogue, fetch, load
from toolkit.data.catalogue import Entry
from toolkit.errors import UserError

RATE_OF_CUT = 0.4  # how much of a file the local server sends before it hangs up


@pytest.fixture
def published(tmp_path, recording, server, monkeypatch):
    """One file of a million-ish bytes under a D4RL name (no known hash) on the local server."""
    from toolkit.data import RawArrays, write_d4rl

    file = write_d4rl(
        tmp_path / "origin.hdf5", RawArrays(**recording([9000], dims=(11, 3)).arrays())
    )
    content = file.read_bytes()
    server.files["/gym_mujoco_v2/hopper_medium-v2.hdf5"] = content
    monkeypatch.setenv("TOOLKIT_DATA_URL", server.url)
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path / "cache"))
    return content


@pytest.fixture
def known(monkeypatch, published):
    """The same file, but its hash is in the catalogue."""
    sha256 = hashlib.sha256(published).hexdigest()
    path = "gym_mujoco_v2/hopper_medium-v2.hdf5"
    entry = Entry("hopper-medium-v2", "d4rl", 9000, sha256, "http://unused", path)
    monkeypatch.setattr(catalogue, "entries", lambda: [entry])
    return sha256


def kept(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").iterdir())


def sentence(error):
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_a_file_is_fetched_once_recorded_and_loaded(tmp_path, server, published):
    path = fetch("hopper-medium-v2")
    assert path == tmp_path / "cache" / "hopper_medium-v2.hdf5"
    assert path.read_bytes() == published
    record = path.with_name("hopper_medium-v2.hdf5.sha256")
    assert record.read_text().strip() == hashlib.sha256(published).hexdigest()
    assert kept(tmp_path) == ["hopper_medium-v2.hdf5", "hopper_medium-v2.hdf5.sha256"]
    assert fetch("hopper-medium-v2") == path
    assert len(server.requests) == 1
    source = load("hopper-medium-v2").source
    assert (source.name, source.env) == ("hopper-medium-v2", "Hopper-v4")


def test_folder_and_mirror_can_be_given(tmp_path, server, published, monkeypatch):
    monkeypatch.delenv("TOOLKIT_DATA_URL")
    path = fetch("hopper-medium-v2", folder=tmp_path / "here", base_url=server.url + "/")
    assert path.parent == tmp_path / "here"
    assert server.requests[0][0] == "/gym_mujoco_v2/hopper_medium-v2.hdf5"


def test_later_downloads_must_match_the_first(tmp_path, server, published):
    path = fetch("hopper-medium-v2")
    path.unlink()
    server.mode = "liar"
    with pytest.raises(UserError, match=r"must have SHA-256 .* but another content came"):
        fetch("hopper-medium-v2")
    assert kept(tmp_path) == ["hopper_medium-v2.hdf5.sha256"]
    server.mode = "well"
    assert fetch("hopper-medium-v2").read_bytes() == published


def test_a_damaged_copy_in_the_cache_is_fetched_again(server, published):
    path = fetch("hopper-medium-v2")
    path.write_bytes(b"\x89HDF damaged")
    assert fetch("hopper-medium-v2").read_bytes() == published
    assert len(server.requests) == 2


def test_wrong_bytes_are_refused_where_the_hash_is_known(tmp_path, server, known):
    server.mode = "liar"
    with pytest.raises(UserError, match=f"must have SHA-256 {known}") as error:
        fetch("hopper-medium-v2")
    sentence(error)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("hash_known", [False, True])
def test_a_broken_download_is_continued(tmp_path, server, published, request, hash_known):
    if hash_known:
        request.getfixturevalue("known")
    server.mode = "cut"
    with pytest.raises(UserError, match=r"the connection broke after .* fetch again to") as error:
        fetch("hopper-medium-v2")
    sentence(error)
    half = int(RATE_OF_CUT * len(published))
    assert kept(tmp_path) == ["hopper_medium-v2.hdf5.part", "hopper_medium-v2.hdf5.part.mark"]
    server.mode = "well"
    assert fetch("hopper-medium-v2").read_bytes() == published
    assert server.requests[-1][1:] == (f"bytes={half}-", 206)
    assert not list((tmp_path / "cache").glob("*.part*"))


def test_a_part_of_another_version_is_not_continued(server, published):
    server.mode = "cut"
    with pytest.raises(UserError):
        fetch("hopper-medium-v2")
    server.mode = "well"
    changed = published[:-3] + b"new"
    server.files["/gym_mujoco_v2/hopper_medium-v2.hdf5"] = changed
    assert fetch("hopper-medium-v2").read_bytes() == changed
    assert server.requests[-1][2] == 200


@pytest.mark.parametrize("mode", ["no ranges", "well"])
def test_servers_without_ranges_and_parts_that_are_too_long(tmp_path, server, published, mode):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "hopper_medium-v2.hdf5.part").write_bytes(published + b"too long")
    tag = hashlib.md5(published, usedforsecurity=False).hexdigest()
    (folder / "hopper_medium-v2.hdf5.part.mark").write_text(tag)
    server.mode = mode
    assert fetch("hopper-medium-v2").read_bytes() == published


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        (403, "the server answered 403 Forbidden"),
        (404, "the server answered 404 Not Found"),
        ("html", r"expected a \.hdf5 file, got an HTML page"),
        ("empty", r"expected a \.hdf5 file, got an empty answer"),
    ],
)
@pytest.mark.parametrize("hash_known", [False, True])
def test_refusals_leave_no_file(tmp_path, server, published, request, mode, message, hash_known):
    if hash_known:
        request.getfixturevalue("known")
    server.mode = mode
    with pytest.raises(UserError, match=message) as error:
        fetch("hopper-medium-v2")
    assert server.url in sentence(error)
    assert kept(tmp_path) == []


def test_a_server_that_is_not_there(tmp_path, published):
    with pytest.raises(UserError, match=r"the transfer failed \(.*refused") as error:
        fetch("hopper-medium-v2", base_url="http://127.0.0.1:9")
    sentence(error)
    assert kept(tmp_path) == []


def test_a_full_disk(tmp_path, published, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("toolkit.data.downloads._copy", full)
    with pytest.raises(UserError, match="room to write in, got No space left on device") as error:
        fetch("hopper-medium-v2")
    sentence(error)
    assert "hopper_medium-v2.hdf5" not in kept(tmp_path)


def test_a_cache_folder_that_is_a_file(tmp_path, published):
    (tmp_path / "cache").write_text("not a folder")
    with pytest.raises(UserError, match="must be a folder with room to write in"):
        fetch("hopper-medium-v2")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("toolkit/pendulum", "is simulated and needs no download"),
        ("nonsense", "is not a published dataset; `toolkit data list` shows"),
    ],
)
def test_what_cannot_be_fetched(name, message):
    with pytest.raises(UserError, match=message):
        fetch(name)


def test_an_address_without_a_scheme_is_refused():
    with pytest.raises(UserError, match=r"must begin with http://.*, got 'mirror.example.org'"):
        fetch("hopper-medium-v2", base_url="mirror.example.org")


def test_published_pickles_come_from_their_commit(server, tmp_path, shared_data, monkeypatch):
    original = shared_data / "tsrl-original" / "hopper-medium-v2-ratio-100.npy"
    server.files["/hopper-medium-v2-ratio-100.npy"] = original.read_bytes()
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path))
    for name in ("hopper-medium-v2-10k", "hopper-medium-v2-ratio-100"):
        fetch(name, base_url=server.url)
        assert load(name).num_transitions == 9013
    assert len(server.requests) == 1
