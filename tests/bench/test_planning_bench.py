"""The benchmark of planning: its cases, its JSON and its counts; never its speed."""

from __future__ import annotations

import json
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from toolkit.agents.tdmpc import TDMPC
from toolkit.bench import planning
from toolkit.bench.products import flops, make_products, products_of
from toolkit.bench.timing import Row
from toolkit.cli import main

TINY = {
    "latent": 4, "hidden": 8, "encoder_hidden": 8, "samples": 8, "proposals": 2, "elites": 4,
    "iterations": 3,
}  # fmt: skip


def test_what_depends_on_the_platform_counts_as_it_runs_here():
    def f(x, w):
        return lax.platform_dependent(
            x, w, default=lambda x, w: x @ w, never=lambda x, w: ((x @ w) @ w) @ w
        )

    assert products_of(jax.make_jaxpr(f)(jnp.zeros((3, 4)), jnp.zeros((4, 4)))) == {(3, 4, 4): 1}


def test_a_decision_makes_these_products():
    """Encoder, proposals step by step, and values of proposals once and of samples thrice."""
    horizon, obs, action, latent, hidden = 2, 17, 6, 4, 8
    agent = TDMPC(horizon=horizon, replay_capacity=4096, batch_size=4, **TINY)
    found = planning._works(agent)["decision"][1]
    net = lambda *sizes: sum(2 * a * b for a, b in pairwise(sizes))
    inputs = latent + action
    dynamics = net(inputs, hidden, hidden, latent)
    head, policy = net(inputs, hidden, hidden, 1), net(latent, hidden, hidden, action)
    value = horizon * (dynamics + head) + policy + 2 * head
    expected = net(obs, hidden, latent) + 2 * horizon * (policy + dynamics)
    expected += (2 + 3 * 8) * value
    moments = 3 * 2 * 2 * 4 * horizon * action  # of the four elites
    assert flops(found) == expected + moments


def test_the_reference_makes_exactly_the_products_of_its_programs():
    """Products come in pairs: two programs' worth is even, whatever one makes."""
    pairs = products_of(jax.make_jaxpr(make_products({(4, 3, 2): 3, (2, 2, 2): 1}, 2))().jaxpr)
    assert pairs == {(4, 3, 2): 3, (4, 2, 3): 3, (2, 2, 2): 2}


def test_a_row_halves_the_two_programs_worth_of_its_reference():
    works = {"c": np.array([3.0]), f"c: {planning.REFERENCE}": np.array([4.0])}
    assert planning._row("c", works).reference_seconds == 2.0


def test_the_ratio_of_the_two_dynamics():
    row = lambda name, seconds: Row(f"planning/{name}/update/H=5", seconds, "", 1.0, 1.0, 1)
    assert planning.ratio([row("tdmpc", 3.0), row("koopman-tdmpc", 2.0)], "update") == 1.5


def test_the_command_writes_every_case(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(planning, "OPTIONS", TINY)
    file = tmp_path / "p.json"
    words = ["bench", "planning", "--horizons", "2", "--batch", "4", "--repetitions", "1"]
    assert main([*words, "--decoded-steps", "1", "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [row["case"] for row in rows] == [
        f"planning/{name}/{work}"
        for name in ("tdmpc", "koopman-tdmpc")
        for work in ("decision/H=2", "update/H=2/losses of 1")
    ]  # fmt: skip
    for row in rows:
        assert row["ratio"] == pytest.approx(row["reference_seconds"] / row["seconds"])
    assert "update: koopman-tdmpc has" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--horizons", "0"], "`horizons` must be numbers from 1 on"),
        (["--decoded-steps", "6"], "`decoded_steps` must lie in 0..5, the steps of `horizon`"),
        (["--batch", "0"], "`batch` must be at least 1, got 0"),
        (["--json", "/nowhere/at/all.json"], "`json` must lie in an existing folder"),
    ],
)
def test_wrong_input_is_a_sentence(words, sentence, capsys):
    assert main(["bench", "planning", *words]) == 2
    assert sentence in capsys.readouterr().err
