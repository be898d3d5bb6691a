from __future__ import annotations

import json

import numpy as np
import pytest

from toolkit.data import RawArrays, check
from toolkit.data.coverage import action_share, effective_dimension, neighbour_spacing
from toolkit.data.doctor import check_arrays
from toolkit.data.report import Finding, Report, _bars
from toolkit.errors import UserError


def codes(report):
    return {item.code: item.severity for item in report.findings}


@pytest.fixture
def healthy(recording):
    return recording([30, 40, 50, 60], falls=[True, False, True, False]).arrays()


def examine(arrays, name="arrays"):
    return check_arrays(RawArrays(**arrays, name=name))


def test_a_healthy_file_gets_no_finding(healthy):
    report = examine(healthy)
    assert report.findings == ()
    assert not report.has_errors
    assert str(report).endswith("Nothing to report.")


def test_facts_are_counted(healthy):
    facts = examine(healthy).facts
    assert (facts["rows"], facts["episodes"], facts["terminals"]) == (180, 4, 2)
    assert facts["timeouts, marked or not"] == 2
    assert facts["rows to fit dynamics with"] == 180
    length = facts["episode length"]
    assert (length["min"], length["median"], length["max"]) == (30, 45, 60)
    assert sum(length["histogram"]) == 4
    assert facts["episode return"]["max"] == pytest.approx(60, rel=1e-5)


# name of the finding, its severity, what is done to a healthy file, how many rows it is about
def sabotage(key, at, value):
    def change(arrays):
        arrays[key] = arrays[key].copy()
        arrays[key][at] = value

    return change


def retype(key, dtype):
    def change(arrays):
        arrays[key] = arrays[key].astype(dtype)

    return change


def drop(key):
    return lambda arrays: arrays.pop(key)


def widen(key):
    def change(arrays):
        arrays[key] = arrays[key][:, None]

    return change


def shorten(key):
    def change(arrays):
        arrays[key] = arrays[key][:-1]

    return change


def shuffle(arrays):
    order = np.random.default_rng(0).permutation(len(arrays["rewards"]))
    for key in arrays:
        arrays[key] = arrays[key][order]


def pair_consecutive(arrays):
    arrays["next_observations"][:-1] = arrays["observations"][1:]


def pair_falls_with_the_next_start(arrays):
    falls = np.flatnonzero(arrays["terminals"])
    arrays["next_observations"][falls] = arrays["observations"][falls + 1]


def double_an_episode(arrays):
    for key in arrays:
        arrays[key] = np.concatenate([arrays[key], arrays[key][30:70]])


SABOTAGE = [
    ("not-finite-observations", "error", sabotage("observations", [3, 9], np.nan), 2),
    ("not-finite-actions", "error", sabotage("actions", 5, np.inf), 1),
    ("not-finite-rewards", "error", sabotage("rewards", slice(0, 7), -np.inf), 7),
    ("not-finite-next_observations", "error", sabotage("next_observations", 8, np.nan), 1),
    ("action-range", "warning", sabotage("actions", (4, 1), 1.5), 1),
    ("action-saturation", "note", sabotage("actions", (slice(0, 90), 0), 1.0), 90),
    ("constant-actions", "warning", sabotage("actions", (slice(None), 1), 0.3), 0),
    ("rewards-zero", "error", sabotage("rewards", slice(None), 0), 180),
    ("rewards-constant", "warning", sabotage("rewards", slice(None), 2), 0),
    ("shapes", "error", shorten("actions"), 0),
    ("column-vectors", "note", widen("rewards"), 0),
    ("dtypes", "note", retype("observations", np.float64), 0),
    ("both-flags", "note", sabotage("timeouts", 29, True), 1),
    ("timeouts-missing", "error", drop("timeouts"), 1),
    ("timeouts-unmarked", "error", sabotage("timeouts", 69, False), 1),
    ("rows-shuffled", "error", shuffle, 175),
    ("terminal-successor", "warning", pair_falls_with_the_next_start, 2),
    ("duplicate-episodes", "warning", double_an_episode, 1),
    ("duplicate-rows", "warning", double_an_episode, 40),
]


@pytest.mark.parametrize(
    ("code", "severity", "change", "rows"), SABOTAGE, ids=lambda v: getattr(v, "__name__", str(v))
)
def test_every_kind_of_damage_is_found_and_counted(healthy, code, severity, change, rows):
    change(healthy)
    report = examine(healthy)
    found = report.find(code)
    assert found is not None, codes(report)
    assert found.severity == severity
    assert abs(found.num_rows - rows) <= (5 if code == "rows-shuffled" else 0)
    assert report.has_errors == (severity == "error")
    text = str(report)
    assert f"{severity.upper()} {code}" in text
    assert found.problem
    assert found.meaning
    assert found.remedy
    json.dumps(report.to_json())


