from __future__ import annotations

import contextlib

import numpy as np
import pytest

from toolkit.data import load, read_arrays
from toolkit.errors import UserError


def one_sentence(error) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def test_the_content_decides_not_the_name(tmp_path, recording, hdf5):
    arrays = recording([5, 6]).arrays()
    file = hdf5(tmp_path / "data.npy", arrays)
    assert read_arrays(file).layout == "D4RL HDF5"
    assert load(file).num_episodes == 2


@pytest.mark.parametrize("left_out", [(), ("timeouts",), ("next_observations",)])
@pytest.mark.parametrize("wide", [False, True])
def test_every_variant_of_d4rl_gives_the_same_transitions(
    tmp_path, recording, hdf5, left_out, wide
):
    arrays = recording([5, 1000], falls=[True, False]).arrays()
    stored = {k: v for k, v in arrays.items() if k not in left_out}
    if wide:
        stored |= {k: stored[k][:, None] for k in ("rewards", "terminals")}
    data = load(hdf5(tmp_path / "file.hdf5", stored))
    assert data.num_episodes == 2
    assert np.flatnonzero(data.terminal).tolist() == [4]
    assert np.flatnonzero(data.timeout).tolist() == [1004]
    np.testing.assert_array_equal(data.rewards, arrays["rewards"])
    valid = np.asarray(data.valid_next)
    assert valid.sum() == (1005 if "next_observations" not in left_out else 1003)
    np.testing.assert_array_equal(
        np.asarray(data.next_observations)[valid], arrays["next_observations"][valid]
    )


def test_the_source_names_set_hash_environment_and_time_step(tmp_path, recording, hdf5):
    file = hdf5(tmp_path / "hopper_medium-v2.hdf5", recording([5], dims=(11, 3)).arrays())
    source = load(file).source
    assert (source.name, source.env, source.dt) == ("hopper_medium-v2", "Hopper-v4", 0.008)
    assert source.sha256 == read_arrays(file).sha256
    assert len(source.sha256) == 64


@pytest.mark.parametrize(
    ("name", "dims", "env", "dt"),
    [
        ("walker2d-expert-v2", (17, 6), "Walker2d-v4", 0.008),
        ("halfcheetah-medium-replay-v2", (17, 6), "HalfCheetah-v4", 0.05),
        ("hopper-medium-v2", (4, 1), None, None),  # another robot under this name
        ("my-robot", (11, 3), None, None),
    ],
)
def test_the_environment_is_claimed_only_where_dimensions_agree(
    tmp_path, recording, hdf5, name, dims, env, dt
):
    file = hdf5(tmp_path / "x.hdf5", recording([5], dims=dims).arrays(), dataset=name)
    source = load(file).source
    assert (source.name, source.env, source.dt) == (name, env, dt)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError) as error:
        read_arrays(tmp_path / "none.hdf5")
    assert one_sentence(error).endswith(
        "none.hdf5: expected a dataset file, but there is no such file."
    )
    with pytest.raises(UserError, match="there is no such file"):
        load(str(tmp_path / "none.hdf5"))


def test_a_directory(tmp_path):
    with pytest.raises(UserError) as error:
        load(tmp_path)
    assert one_sentence(error).endswith("expected a dataset file, got a directory.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a dataset, got an empty file"),
        (b"<!DOCTYPE html><html>", "expected an HDF5 or `.npy` file, got an HTML page"),
        (b"PK\x03\x04 zip", "got a file that starts with b'PK"),
        (b"\x93NUMPY", "expected a whole `.npy` header"),
        (b"\x89HDF\r\n\x1a\n", "expected a whole HDF5 file, got a truncated or damaged one"),
    ],
)
def test_other_content(tmp_path, content, message):
    file = tmp_path / "file.hdf5"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        load(file)
    assert str(file) in one_sentence(error)


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_hdf5(tmp_path, recording, hdf5, keep):
    file = hdf5(tmp_path / "file.hdf5", recording([500]).arrays())
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(UserError, match="truncated or damaged") as error:
        load(file)
    one_sentence(error)


def test_damaged_chunks_are_a_sentence_too(tmp_path, recording):
    from toolkit.data import write_d4rl

    file = write_d4rl(tmp_path / "a.hdf5", load_arrays(recording))
    content = bytearray(file.read_bytes())
    for at in range(3000, len(content), 50):
        content[at] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"a\.hdf5: expected") as error:
        load(file)
    one_sentence(error)


