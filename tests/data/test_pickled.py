from __future__ import annotations

import contextlib
import io
import os
import pickle
import subprocess

import numpy as np
import pytest

from toolkit.data import load, read_arrays
from toolkit.errors import UserError


def save(path, content):
    """As the publisher did: an object array of one dictionary, pickled by NumPy."""
    np.save(path, np.array([content], dtype=object), allow_pickle=True)
    return path


def save_raw(path, payload: bytes):
    """Any pickle behind a header that announces an object array."""
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(payload)
    return path


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_published_layout_is_read(tmp_path, recording):
    arrays = recording([5, 6], falls=[True, False]).arrays()
    del arrays["timeouts"]
    file = save(tmp_path / "mine.npy", arrays)
    raw = read_arrays(file)
    for key, array in raw.stored.items():
        np.testing.assert_array_equal(array, arrays[key])
    assert raw.layout == "pickled .npy"
    assert load(file).num_episodes == 2


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Evil(os.system, "touch OWNED"), "system"),
        (Evil(subprocess.Popen, "touch OWNED"), r"subprocess\.Popen"),
        (Evil(eval, "open('OWNED', 'w')"), r"builtin(s|__)\.eval"),
        (Evil(getattr, "text", "upper"), r"builtin(s|__)\.getattr"),
        (Evil(np.load, "x", None, True), "numpy.*load"),
        (Evil(np.ones, 3), r"numpy.*ones"),
    ],
)
def test_a_pickle_that_calls_anything_is_refused_by_name(tmp_path, monkeypatch, attack, name):
    monkeypatch.chdir(tmp_path)
    for file in (
        save(tmp_path / "dict.npy", {"observations": attack}),
        save_raw(tmp_path / "bare.npy", pickle.dumps(attack, protocol=4)),
    ):
        with pytest.raises(UserError, match=rf"asks for `.*{name}`, so nothing was loaded\.$"):
            load(file)
    assert not (tmp_path / "OWNED").exists()


def test_classes_of_the_allowed_modules_are_refused_too(tmp_path):
    file = save_raw(tmp_path / "a.npy", b"cnumpy.core.multiarray\nfromfile\n.")
    with pytest.raises(UserError, match=r"`numpy\.core\.multiarray\.fromfile`"):
        load(file)
    file = save_raw(tmp_path / "b.npy", b"cnumpy\nndarray.tofile\n.")
    with pytest.raises(UserError, match=r"`numpy\.ndarray\.tofile`"):
        load(file)


def test_a_pickle_may_not_choose_how_much_is_allocated(tmp_path):
    huge = b"cnumpy\nndarray\n(I1000000000000\ntR."
    with pytest.raises(UserError, match="damaged or truncated"):
        load(save_raw(tmp_path / "a.npy", huge))
    huge = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntC\x01btR."
    with pytest.raises(UserError, match="_reconstruct with unusual arguments"):
        load(save_raw(tmp_path / "b.npy", huge))


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.99])
def test_truncated_pickles_are_a_sentence(tmp_path, recording, keep):
    file = save(tmp_path / "a.npy", recording([50]).arrays())
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match=r"damaged or truncated one \(\w+\)\.$"):
        load(file)


def test_random_damage_never_escapes(tmp_path, recording):
    file = save(tmp_path / "a.npy", recording([20]).arrays())
    whole = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(60):
        damaged = whole.copy()
        for at in rng.integers(80, len(whole), 5):
            damaged[at] = rng.integers(256)
        file.write_bytes(bytes(damaged))
        with contextlib.suppress(UserError):  # any other exception fails the test
            read_arrays(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text", "expected a dictionary of arrays by name, got str"),
        ({"observations": 3}, "expected a dictionary of arrays by name, got dict"),
        ({1: np.zeros(3)}, "expected a dictionary of arrays by name, got dict"),
        ({"observations": np.zeros((2, 1))}, "`actions`, `rewards`, `terminals` is missing among"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, message):
    with pytest.raises(UserError, match=message):
        load(save(tmp_path / "a.npy", content))


def test_object_arrays_inside_are_refused(tmp_path, recording):
    arrays = recording([5]).arrays()
    arrays["rewards"] = np.array([1, "two", None, 4, 5], dtype=object)
    with pytest.raises(UserError, match="`rewards` must hold numbers, got object values"):
        load(save(tmp_path / "a.npy", arrays))


def test_numpy_itself_would_have_run_it(tmp_path, monkeypatch):
    """The danger is real: the same file, opened the usual way, runs its command."""
    monkeypatch.chdir(tmp_path)
    file = save(tmp_path / "a.npy", {"x": Evil(os.mkdir, "OWNED")})
    np.load(file, allow_pickle=True)
    assert (tmp_path / "OWNED").exists()


def test_published_pickle_equals_its_restored_copy(shared_data):
    pickled = load(shared_data / "tsrl-original" / "hopper-medium-v2-ratio-100.npy")
    restored = load(shared_data / "d4rl-small" / "hopper-medium-v2-10k.hdf5")
    for ours, theirs in zip(
        (pickled.observations, pickled.actions, pickled.rewards, pickled.terminal, pickled.episode),
        (restored.observations, restored.actions, restored.rewards, restored.terminal,
         restored.episode),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)
    assert pickled.source.name == "hopper-medium-v2-10k"
    assert pickled.source.env == "Hopper-v4"


def test_a_known_name_with_other_content_is_not_opened(tmp_path):
    file = tmp_path / "hopper-medium-v2-ratio-100.npy"
    buffer = io.BytesIO()
    np.save(buffer, np.array([{}], dtype=object), allow_pickle=True)
    file.write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match=r"has SHA-256 963dceca.*, so it was not opened"):
        load(file)
