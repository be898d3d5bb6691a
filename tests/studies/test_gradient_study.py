"""The gradient study: a diagonal model keeps to the theorem, a sheared matrix does not."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.errors import UserError
from toolkit.spectral.nonnormal import power_norms, sheared_rotation
from toolkit.studies.gradients import DENSE, LAGS, Gradients, summary
from toolkit.studies.table import Table


def study(tmp_path, **changes):
    settings = {"data": "toolkit/hopper-medium", "out": tmp_path / "table.json", "fast": True}
    return Gradients(**(settings | changes))


def rows(tmp_path):
    return {r["candidate"]: r for r in Table.read(tmp_path / "table.json")["rows"]}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradients")
    chosen = ("koopman", "koopman, constant", "dense, normal", "dense, sheared")
    assert study(folder, models=chosen).run() == 0
    return rows(folder)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_diagonal_model_stays_inside_the_envelope(measured, when):
    assert measured["koopman"][when]["inside"] == 1.0
    constant = measured["koopman, constant"][when]
    assert constant["inside"] == 1.0
    np.testing.assert_allclose(constant["state"]["median"], constant["envelope"]["low"], rtol=2e-3)


def test_a_full_matrix_keeps_to_its_eigenvalues_only_where_it_is_normal(measured):
    assert measured["dense, normal"]["before"]["inside"] == 1.0
    sheared = measured["dense, sheared"]["before"]
    assert sheared["inside"] < 0.5 and max(sheared["state"]["median"]) > 10
    norms = power_norms(sheared_rotation(DENSE["size"], DENSE["decay"], DENSE["shear"]), max(LAGS))
    assert np.all(np.array(sheared["state"]["largest"]) <= norms[np.array(LAGS) - 1] * 1.001)
    assert "after" not in measured["dense, sheared"]


def test_a_row_says_what_was_measured_and_on_what(measured):
    row = measured["koopman"]
    assert row["lags"] == list(LAGS) and row["num_windows"] == 4 and row["parameters"] > 1000
    assert row["dataset"]["sha256"] and row["versions"]
    for when in ("before", "after"):
        for sizes in (row[when]["state"], row[when]["control"]):
            assert len(sizes["median"]) == len(LAGS)
            assert np.all(np.array(sizes["least"]) <= np.array(sizes["largest"]))


def test_a_stopped_study_goes_on(tmp_path, capsys):
    study(tmp_path, models=("dense, normal",)).run()
    study(tmp_path, models=("dense, normal", "dense, sheared")).run()
    told = capsys.readouterr().out
    assert told.count("dense, normal        seed 0") == 1
    assert list(rows(tmp_path)) == ["dense, normal", "dense, sheared"]


def test_the_table_is_the_geometric_mean_over_seeds():
    def row(seed, last):
        size = {"median": [1.0, 0.5, 0.1, 0.01, last]}
        return {"candidate": "gru", "seed": seed, "before": {"state": size}}

    (line,) = [text for text in summary([row(0, 1e-6), row(1, 1e-4)]) if text.startswith("gru")]
    assert line.split()[3:] == ["1", "0.5", "0.1", "0.01", "1e-05", "-"]
    (line,) = [text for text in summary([row(0, 0.0)]) if text.startswith("gru")]
    assert "<1e-30" in line


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": ("lstm",)}, "`models` must be of koopman; .* got 'lstm'"),
        ({"fast": False, "num_updates": 0}, "`num_updates` must be at least 1, got 0"),
        ({"fast": False, "num_windows": 0}, "`num_windows` must be at least 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(changes, sentence, tmp_path):
    with pytest.raises(UserError, match=sentence):
        study(tmp_path, **changes).run()