def test_random_damage_never_escapes(tmp_path, recording):
    from toolkit.data import write_d4rl

    file = write_d4rl(tmp_path / "a.hdf5", load_arrays(recording))
    whole = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = whole.copy()
        for at in rng.integers(8, len(whole), rng.integers(1, 40)):
            damaged[at] = rng.integers(256)
        file.write_bytes(bytes(damaged))
        with contextlib.suppress(UserError):  # any other exception fails the test
            read_arrays(file)


def load_arrays(recording):
    from toolkit.data import RawArrays

    return RawArrays(**recording([400]).arrays())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"actions": None}, "expected D4RL's layout, but `actions` is missing among `next_obs"),
        ({"rewards": np.zeros(3)}, r"`rewards` must have 11 rows like `observations`, got \(3,\)"),
        ({"observations": np.zeros(11)}, r"`observations` must be a non-empty \(rows, dims\)"),
        ({"infos/valid_next": np.zeros(4)}, r"`valid_next` must be one number per row, got"),
        ({"observations": np.float32(3)}, r"`observations` must be a non-empty .* got \(\)"),
        ({"timeouts": np.zeros((11, 2))}, r"`timeouts` must be one number per row, got \(11, 2\)"),
        ({"next_observations": np.zeros((11, 1))}, r"shape of `observations` \(11, 3\)"),
        ({"rewards": np.full(11, b"one")}, "`rewards` must hold numbers, got"),
        ({"actions": np.full((11, 2), np.nan)}, "`actions` is not finite in 11 of 11 rows"),
    ],
)
def test_wrong_layouts_name_file_and_array(tmp_path, recording, hdf5, change, message):
    arrays = {k: v for k, v in (recording([5, 6]).arrays() | change).items() if v is not None}
    file = hdf5(tmp_path / "file.hdf5", arrays)
    with pytest.raises(UserError, match=message) as error:
        load(file)
    assert one_sentence(error).startswith(str(file))


def test_odd_attributes_are_passed_over(tmp_path, recording, hdf5):
    file = hdf5(
        tmp_path / "x.hdf5", recording([5]).arrays(), env=np.arange(3), dt="soon", history="{",
        dataset=np.bytes_("mine"),
    )  # fmt: skip
    source = load(file).source
    assert (source.name, source.env, source.dt, source.history) == ("mine", None, None, ())


def test_a_group_in_place_of_an_array(tmp_path, recording, hdf5):
    import h5py

    file = hdf5(tmp_path / "file.hdf5", recording([5]).arrays())
    with h5py.File(file, "a") as content:
        del content["rewards"]
        content.create_group("rewards")
    with pytest.raises(UserError, match="`rewards` must be an array, got a group"):
        load(file)


def test_nan_can_be_read_raw_and_is_refused_by_load(tmp_path, recording, hdf5):
    arrays = recording([5, 6]).arrays()
    arrays["observations"][7, 1] = np.nan
    file = hdf5(tmp_path / "file.hdf5", arrays)
    assert np.isnan(read_arrays(file).observations[7, 1])
    with pytest.raises(UserError, match="`observations` is not finite in 1 of 11 rows") as error:
        load(file)
    assert one_sentence(error).startswith(f"{file}: ")


def test_a_bare_array_is_refused(tmp_path):
    file = tmp_path / "bare.npy"
    np.save(file, np.zeros((3, 2)))
    with pytest.raises(UserError, match=r"got one bare array of shape \(3, 2\) and type float64"):
        load(file)


def test_unreadable_files(tmp_path, monkeypatch, recording, hdf5):
    file = hdf5(tmp_path / "file.hdf5", recording([5]).arrays())

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UserError, match="expected a readable file, got Permission denied"):
        read_arrays(file)


def test_unknown_names_suggest_close_ones():
    with pytest.raises(UserError) as error:
        load("hoper-medium-v2")
    assert "hopper-medium-v2" in one_sentence(error)
    with pytest.raises(UserError, match=r"close names are toolkit/pendulum"):
        load("toolkit/pendelum-v0")
    with pytest.raises(UserError, match="`toolkit data list` shows all names"):
        load("xyzzy")


def test_a_published_name_that_was_not_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path))
    with pytest.raises(UserError, match="`toolkit data fetch hopper-medium-v2` downloads it to"):
        load("hopper-medium-v2")
