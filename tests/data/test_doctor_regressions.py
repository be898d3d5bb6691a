"""Defects that published datasets really had, each in small: the doctor must see them all."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.data import RawArrays, load
from toolkit.data.doctor import check_arrays
from toolkit.data.doctor_identity import _BANDS

LEVELS = {
    "hopper": {"random": 18, "medium": 1422, "expert": 3600},
    "walker2d": {"random": 2, "medium": 2850, "expert": 4920},
    "halfcheetah": {"random": -280, "medium": 4770, "expert": 11000},
}
DIMS = {"hopper": (11, 3), "walker2d": (17, 6), "halfcheetah": (17, 6)}


@pytest.fixture
def make(recording):
    def build(family, *parts, episodes=4, seed=0):
        """Episodes of these qualities one after another, at their published mean returns."""
        returns = [float(LEVELS[family][part]) for part in parts for _ in range(episodes)]
        falls = [family != "halfcheetah"] * len(returns)
        lengths = [50 if falls[0] else 1000] * len(returns)
        return recording(
            lengths, falls=falls, returns=returns, dims=DIMS[family], seed=seed
        ).arrays()

    return build


def examine(arrays, name):
    return check_arrays(RawArrays(**arrays, name=name))


@pytest.mark.parametrize("family", LEVELS)
@pytest.mark.parametrize("quality", ["random", "medium", "expert"])
def test_right_names_are_accepted(make, family, quality):
    report = examine(make(family, quality), f"{family}-{quality}-v2")
    assert not report.has_errors, str(report)


@pytest.mark.parametrize("family", LEVELS)
@pytest.mark.parametrize(("promised", "held"), [("medium", "expert"), ("expert", "medium")])
def test_d4rl_76_files_swapped_between_names(make, family, promised, held):
    report = examine(make(family, held), f"{family}-{promised}-v1")
    found = report.find("quality-mismatch")
    assert found.severity == "error"
    assert f"like {held} data" in found.problem


@pytest.mark.parametrize("family", LEVELS)
def test_a_right_mixture_is_accepted(make, family):
    report = examine(make(family, "medium", "expert"), f"{family}-medium-expert-v2")
    assert report.find("mixture-mismatch") is None


@pytest.mark.parametrize(
    "parts", [("expert", "random"), ("medium", "medium"), ("expert", "expert")]
)
@pytest.mark.parametrize("version", ["v0", "v2"])
def test_d4rl_19_mixed_wrongly(make, parts, version):
    report = examine(make("hopper", *parts), f"hopper-medium-expert-{version}")
    assert report.find("mixture-mismatch").severity == "error"


def test_d4rl_19_unequal_parts(make):
    five_to_one = ["expert"] * 5 + ["medium"]
    report = examine(make("hopper", *five_to_one), "hopper-medium-expert-v0")
    assert "83% of rows come from expert-like" in report.find("mixture-mismatch").problem


def test_d4rl_19_the_row_count_gives_it_away(make):
    from toolkit.data.doctor_identity import _size
    from toolkit.data.tasks import parse_task

    rows = np.broadcast_to(np.float32(0), (1_200_919, 11))  # as published in May 2020
    raw = RawArrays(rows, rows[:, :3], rows[:, 0], rows[:, 0])
    (found,) = _size(raw, parse_task("hopper-medium-expert-v0"))
    assert (found.severity, found.code) == ("error", "wrong-size")
    whole = np.broadcast_to(np.float32(0), (999_906, 11))
    raw = RawArrays(whole, whole[:, :3], whole[:, 0], whole[:, 0])
    assert _size(raw, parse_task("hopper-medium-v2")) == []


def test_a_copy_in_place_of_the_second_half(make):
    arrays = make("hopper", "medium", episodes=3)
    twice = {key: np.concatenate([array, array]) for key, array in arrays.items()}
    report = examine(twice, "hopper-medium-expert-v2")
    assert report.find("duplicate-episodes").num_rows == 3
    assert report.find("mixture-mismatch").severity == "error"


def test_d4rl_86_timeouts_unmarked(recording):
    arrays = recording([1000, 40, 1000], falls=[False, True, False], dims=(11, 3)).arrays()
    arrays["timeouts"][999] = False
    report = examine(arrays, "hopper-medium-replay-v1")
    found = report.find("timeouts-unmarked")
    assert (found.severity, found.first_rows) == ("error", (999,))
    assert "D4RL#86" in found.meaning


def test_d4rl_86_unmarked_and_without_successors(recording):
    arrays = recording([1000, 1000], dims=(11, 3)).arrays()
    arrays["timeouts"][:] = False
    del arrays["next_observations"]
    report = examine(arrays, "hopper-medium-replay-v1")
    assert report.find("episode-too-long").severity == "error"


def test_d4rl_162_timeouts_after_forty_steps(recording):
    arrays = recording([1000, 40, 300], falls=[False, False, True], dims=(11, 3)).arrays()
    found = examine(arrays, "hopper-medium-replay-v2").find("timeouts-early")
    assert (found.severity, found.num_rows, found.first_rows) == ("note", 1, (1039,))
    assert "the earliest after 40 steps" in found.problem


def test_offlinerl_kit_14_all_rewards_zero(recording, tmp_path, hdf5):
    arrays = recording([700, 700], dims=(29, 8)).arrays()
    arrays["rewards"][:] = 0
    report = examine(arrays, "antmaze-umaze-v2")
    found = report.find("rewards-zero")
    assert (found.severity, found.num_rows) == ("error", 1400)
    assert "OfflineRL-Kit#14" in found.meaning
    load(hdf5(tmp_path / "a.hdf5", arrays))  # a dynamics model can still use it


def test_another_robot_under_the_name(make):
    report = examine(make("walker2d", "medium"), "hopper-medium-v2")
    assert "11 observation and 3 action dimensions, the file has 17 and 6" in (
        report.find("wrong-environment").problem
    )


def test_cut_offs_written_as_falls(make):
    arrays = make("halfcheetah", "medium")
    arrays["terminals"], arrays["timeouts"] = arrays["timeouts"], arrays["terminals"]
    found = examine(arrays, "halfcheetah-medium-v2").find("terminals-unexpected")
    assert (found.severity, found.num_rows) == ("error", 4)


def test_falls_written_as_cut_offs(make):
    arrays = make("hopper", "medium", episodes=8)
    arrays["terminals"], arrays["timeouts"] = arrays["timeouts"], arrays["terminals"]
    assert examine(arrays, "hopper-medium-v2").find("terminals-missing").severity == "error"


def test_bands_do_not_overlap_and_hold_the_published_means():
    for family, bands in _BANDS.items():
        assert bands["random"][1] <= bands["medium"][0] < bands["medium"][1] <= bands["expert"][0]
        for quality, (low, high) in bands.items():
            assert low < LEVELS[family][quality] < high


@pytest.mark.parametrize(
    "name", ["halfcheetah-medium-v2", "walker2d-medium-v2", "hopper-expert-v2"]
)
def test_real_sets_under_a_wrong_name_are_noticed(shared_data, tmp_path, name, hdf5):
    from toolkit.data import read_arrays

    raw = read_arrays(shared_data / "d4rl-small" / f"{name}-10k.hdf5")
    other = name.replace("medium", "x").replace("expert", "medium").replace("x", "expert")
    assert check_arrays(raw).find("quality-mismatch") is None
    wrong = RawArrays(**raw.stored, name=other)
    assert check_arrays(wrong).find("quality-mismatch").severity == "error"
