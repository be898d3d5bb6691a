"""Checkpoints: exact, checked, and whole whenever the machine stops."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.training import load_checkpoint, read_header, save_checkpoint
from toolkit.training.checkpoint import write_atomically


@pytest.fixture
def state():
    return {"weight": jnp.arange(6.0).reshape(2, 3), "count": jnp.asarray(4, jnp.int32)}


@pytest.fixture
def path(tmp_path, state) -> Path:
    save_checkpoint(tmp_path / "state.ckpt", state, {"model": "tiny", "update": 4})
    return tmp_path / "state.ckpt"


def test_arrays_and_header_come_back_exactly(path, state):
    loaded, header = load_checkpoint(path, jax.tree.map(jnp.zeros_like, state))
    for name in state:
        np.testing.assert_array_equal(loaded[name], state[name])
        assert loaded[name].dtype == state[name].dtype
    assert (header["model"], header["update"]) == ("tiny", 4)
    assert read_header(path) == header


def test_half_precision_is_packed_and_comes_back_exactly(tmp_path):
    state = {"weight": np.random.default_rng(0).normal(size=(100, 100)).astype(np.float16)}
    plain, packed = tmp_path / "plain.ckpt", tmp_path / "packed.ckpt"
    save_checkpoint(plain, state, {})
    save_checkpoint(packed, state, {}, half_precision=True)
    loaded, header = load_checkpoint(packed, state)
    np.testing.assert_array_equal(loaded["weight"], state["weight"])
    assert header["sha256"] == read_header(plain)["sha256"]
    assert packed.stat().st_size < 0.92 * plain.stat().st_size
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(UserError, match="truncated or damaged"):
        read_header(packed)


def test_another_shape_is_refused_with_both_shapes(path, state):
    template = state | {"weight": jnp.zeros((2, 4))}
    with pytest.raises(UserError, match=r"weight.*\(2, 3\).*\(2, 4\)"):
        load_checkpoint(path, template)


def test_another_type_is_refused(path, state):
    with pytest.raises(UserError, match=r"int32.*float32"):
        load_checkpoint(path, state | {"count": jnp.zeros(())})


def test_another_number_of_arrays_is_refused(path, state):
    with pytest.raises(UserError, match="holds 2 arrays where 1"):
        load_checkpoint(path, {"count": state["count"]})


@pytest.mark.parametrize("keep", [0.999, 0.5, 0.2])
def test_a_truncated_file_is_refused(path, keep):
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match="truncated or damaged"):
        read_header(path)


def test_one_changed_byte_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match="truncated or damaged"):
        read_header(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04 a pickle in a zip"])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "state.ckpt"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a checkpoint of this toolkit"):
        read_header(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"none\.ckpt: No such file"):
        read_header(tmp_path / "none.ckpt")


class Killed(BaseException):
    """Stands for the end of the process: nothing that catches exceptions may catch it."""


def dies(*_args, **_kwargs):
    raise Killed


@pytest.mark.parametrize("step", ["Path.open", "write", "os.fsync", "Path.replace"])
def test_a_kill_at_any_step_of_writing_leaves_the_older_file_whole(path, state, monkeypatch, step):
    before = path.read_bytes()
    if step == "write":
        real = Path.open
        monkeypatch.setattr(Path, "open", lambda *args, **kwargs: HalfWriter(real(*args, **kwargs)))
    elif step == "os.fsync":
        monkeypatch.setattr(os, "fsync", dies)
    else:
        monkeypatch.setattr(Path, step.removeprefix("Path."), dies)
    monkeypatch.setattr(Path, "unlink", lambda *args, **kwargs: None)  # the dead tidy up nothing
    with pytest.raises(Killed):
        save_checkpoint(path, state, {"model": "tiny", "update": 5})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert read_header(path)["update"] == 4
    save_checkpoint(path, state, {"model": "tiny", "update": 6})  # over what the dead left behind
    assert read_header(path)["update"] == 6
    assert [entry.name for entry in path.parent.iterdir()] == ["state.ckpt"]


class HalfWriter:
    """A file whose process dies in the middle of a write."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content: bytes):
        self.file.write(content[: len(content) // 2])
        raise Killed


def test_a_full_disk_is_one_sentence_and_keeps_the_older_file(path, state, monkeypatch):
    before = path.read_bytes()

    def full(_: int):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"Cannot write .*state\.ckpt: No space left on device\."):
        save_checkpoint(path, state, {})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["state.ckpt"]


def test_a_file_in_place_of_the_folder_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        write_atomically(tmp_path / "file" / "state.ckpt", b"")
