"""Reversal tests of known systems, and reverse models that fool Eq. 7."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data.samplers import Transitions
from toolkit.data.systems import CartPole, Duffing, Pendulum, VanDerPol
from toolkit.evaluation.representation_scores import measure
from toolkit.tsymmetry import (
    TDM,
    classical_violation,
    extended_violation,
    flip,
    there_and_back,
    undo,
)
from toolkit.tsymmetry.degenerate import deceive, memorise

PUSH = jnp.array([0.4])


def test_flipping_leaves_positions_and_turns_rates():
    np.testing.assert_array_equal(flip(jnp.array([0.5, 2.0])), [0.5, -2.0])
    np.testing.assert_array_equal(flip(jnp.arange(4.0)), [0, 1, -2, -3])


@pytest.mark.parametrize(
    "system", [Pendulum(damping=0.0), Duffing(damping=0.0), CartPole(friction=0.0)]
)
def test_without_friction_the_film_may_run_backwards(system):
    state = jnp.array([0.3, 1.2, -0.7, 2.0][: len(system.start_bound())])
    assert classical_violation(system, state, PUSH) < 1e-5
    assert extended_violation(system, state, PUSH) < 1e-5


def test_friction_breaks_classical_symmetry_by_twice_what_it_takes():
    state = jnp.array([0.3, 2.0])
    for damping in (0.01, 0.1):
        system = Pendulum(damping=damping)
        # the way back loses c·ω·dt where it ought to gain it
        expected = 2 * damping * 2.0 * system.dt
        assert classical_violation(system, state, PUSH) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("system", [Pendulum(damping=2.0), VanDerPol(), CartPole(friction=3.0)])
def test_a_step_with_friction_can_be_undone_under_the_same_action_only(system):
    state = jnp.array([0.3, 1.2, -0.7, 2.0][: len(system.start_bound())])
    assert extended_violation(system, state, PUSH) < 1e-5
    after = state + (undo(system, state, PUSH) - state)
    there = jnp.linalg.norm(undo(system, after, -PUSH) - undo(system, after, PUSH))
    assert there > 1e-3


@pytest.mark.parametrize(("damping", "undoing", "returns"), [
    (0.0, False, True), (0.0, True, True), (1.0, False, False), (1.0, True, True),
])  # fmt: skip
def test_the_way_back_leads_to_the_start(damping, undoing, returns):
    actions = jr.uniform(jr.key(3), (20, 1), minval=-1.0)
    start = jnp.array([0.5, 2.0])
    there, back = there_and_back(Pendulum(damping=damping), start, actions, undoing=undoing)
    np.testing.assert_array_equal(there[0], start)
    np.testing.assert_allclose(back[0], there[-1])
    assert there.shape == back.shape == (21, 2)
    if returns:
        np.testing.assert_allclose(back, there[::-1], atol=2e-4)
    else:
        assert jnp.linalg.norm(back[-1] - start) > 0.3


def test_undoing_friction_stretches_the_state_space():
    system = Pendulum(damping=1.0)
    slope = jax.jacfwd(lambda s: undo(system, s, PUSH))(jnp.array([0.3, 1.2]))
    np.testing.assert_allclose(np.linalg.det(slope), np.exp(system.dt), rtol=1e-4)


@pytest.fixture(scope="module")
def fitted():
    """A model whose f is far from the truth, and the transitions."""
    keys = jr.split(jr.key(1), 2)
    obs = jr.normal(keys[0], (64, 3))
    action = jr.uniform(keys[1], (64, 1), minval=-1.0)
    rows = Transitions(obs, action, jnp.zeros(64), obs + 0.5 * obs[:, ::-1], jnp.zeros(64, bool))
    model = TDM(3, 1, encoder_widths=(16,), dynamics_widths=(32, 32),
                activation=jax.nn.silu, key=jr.key(0))  # fmt: skip
    last = lambda m: (m.encoder.layers[-1].weight, m.forward.layers[-1].weight)
    encoder, forward = last(model)
    return eqx.tree_at(last, model, (8 * encoder, 20 * forward)), rows


def test_a_table_satisfies_equation_7_and_the_monitor_sees_it(fitted):
    model, rows = fitted
    found = measure(memorise(model, rows), rows)
    assert found["loss/symmetry"] < 1e-8
    assert found["reverse_contradiction"] == pytest.approx(1.0, abs=1e-6)
    latent = model.encode(rows.obs[3], rows.action[3])
    table = memorise(model, rows)
    away = latent.moved(model.forward_rate(latent) + 1e-3)
    np.testing.assert_array_equal(table.reverse_rate(away), np.zeros(3))


def test_a_wrong_forward_model_lets_a_trained_reverse_model_deceive(fitted):
    model, rows = fitted
    before = measure(model, rows)
    found = measure(deceive(model, rows, num_updates=1000, key=jr.key(2)), rows)
    rate = found["loss/at_next"] / found["reverse_contradiction"]  # the mean of |f|²
    assert found["loss/symmetry"] < 0.1 * rate
    assert found["reverse_contradiction"] > 0.5
    assert found["loss/forward"] == pytest.approx(before["loss/forward"])  # f is as it was
