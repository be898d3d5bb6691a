"""The planner's parts from their equations, and the model behind it."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.planning.linear import dense_model
from toolkit.data import Normaliser
from toolkit.dynamics import Heads
from toolkit.dynamics.gru import GRUDynamics
from toolkit.dynamics.mlp import MLPDynamics
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics
from toolkit.planning import MPPI, AbstractProblem, ModelProblem, PlanningPolicy
from toolkit.planning.mppi import elite_weights, weighted_moments
from toolkit.spectral import KoopmanDynamics, Spectrum

OBS, ACTION, HORIZON, COUNT = 3, 2, 6, 4
SMALL = MPPI(horizon=HORIZON, samples=32, elites=8, iterations=3)


class Sum(AbstractProblem):
    """The value of a sequence is the sum of its actions that count, less its distance from 0.3."""

    action_dim: int = 1

    def start(self, obs):
        return obs

    def values(self, start, actions, length):
        counted = jnp.arange(len(actions)) < length
        return -jnp.sum(jnp.where(counted[:, None], jnp.abs(actions[..., 0] - 0.3), 0.0), axis=0)


class Proposing(Sum):
    """It knows the answer, and proposes it."""

    def proposals(self, start, horizon, count, *, key):
        return jnp.full((horizon, count, 1), 0.3)


def models():
    keys = jr.split(jr.key(0), 4)
    heads = lambda size: Heads(OBS, size, hidden=8, reward_mean=2.0, reward_std=0.5, key=keys[0])
    options = {"action_hidden": 8, "key": keys[1]}
    return {
        "koopman": KoopmanDynamics(heads(8), Spectrum(4, key=keys[2]), OBS, ACTION, **options),
        "koopman in pieces": KoopmanDynamics(
            heads(8), Spectrum(4, key=keys[2]), OBS, ACTION, reencode_every=2, **options
        ),
        "mlp": MLPDynamics(heads(8), OBS, ACTION, 8, 16, **options),
        "gru": GRUDynamics(heads(8), OBS, ACTION, 8, **options),
    }


def test_the_elites_weights():
    values = np.array([1.0, 3.0, -2.0])
    expected = np.exp(0.5 * (values - 3.0))
    expected /= expected.sum()
    found = elite_weights(jnp.asarray(values, jnp.float32), 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_elites_moments():
    rng = np.random.default_rng(0)
    elites, weights = rng.normal(size=(3, 5, 2)), rng.dirichlet(np.ones(5))
    mean, std = weighted_moments(*(jnp.asarray(x, jnp.float32) for x in (elites, weights)))
    expected = np.tensordot(weights, elites, (0, 1))
    spread = np.tensordot(weights, (elites - expected[:, None]) ** 2, (0, 1)) ** 0.5
    np.testing.assert_allclose(mean, expected, rtol=1e-5)
    np.testing.assert_allclose(std, spread, rtol=1e-5)


@pytest.mark.parametrize("name", models())
def test_a_model_says_what_its_candidates_are_worth(name):
    """Σ γᵗ·r̂ₜ of the sequence by itself, in NumPy; only the first actions count if told so."""
    model, start = models()[name], jnp.array([0.5, -1.0, 2.0])
    actions = jnp.tanh(jr.normal(jr.key(3), (HORIZON, COUNT, ACTION)))
    problem = ModelProblem(model=model, action_dim=ACTION, discount=0.9)
    for length in (HORIZON, 4):
        found = eqx.filter_jit(problem.values)(start, actions, jnp.asarray(length))
        for candidate in range(COUNT):
            reward = np.asarray(model.predict(start, actions[:, candidate]).reward, float)
            expected = np.sum(0.9 ** np.arange(length) * reward[:length])
            np.testing.assert_allclose(found[candidate], expected, rtol=1e-5)


def test_a_trained_model_is_planned_with_in_the_units_of_its_data():
    model, normaliser = models()["mlp"], Normaliser(jnp.array([1.0, 2.0, 3.0]), jnp.full(3, 0.5))
    start, actions = jnp.array([0.5, -1.0, 2.0]), jnp.zeros((HORIZON, 1, ACTION))
    length = jnp.asarray(HORIZON)
    raw = ModelProblem(model=TrainedDynamics(model, normaliser), action_dim=ACTION).values(
        start, actions, length
    )
    plain = ModelProblem(model=model, action_dim=ACTION).values(
        normaliser.normalise(start), actions, length
    )
    np.testing.assert_allclose(raw, plain, rtol=1e-6)


def test_the_best_known_sequence_is_found_and_the_proposals_compete():
    mean, key = SMALL.fresh_mean(1), jr.key(0)
    plan = SMALL.plan(Proposing(), jnp.zeros(1), mean, key=key)
    assert float(plan.value) == pytest.approx(0.0, abs=1e-5)
    alone = SMALL.plan(Sum(), jnp.zeros(1), mean, key=key)
    assert -2.0 < float(alone.value) < -0.05


def test_the_iterations_show_what_was_fitted_to_what():
    found = SMALL.iterate(Proposing(), jnp.zeros(1), SMALL.fresh_mean(1), key=jr.key(0))
    assert found.candidates.shape == (3, HORIZON, 32 + 25, 1)
    old = np.zeros((HORIZON, 1))
    for at in range(3):
        candidates, values = np.asarray(found.candidates[at]), np.asarray(found.values[at])
        np.testing.assert_allclose(values, -np.abs(candidates[..., 0] - 0.3).sum(0), atol=1e-5)
        best = np.sort(values)[::-1][:8]
        np.testing.assert_allclose(values[found.elites[at]], best, atol=1e-6)
        weights = np.exp(0.5 * (best - best[0])) / np.exp(0.5 * (best - best[0])).sum()
        np.testing.assert_allclose(found.weights[at], weights, rtol=1e-4)
        centre = np.einsum("e,hea->ha", weights, candidates[:, np.asarray(found.elites[at])])
        old = 0.1 * old + 0.9 * centre
        np.testing.assert_allclose(found.mean[at], old, atol=1e-4)
    assert float(found.std.min()) == pytest.approx(SMALL.min_std)
    plan = SMALL.plan(Proposing(), jnp.zeros(1), SMALL.fresh_mean(1), key=jr.key(0))
    np.testing.assert_array_equal(plan.mean, found.mean[-1])


def test_a_short_length_leaves_the_rest_of_the_plan_at_zero():
    plan = SMALL.plan(Sum(), jnp.zeros(1), jnp.ones((6, 1)), key=jr.key(0), length=jnp.asarray(2))
    assert np.abs(plan.mean[:2]).min() > 0
    np.testing.assert_array_equal(plan.mean[2:], 0.0)


def test_the_floor_of_the_spread_and_the_noise_of_exploring():
    planner = dataclasses.replace(SMALL, iterations=12, executes="mean")
    given = (Sum(), jnp.zeros(1), SMALL.fresh_mean(1))
    plans = jax.vmap(lambda key: planner.plan(*given, key=key, min_std=jnp.float32(0.2)))
    still = plans(jr.split(jr.key(0), 200))
    assert still.std.min() == jnp.float32(0.2) and still.std.max() < 0.25
    np.testing.assert_array_equal(still.action, still.mean[:, 0])
    noisy = jax.vmap(
        lambda key: planner.plan(*given, key=key, min_std=jnp.float32(0.2), explore=True)
    )(jr.split(jr.key(0), 200))
    assert float(jnp.std(noisy.action - noisy.mean[:, 0])) == pytest.approx(0.2, rel=0.2)


def test_the_executed_action_begins_an_elite_sequence():
    """The only good first action is 0.3, and only the proposals have it exactly."""
    planner = dataclasses.replace(SMALL, temperature=1e4)
    plan = planner.plan(Proposing(), jnp.zeros(1), SMALL.fresh_mean(1), key=jr.key(0))
    assert float(plan.action[0]) == pytest.approx(0.3, abs=1e-6)
    assert float(plan.action[0]) != float(plan.mean[0, 0])


def test_a_sequence_on_which_the_model_runs_away_is_never_an_elite():
    class Fragile(Sum):
        def values(self, start, actions, length):
            found = super().values(start, actions, length)
            return jnp.where(actions[0, :, 0] > 0.2, jnp.nan, found)

    plan = SMALL.plan(Fragile(), jnp.zeros(1), SMALL.fresh_mean(1), key=jr.key(0))
    assert float(plan.action[0]) <= 0.2 and np.isfinite(plan.mean).all()


def test_the_memory_of_a_policy_is_the_mean_a_step_on():
    problem = ModelProblem(model=dense_model(np.eye(1), np.ones((1, 1))), action_dim=1,
                           objective=lambda states, actions: -states[:, 0] ** 2)  # fmt: skip
    policy = PlanningPolicy(problem, SMALL)
    np.testing.assert_array_equal(policy.memory(), 0.0)
    obs, key = jnp.ones(1), jr.key(0)
    action, memory = policy(obs, policy.memory(), key=key)
    plan = SMALL.plan(problem, obs, policy.memory(), key=key)
    np.testing.assert_array_equal(action, plan.action)
    np.testing.assert_array_equal(memory[:-1], plan.mean[1:])
    np.testing.assert_array_equal(memory[-1], 0.0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"horizon": 0}, "`horizon` must be at least 1, got 0"),
        ({"samples": 0}, "`samples` must be at least 1"),
        ({"elites": 33}, "`elites` must be at most `samples` 32, got 33"),
        ({"min_std": 3.0}, "`min_std` must lie above 0 and not above `max_std` 2, got 3"),
        ({"momentum": 1.0}, r"`momentum` must lie in \[0, 1\), got 1"),
    ],
)
def test_settings_that_no_plan_can_be_made_with(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        dataclasses.replace(SMALL, **changes).check()
