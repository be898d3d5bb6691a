"""The benchmark of agents that learn from pixels: its cases, its JSON and its counts."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from tests.agents.dots import KOOPMAN, SMALL, SPR
from toolkit.bench import pixels
from toolkit.bench.products import products_of
from toolkit.bench.timing import Row
from toolkit.cli import main

# The sizes of the agents' own tests, so that their compiled programs serve here too.
TINY = {
    name: size for name, size in (SMALL | SPR | KOOPMAN).items()
    if name not in ("replay_capacity", "num_envs", "horizon", "image_size")
}  # fmt: skip


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(pixels, "OPTIONS", TINY)
    monkeypatch.setattr(pixels, "_ACTIONS", 1)


def test_a_convolution_is_the_product_of_its_patches_forward_and_backward():
    """5 × 5 outputs of a stride of 2 on 11 × 11; its gradient sums over places and images."""

    def f(x, w):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jnp.sum(lax.conv_general_dilated(x, w, (2, 2), "VALID", dimension_numbers=numbers))

    x, w = jnp.zeros((7, 11, 11, 3)), jnp.zeros((3, 3, 3, 4))
    assert products_of(jax.make_jaxpr(f)(x, w)) == {(7 * 25, 27, 4): 1}
    both = products_of(jax.make_jaxpr(jax.grad(f, argnums=1))(x, w))
    assert both == {(7 * 25, 27, 4): 1, (27, 7 * 25, 4): 1}


def test_the_rate_beside_sac_pixels():
    row = lambda name, seconds: Row(f"pixels/{name}", seconds, "", 1.0, 1.0, 1)
    assert pixels.rate([row("sac-pixels", 1.0), row("spr", 4.0)], "spr") == 0.25


def test_the_command_writes_every_agent(tmp_path, capsys):
    file = tmp_path / "p.json"
    words = ["--batch", "6", "--image-size", "16", "--horizon", "3", "--repetitions", "1"]
    assert main(["bench", "pixels", *words, "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["rows"]
    assert [row["case"] for row in rows] == [f"pixels/{name}" for name in pixels.NAMES]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["reference_seconds"] / row["seconds"])
    assert capsys.readouterr().out.count("× sac-pixels' rate") == 3


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--batch", "0"], "`batch` must be at least 1, got 0"),
        (["--image-size", "9"], "`image_size` must be at least 15, got 9"),
        (["--horizon", "251"], "`horizon` must not exceed the 250 steps of an episode"),
        (["--json", "/nowhere/at/all.json"], "`json` must lie in an existing folder"),
    ],
)
def test_wrong_input_is_a_sentence(words, sentence, capsys):
    assert main(["bench", "pixels", *words]) == 2
    assert sentence in capsys.readouterr().err
