"""The propagation benchmark: its cases, its JSON and its arithmetic; never its speed."""

from __future__ import annotations

import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from toolkit.bench import propagation, timing
from toolkit.cli import main

SMALL = ["--horizons", "3", "600", "--batch", "2", "--modes", "4", "--repetitions", "5"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "propagation.json"
    assert main(["bench", "propagation", *SMALL, "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_every_form_is_measured_forward_and_with_its_gradient(report):
    cases = {row["case"] for row in report["rows"]}
    expected = {
        f"propagation/{form}/{what}/T=3"
        for form in propagation.FORMS
        for what in ("forward", "grad")
    }
    assert expected <= cases
    assert "propagation/auto/grad/T=600" in cases
    assert not any("toeplitz" in case and "T=600" in case for case in cases)
    assert report["notes"] == ["T=600: no toeplitz, whose work grows with T²"]


def test_the_rows_are_the_documented_ones(report):
    assert report["format"] == 1
    assert {"cpus", "device", "versions", "memory_gb", "commit"} <= set(report["host"])
    for row in report["rows"]:
        assert set(row) == {"case", "seconds", "reference", "reference_seconds", "ratio",
                            "repetitions"}  # fmt: skip
        assert row["reference"] == "one pass over the array"
        assert row["ratio"] == pytest.approx(row["seconds"] / row["reference_seconds"])
        often = any(f"/{form}/" in row["case"] for form in ("auto", "sequential"))
        assert (
            row["repetitions"]
            == {
                ("T=3", True): 5,
                ("T=3", False): 2,
                ("T=600", True): 3,
                ("T=600", False): 1,
            }[row["case"].split("/")[-1], often]
        )


def test_cases_take_turns_after_two_warm_ups():
    order = []
    cases = {name: lambda name=name: order.append(name) for name in "ab"}
    seconds = timing.interleaved(cases, 3)
    assert "".join(order) == "aabb" + "ab" * 3
    assert {len(values) for values in seconds.values()} == {3}


def test_a_rare_case_joins_every_fourth_round():
    order = []
    cases = {name: lambda name=name: order.append(name) for name in "ab"}
    timing.interleaved(cases, 6, is_rare="b".__eq__)
    assert "".join(order) == "aabb" + "ab" + "aaa" + "ab" + "a"


def test_seconds_are_seconds():
    seconds = timing.interleaved({"sleep": lambda: time.sleep(0.02)}, 3)["sleep"]
    assert 0.02 <= np.median(seconds) < 0.2


def test_ratios_are_of_medians():
    seconds = {"one": np.array([1.0, 2.0, 90.0]), "other": np.array([4.0, 6.0, 5.0])}
    (row,) = timing.rows(seconds, "one")
    assert (row.case, row.seconds, row.reference_seconds, row.ratio) == ("other", 5.0, 2.0, 2.5)


def test_the_loss_is_the_mean_energy_of_the_recurrence():
    multipliers, start, inputs = propagation.make_operands(6, 2, 3)
    z, total = np.asarray(start), 0.0
    for control in np.asarray(inputs):
        z = np.asarray(multipliers) * z + control
        total += np.sum(np.abs(z) ** 2)
    loss = propagation.mean_energy("auto", multipliers, start, inputs)
    assert float(loss) == pytest.approx(total / (6 * 2 * 3), rel=1e-5)
    assert inputs.shape == (6, 2, 3)
    assert inputs.dtype == jnp.complex64
    assert float(jnp.abs(multipliers).max()) < 1


def test_the_batch_shrinks_until_memory_suffices(monkeypatch):
    monkeypatch.setattr(propagation, "memory_bytes", lambda: 24 * 10**9)
    assert propagation.fitting_batch(500, 256, 256) == 256
    assert propagation.fitting_batch(2000, 256, 256) == 128
    monkeypatch.setattr(propagation, "memory_bytes", lambda: 8 * 10**9)
    assert propagation.fitting_batch(2000, 256, 256) == 32
    assert propagation.fitting_batch(10**9, 1, 1) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--repetitions", "0"], "`repetitions` must be at least 1, got 0"),
        (["--horizons", "0"], "`horizons` must be numbers from 1 on"),
        (["--json", "/nowhere/at/all.json"], "`json` must lie in an existing folder"),
    ],
)
def test_wrong_numbers_are_refused_before_anything_is_measured(capsys, words, sentence):
    assert main(["bench", "propagation", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_the_host_is_described():
    assert timing.host()["device"].startswith(jax.devices()[0].platform)
    assert timing.memory_bytes() > 10**8
