"""Problems whose best plan is known: the planner must find it, through the models' interface."""

from __future__ import annotations

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.linalg

from tests.planning.linear import act, dense_model, koopman_model
from toolkit.planning import MPPI, ModelProblem, PlanningPolicy

A = np.array([[0.98, 0.2], [-0.2, 0.95]])
B = np.array([[0.0], [0.2]])
STATE_COST, ACTION_COST = 1.0, 0.5
PRECISE = MPPI(horizon=12, iterations=12, min_std=0.02)
"""As published but for the horizon, more iterations and a finer end."""


def quadratic(states, actions):
    """−(s'ᵀs' + ½·aᵀa)."""
    return -STATE_COST * jnp.sum(states**2, 1) - ACTION_COST * jnp.sum(actions**2, 1)


def lqr_cost(start):
    """The least cost for ever, and the feedback that has it (SciPy's Riccati solution)."""
    weights = STATE_COST * np.eye(2), ACTION_COST * np.eye(1)
    P = scipy.linalg.solve_discrete_are(A, B, *weights)
    gain = np.linalg.solve(weights[1] + B.T @ P @ B, B.T @ P @ A)
    return start @ P @ start, gain


@pytest.mark.parametrize("make", [dense_model, koopman_model])
@pytest.mark.parametrize("executes", ["elite", "mean"])
def test_a_linear_system_with_quadratic_cost_is_controlled_as_riccati_says(make, executes):
    start = np.array([1.0, 0.3])
    best, gain = lqr_cost(start)
    assert np.abs(gain @ start) < 1  # the bounds of the actions do not bind
    planner = MPPI(**{**vars(PRECISE), "executes": executes})
    policy = PlanningPolicy(
        ModelProblem(model=make(A, B), action_dim=1, objective=quadratic), planner
    )
    states, actions = act(policy, A, B, start, 60, key=jr.key(0))
    cost = STATE_COST * np.sum(states**2) + ACTION_COST * np.sum(actions**2)
    assert np.abs(states[-1]).max() < 0.05
    assert best * 0.999 < cost < best * 1.02


def test_a_double_integrator_goes_farthest_by_full_speed_ahead_then_full_brake():
    """x'' = a from rest to rest in 2·n steps of one: the farthest point is n², by ±1 only."""
    half = 5
    A, B = np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([[0.5], [1.0]])

    def farthest_at_rest(states, actions):
        last = jnp.arange(2 * half) == 2 * half - 1
        return jnp.where(last, states[:, 0] - 100.0 * states[:, 1] ** 2, 0.0)

    problem = ModelProblem(model=dense_model(A, B), action_dim=1, objective=farthest_at_rest)
    planner = MPPI(
        horizon=2 * half, samples=1024, elites=128, iterations=20, max_std=1.0, min_std=0.01
    )
    plan = planner.plan(problem, problem.start(jnp.zeros(2)), jnp.zeros((10, 1)), key=jr.key(1))
    assert half**2 * 0.97 < float(plan.value) <= half**2 + 1e-3
    np.testing.assert_array_equal(np.sign(plan.mean[:, 0]), [1.0] * half + [-1.0] * half)


def test_a_cliff_in_the_reward_is_approached_and_not_crossed():
    """Reward s up to the edge at 1 and −10 beyond, so gradients know nothing of the edge.

    From 0 by steps of at most 0.2 the best is 0.2, 0.4, …, 1, 1, 1.
    """
    A, B = np.eye(1), np.full((1, 1), 0.2)

    def cliff(states, actions):
        return jnp.where(states[:, 0] <= 1.0, states[:, 0], -10.0)

    planner = MPPI(horizon=4, samples=1024, elites=32, iterations=12)
    policy = PlanningPolicy(
        ModelProblem(model=dense_model(A, B), action_dim=1, objective=cliff), planner
    )
    states, _ = act(policy, A, B, np.zeros(1), 8, key=jr.key(2))
    best = np.minimum(0.2 * np.arange(1, 9), 1.0).sum()
    assert states.max() <= 1.0 + 1e-6
    assert best * 0.98 < states.sum() <= best + 1e-6


def test_a_plan_that_is_kept_needs_fewer_samples_than_a_new_one():
    """From the shifted mean one small iteration does at least as well as from nothing."""
    problem = ModelProblem(model=dense_model(A, B), action_dim=1, objective=quadratic)
    start = jnp.array([1.0, 0.5])
    good = PRECISE.plan(problem, start, PRECISE.fresh_mean(1), key=jr.key(0))
    after = jnp.asarray(A @ np.asarray(start) + B @ np.asarray(good.mean[0]), jnp.float32)
    quick = MPPI(**{**vars(PRECISE), "iterations": 1, "samples": 64, "max_std": 0.05})
    value = lambda mean: float(quick.plan(problem, after, mean, key=jr.key(1)).value)
    best, _ = lqr_cost(np.asarray(after, float))
    best -= float(STATE_COST * np.sum(np.asarray(after) ** 2))  # the start's own cost is no reward
    assert -1.05 * best < value(good.shifted())
    assert value(PRECISE.fresh_mean(1)) < -1.2 * best
