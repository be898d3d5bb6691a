"""The study of shifted transitions: its table, its restart, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.data import load
from toolkit.errors import UserError
from toolkit.studies import symmetry
from toolkit.studies.symmetry import Symmetry, robot_name, summary
from toolkit.studies.table import Table

pytest.importorskip("mujoco")

DATA = "toolkit/hopper-medium"


def test_the_table_has_every_augmentation_and_is_not_made_twice(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(symmetry, "FAST", (2, 20, (0.01,)))
    study = Symmetry(data=(DATA,), out=tmp_path / "t.json", runs=tmp_path / "r", fast=True)
    assert study.run() == 0
    rows = Table.read(tmp_path / "t.json")["rows"]
    names = [row["augmentation"] for row in rows]
    assert names == [
        "noise", "common noise", "eigenspace", "commutator", "polynomial", "sylvester", "random",
        "eigenspace, no gauge", "spectral", "spectral, random",
    ]  # fmt: skip
    by_name = dict(zip(names, rows, strict=True))
    assert by_name["noise"]["displacement"] == pytest.approx(0.01, rel=0.2)
    assert by_name["noise"]["predicted_error"] is None
    for row in rows:
        assert row["num_transitions"] == 20 and row["size"] == 0.01
        assert row["low"] <= row["error"] <= row["high"]
        assert set(row["model_error"]) == {"koopman-forward", "spectral-core"}
        assert row["dataset"]["sha256"] and row["versions"]
    assert "common noise" in capsys.readouterr().out

    monkeypatch.setattr(symmetry, "measured", lambda *_: pytest.fail("measured twice"))
    assert study.run() == 0


def test_a_dataset_that_names_no_robot_is_one_sentence():
    data = load(DATA)
    assert robot_name(data, DATA) == "hopper"
    plain = type(data).from_arrays(
        np.zeros((4, 2), np.float32), np.zeros((4, 1), np.float32), np.zeros(4, np.float32),
        np.zeros((4, 2), np.float32), timeout=np.asarray([False, False, False, True]),
    )  # fmt: skip
    with pytest.raises(UserError, match="d does not say which robot it was recorded from"):
        robot_name(plain, "d")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"data": ()}, "`data` must name at least one dataset."),
        ({"sizes": (0.0,)}, "`sizes` must be positive numbers, at least one, got (0.0,)."),
        ({"num_transitions": 0}, "`num_transitions` must be at least 1, got 0."),
    ],
)
def test_a_setting_out_of_range_is_one_sentence(options, sentence, tmp_path):
    with pytest.raises(UserError) as error:
        Symmetry(**({"data": (DATA,), "out": tmp_path / "t.json"} | options)).run()
    assert str(error.value) == sentence


def test_the_summary_says_a_line_for_each_row():
    row = {
        "dataset": {"label": "d"}, "augmentation": "spectral", "size": 0.01,
        "displacement": 0.01, "error": 0.002, "low": 0.001, "high": 0.003,
        "translated_error": 0.004, "wins": 0.75, "predicted_error": None,
        "model_error": {"spectral-core": 0.1}, "replay_error": 0.0,
    }  # fmt: skip
    lines = summary([row])
    assert "spectral-core 0.1000" in lines[1]
    assert "75%" in lines[-1] and "0.00100–0.00300" in lines[-1]