def test_time_limits_stored_as_terminals(recording):
    """Falls at any step are no matter; terminals that all come at one, largest step are."""
    sound = recording([40, 17, 40, 33, 40, 25], falls=[False, True, False, True, False, True])
    arrays = sound.arrays()
    assert examine(arrays).find("terminals-at-limit") is None
    arrays["terminals"] = arrays["terminals"] | arrays["timeouts"]
    arrays["timeouts"] = np.zeros_like(arrays["timeouts"])
    found = examine(arrays).find("terminals-at-limit")
    assert (found.severity, found.num_rows, found.first_rows) == ("warning", 3, (39, 96, 169))


def test_a_sparse_reward_is_noted_with_its_rows(recording):
    arrays = recording([300, 300]).arrays()
    arrays["rewards"][:] = 0
    arrays["rewards"][[299, 599]] = 1
    found = examine(arrays).find("rewards-sparse")
    assert (found.severity, found.num_rows, found.first_rows) == ("note", 2, (299, 599))


def test_flags_must_be_flags(healthy):
    healthy["terminals"] = healthy["terminals"].astype(np.float32)
    healthy["terminals"][7] = 0.99
    assert examine(healthy).find("flags").first_rows == (7,)


def test_a_constant_observation_is_named_by_its_dimension(healthy):
    for key in ("observations", "next_observations"):
        healthy[key][:, 2] = 4.0
    assert "never changes in dimension 2" in examine(healthy).find("constant-observations").problem


def test_pairs_that_cross_where_nothing_is_terminal(recording):
    arrays = recording([30] * 6).arrays()
    pair_consecutive(arrays)
    found = examine(arrays).find("successor-crosses-episodes")
    assert found.severity == "error"
    assert found.first_rows == (29, 59, 89, 119, 149)


def test_all_rows_bad_is_still_a_report(healthy):
    healthy["observations"][:] = np.nan
    report = examine(healthy)
    assert report.has_errors
    assert "effective dimension" not in report.facts


@pytest.mark.parametrize("rows", [1, 2])
def test_tiny_files(recording, rows):
    assert not examine(recording([rows]).arrays()).has_errors


def test_the_file_is_named_and_hashed(tmp_path, recording, hdf5):
    file = hdf5(tmp_path / "file.hdf5", recording([20, 30]).arrays())
    report = check(file)
    assert report.file == str(file)
    assert report.sha256 in str(report)
    assert str(report).startswith(f"{file}\n")
    with pytest.raises(UserError, match="no such file"):
        check(tmp_path / "none.hdf5")


def test_rows_are_shown_once_and_cut_short():
    item = Finding("error", "code", "Problem.", "meaning.", "remedy.", 9, (1, 2, 3, 4, 5))
    text = str(Report("f", "n", "l", None, {}, (item,)))
    assert "Problem. (rows 1, 2, 3, 4, 5, …)" in text
    assert "1 error." in text
    assert _bars([0, 1, 7]) == " ▂█"


def test_json_holds_what_the_text_says(healthy):
    healthy["rewards"][:] = 0
    content = examine(healthy).to_json()
    assert (content["format"], content["has_errors"]) == (1, True)
    assert content["findings"][0]["code"] == "rewards-zero"
    assert len(content["facts"]["observation range"]) == 3


def test_coverage_numbers_have_known_answers():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(2000, 1))
    assert effective_dimension(np.hstack([one, 3 * one, -one])) == pytest.approx(1)
    assert effective_dimension(rng.normal(size=(20000, 4))) == pytest.approx(4, rel=0.01)
    assert effective_dimension(np.ones((10, 3))) == 0
    grid = np.linspace(-1, 1, 201)
    assert action_share(grid[:, None]) == 1
    assert action_share(grid[grid < 0][:, None]) == 0.5
    assert action_share(np.stack([grid, grid], 1)) == pytest.approx(0.1)
    line = np.arange(100.0)[:, None]
    assert neighbour_spacing(line) == pytest.approx(1 / line.std())


def test_published_pickle(shared_data):
    report = check(shared_data / "tsrl-original" / "hopper-medium-v2-ratio-100.npy")
    assert codes(report) == {
        "timeouts-missing": "error", "terminal-successor": "warning", "known-file": "note",
        "part-of-set": "note",
    }  # fmt: skip
    paired = report.find("terminal-successor")
    assert (paired.num_rows, paired.first_rows[:2]) == (21, (333, 807))
    assert "hopper-medium-v2-10k" in report.find("known-file").problem


def test_restored_published_sets_have_no_errors(shared_data):
    files = sorted((shared_data / "d4rl-small").glob("*.hdf5"))
    assert files
    for file in files:
        report = check(file)
        allowed = {"terminal-successor", "part-of-set", "timeouts-early", "action-saturation"}
        assert set(codes(report)) <= allowed
        assert not report.has_errors
