"""The benchmarks of agents and of the TDM: cases, JSON and counts; never their speed."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.sac import SAC
from toolkit.agents.td3_bc import TD3BC
from toolkit.bench import agents
from toolkit.bench.products import flops, products_of
from toolkit.cli import main
from toolkit.data import Dataset
from toolkit.errors import UserError
from toolkit.tsymmetry import TDM
from toolkit.tsymmetry.learner import TDMLearner

TINY = {"hidden": 8, "layers": 2, "batch_size": 4}


def test_a_conditional_counts_as_often_as_it_is_due():
    def f(x, w, due):
        return jax.lax.cond(due, lambda y: (y @ w) @ w, lambda y: y @ w, x)

    jaxpr = jax.make_jaxpr(f)(jnp.zeros((3, 4)), jnp.zeros((4, 4)), True)
    assert products_of(jaxpr) == {(3, 4, 4): 2}
    assert products_of(jaxpr, branch_share=0.25) == {(3, 4, 4): 0.5}


def test_an_update_of_td3_bc_makes_these_products():
    """Forward (1), to the weights (1) and to the inputs (1) of every layer that needs it."""
    found = agents.one_update(TD3BC(**TINY), agents.SPECS["hopper"])
    batch, obs, action, hidden = 4, 11, 3, 8
    actor, critic = [(obs, hidden), (hidden, hidden), (hidden, action)], []
    critic = [(obs + action, hidden), (hidden, hidden), (hidden, 1)]
    expected = 0.0
    for at, (i, o) in enumerate(actor):  # target; then half of: forward, weights, inputs
        expected += 2 * batch * i * o * (1 + 0.5 * (2 + (at > 0)))
    for at, (i, o) in enumerate(critic):  # two of them: target, forward, weights, inputs
        expected += 2 * 2 * batch * i * o * (1 + 2 + (at > 0))
        expected += 0.5 * 2 * 2 * batch * i * o * 2  # the actor's: forward, and to the inputs
    assert flops(found) == expected


def test_sac_draws_from_a_replay_and_is_measured_with_one_seed():
    agent = SAC(**TINY, replay_capacity=20_000)
    assert agents.is_online(agent)
    learner, _, replay = agents.prepared(agent, agents.SPECS["halfcheetah"], 0)
    assert int(replay.count) == agents.ROWS
    assert learner.sample(replay, key=jr.key(0)).obs.shape == (4, 17)
    run = agents.make_update(agent, agents.SPECS["halfcheetah"], 1, 3)
    assert int(run().update_count) == 3


def test_online_agents_stand_beside_offline_ones_in_one_call(monkeypatch):
    monkeypatch.setattr(agents, "OPTIONS", TINY)
    rows = agents.measure(["sac", "bc"], seeds=(2, 1, 2), repetitions=1, updates=1)
    assert [row.case.rsplit("/")[-1] for row in rows] == ["seeds=1", "seeds=2", "seeds=1"]


def test_several_seeds_are_one_program():
    after = agents.make_update(TD3BC(**TINY), agents.SPECS["hopper"], 2, 3)()
    np.testing.assert_array_equal(after.update_count, [3, 3])
    weights = after.actor.net.layers[0].weight
    assert weights.shape[0] == 2 and not np.array_equal(weights[0], weights[1])


def test_agents_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(agents, "OPTIONS", {"hidden": 8, "batch_size": 4})
    path = tmp_path / "a.json"
    words = ["--models", "bc", "iql", "--repetitions", "1", "--updates", "2", "--json", str(path)]
    assert main(["bench", "agents", *words, "--seeds", "1", "2"]) == 0
    rows = json.loads(path.read_text())["rows"]
    assert [r["case"] for r in rows] == [
        f"agents/{name}/hopper/seeds={n}" for name in ("bc", "iql") for n in (1, 2)
    ]
    for row in rows:
        assert row["ratio"] == pytest.approx(row["reference_seconds"] / row["seconds"])
    said = capsys.readouterr().out
    assert "of the matrix-product rate" in said and "2 seeds in one program" in said


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(UserError, match="got 'koopman'"):
        agents.measure(["koopman"])


def test_whole_jacobians_give_the_same_loss():
    data = Dataset.from_arrays(
        *(np.asarray(jr.normal(jr.key(k), (40, n))) for k, n in enumerate((3, 2))),
        np.zeros(40), np.asarray(jr.normal(jr.key(2), (40, 3))),
    )  # fmt: skip
    usual = TDMLearner(batch_size=8, validation_share=0.0)
    whole = agents._WholeJacobian(batch_size=8, validation_share=0.0)
    batch = usual.prepare(data).train.sample(8, key=jr.key(0))
    values = [
        learner.loss(learner.network(data, key=jr.key(1)), batch, jnp.ones(()))[0]
        for learner in (usual, whole)
    ]
    np.testing.assert_allclose(*values, rtol=1e-5)
    assert agents._WholeJacobianTDM.encode_with_rate is not TDM.encode_with_rate


def test_tdm_command(tmp_path, monkeypatch):
    monkeypatch.setattr(agents, "TDM_UPDATES", 1)
    path = tmp_path / "t.json"
    words = ["--batches", "4", "--repetitions", "1", "--json", str(path)]
    assert main(["bench", "tdm", *words]) == 0
    cases = [row["case"] for row in json.loads(path.read_text())["rows"]]
    assert cases == ["tdm/step/B=4", "tdm/step with whole Jacobians/B=4"]
