"""The benchmark of symmetry shifts: its rows, and what it refuses."""

from __future__ import annotations

import json

import pytest

from toolkit.bench.symmetry import GENERATORS, REFERENCE, measure
from toolkit.commands.bench import Symmetry
from toolkit.errors import UserError


def test_every_generator_is_measured_against_the_eigendecomposition():
    rows = measure(batch=2, latent_dim=4, whole=False, repetitions=2)
    assert [row.case for row in rows] == [REFERENCE, *(f"symmetry/{name}" for name in GENERATORS)]
    assert rows[0].ratio == 1
    for row in rows:
        assert row.reference == REFERENCE and row.seconds > 0 and row.repetitions == 2
        assert row.ratio == pytest.approx(row.reference_seconds / row.seconds)


def test_the_command_writes_its_rows(tmp_path, monkeypatch, capsys):
    from toolkit.bench import symmetry

    found = measure(batch=2, latent_dim=4, whole=False, repetitions=1)
    asked = {}
    monkeypatch.setattr(symmetry, "measure", lambda **sizes: asked.update(sizes) or found)
    assert Symmetry(json=tmp_path / "s.json", repetitions=1, batch=2, latent_dim=4).run() == 0
    assert asked == {"batch": 2, "latent_dim": 4, "repetitions": 1}
    content = json.loads((tmp_path / "s.json").read_text())
    assert [row["case"] for row in content["rows"]] == [row.case for row in found]
    assert "times as fast" in content["notes"][0]
    assert "transitions/s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"batch": 0}, "`batch` must be at least 1, got 0."),
        ({"repetitions": 0}, "`repetitions` must be at least 1, got 0."),
        ({"latent_dim": 5}, "`latent_dim` must be even, from 2 on, got 5."),
    ],
)
def test_a_size_that_cannot_be_is_one_sentence(options, sentence):
    with pytest.raises(UserError) as error:
        Symmetry(**options).run()
    assert str(error.value) == sentence
