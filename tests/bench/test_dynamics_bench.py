"""The benchmark of dynamics models: cases, JSON and counts; never its speed."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import pytest

from toolkit.bench import dynamics, products
from toolkit.cli import main
from toolkit.errors import UserError


def flops(f, *shapes):
    return products.flops(products.products_of(jax.make_jaxpr(f)(*map(jnp.zeros, shapes))))


def test_products_are_counted_in_batches_loops_and_gradients():
    assert flops(lambda a, b: a @ b, (3, 4), (4, 5)) == 2 * 3 * 4 * 5
    assert flops(jnp.matmul, (7, 3, 4), (7, 4, 5)) == 7 * 2 * 3 * 4 * 5

    def loop(a, b):
        return jax.lax.scan(lambda x, _: (x @ b, None), a, length=10)[0]

    assert flops(jax.jit(loop), (3, 4), (4, 4)) == 10 * 2 * 3 * 4 * 4
    gradient = jax.grad(lambda b, a: jnp.sum(a @ b))
    assert flops(gradient, (4, 5), (3, 4)) == 2 * 2 * 3 * 4 * 5  # forward, and to b


def test_an_update_of_a_model_counts_its_row_products():
    learner = dynamics.models()["mlp"](latent=4, width=5, hidden=6, horizon=3, decoded_steps=3)
    _, (parameters, count) = dynamics.make_update(learner, 3, 2)
    step = 2 * 2 * (4 * 5 + 5 * 4)  # two windows
    assert parameters > 100
    assert count > 3 * 3 * step  # three steps, forward and twice backward, and the heads


@pytest.mark.parametrize("work", ["prediction", "gradient"])
def test_times_are_compared_by_length(work):
    times = dynamics.compare_times(("koopman", "gru"), (2, 3), work, batch=2, repetitions=1)
    assert list(times) == ["koopman", "gru"]
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())


def test_times_of_an_unknown_model_are_refused():
    with pytest.raises(UserError, match="got 'gruu'"):
        dynamics.compare_times(("gruu",), (2,))


def test_every_model_is_measured(tmp_path, capsys):
    path = tmp_path / "d.json"
    words = ["--lengths", "2", "--batch", "2", "--repetitions", "1", "--json", str(path)]
    assert main(["bench", "dynamics", *words]) == 0
    report = json.loads(path.read_text())
    cases = {row["case"] for row in report["rows"]}
    assert cases == {f"dynamics/{name}/T=2/B=2" for name in dynamics.models()}
    assert "koopman" in dynamics.models() and len(cases) == 5
    for row in report["rows"]:
        assert row["ratio"] == pytest.approx(row["reference_seconds"] / row["seconds"])
    assert "parameters" in capsys.readouterr().out
