"""The study of App. G on a toy: a row per scheme and seed, restartable, never mixed."""

import json

import pytest

from toolkit.errors import UserError
from toolkit.studies import initialisation
from toolkit.studies.initialisation import Initialisation
from toolkit.studies.table import Table

TWO = (("constant", "increasing"), ("bounded", "random"))  # the full four take twice as long


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(initialisation, "SCHEMES", TWO)
    return Initialisation(
        data="toolkit/pendulum", out=tmp_path / "table.json", seeds="0,1", num_updates=2,
        modes=4, horizon=10,
    )  # fmt: skip


def test_every_scheme_and_seed_has_a_row_and_a_stopped_study_goes_on(study, capsys):
    assert study.run() == 0
    table = Table.read(study.out)
    found = [(row["real_part"], row["imag_part"], row["seed"]) for row in table["rows"]]
    assert found == [(*scheme, seed) for scheme in TWO for seed in (0, 1)]
    assert all(row["error"] > 0 for row in table["rows"])
    assert table["passport"]["versions"]["jax"]
    assert "2 seeds" in capsys.readouterr().out

    kept = table["rows"][:2]
    study.out.write_text(json.dumps(table | {"rows": kept}))
    assert study.run() == 0
    resumed = Table.read(study.out)["rows"]
    assert resumed == table["rows"]  # the same numbers, by seed


def test_a_table_with_other_settings_is_not_touched(study):
    study.out.write_text(json.dumps({"settings": {"modes": 3}, "rows": []}))
    with pytest.raises(UserError, match="other settings"):
        study.run()
    study.out.write_text("no table")
    with pytest.raises(UserError, match="is not a table of this study"):
        study.run()
