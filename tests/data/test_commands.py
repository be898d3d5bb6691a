from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import tyro

from toolkit.data import load
from toolkit.data.commands import Check, Fetch, List, Make, Subsample
from toolkit.errors import UserError


def run(command, *arguments):
    return tyro.cli(command, args=[str(argument) for argument in arguments]).run()


def test_list_is_an_aligned_table(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path))
    (tmp_path / "hopper_medium-v2.hdf5").write_text("")
    assert run(List) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 60
    column = lines[0].index("KIND")
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
    by_name = {line.split()[0]: line for line in lines}
    assert by_name["toolkit/pendulum"].endswith("built in")
    assert by_name["hopper-medium-v2"].split()[1:] == ["d4rl", "999,906", "-", "yes"]
    assert by_name["hopper-medium-v2-10k"].split()[1:] == ["tsrl", "9,013", "963dceca5ca4", "no"]


def test_check_returns_one_for_errors_and_writes_json(capsys, tmp_path, recording, hdf5):
    arrays = recording([20, 30]).arrays()
    good = hdf5(tmp_path / "good.hdf5", arrays)
    arrays["observations"][3] = np.nan
    bad = hdf5(tmp_path / "bad.hdf5", arrays)
    assert run(Check, good) == 0
    assert "Nothing to report." in capsys.readouterr().out
    assert run(Check, bad, "--json", tmp_path / "report.json") == 1
    assert "ERROR not-finite-observations" in capsys.readouterr().out
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["has_errors"]
    assert content["file"] == str(bad)
    with pytest.raises(UserError, match="the report could not be written"):
        run(Check, good, "--json", tmp_path / "none" / "report.json")


def test_make_then_subsample(capsys, tmp_path):
    all_of_it, some = tmp_path / "all.hdf5", tmp_path / "some.hdf5"
    made = run(
        Make, "toolkit/duffing", "--out", all_of_it, "--num-transitions", 95, "--seed", 2,
        "--episode-steps", 10, "--excitation", "white",
    )  # fmt: skip
    assert made == 0
    whole = load(all_of_it)
    assert (whole.num_transitions, whole.source.name, whole.source.dt) == (
        100, "toolkit/duffing", 0.05,
    )  # fmt: skip
    assert run(Subsample, all_of_it, "--num-episodes", 3, "--seed", 1, "--out", some) == 0
    smaller = load(some)
    assert smaller.num_episodes == 3
    assert len(smaller.source.history) == 2
    assert run(Subsample, "toolkit/pendulum", "--fraction", 0.05, "--out", some) == 0
    assert load(some).num_transitions == 1000
    assert f"{some}: Dataset('toolkit/pendulum': 1000 transitions" in capsys.readouterr().out


def test_subsample_refuses_in_one_sentence(tmp_path):
    with pytest.raises(UserError, match="Exactly one of `num_episodes`, `fraction`"):
        run(Subsample, "toolkit/pendulum", "--out", tmp_path / "x.hdf5")
    assert list(tmp_path.iterdir()) == []


def test_fetch_reports_where_the_file_lies(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "toolkit.data.downloads.fetch", lambda name, *, folder, base_url: folder / f"{name}.hdf5"
    )
    assert run(Fetch, "hopper-medium-v2", "--dir", tmp_path) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hopper-medium-v2.hdf5")


@pytest.mark.parametrize("command", [List, Fetch, Check, Subsample, Make])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        tyro.cli(command, args=["--help"])
    assert stop.value.code == 0
    assert command.__doc__.split()[0] in capsys.readouterr().out


def test_naming_the_commands_does_not_load_jax():
    code = "import sys, toolkit.data.commands; print('jax' in sys.modules, 'h5py' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]
