"""The planner's X-ray over its controls, and the episode that it looks into."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data.systems import Pendulum, advance
from toolkit.dynamics import Heads
from toolkit.planning import MPPI, ModelProblem, PlanningPolicy
from toolkit.planning.control import control
from toolkit.spectral import KoopmanDynamics, Spectrum
from toolkit.widgets.explorer import Explorer
from toolkit.widgets.planning import PlanView, explore_plan

SYSTEM, STEPS, HORIZON = Pendulum(), 4, 5
PLANNER = MPPI(horizon=HORIZON, samples=24, elites=4, iterations=3, max_std=1.0)


def angle(obs):
    return jnp.arctan2(obs[1], obs[0])


@pytest.fixture(scope="module")
def policy():
    keys = jr.split(jr.key(0), 3)
    model = KoopmanDynamics(
        Heads(3, 8, hidden=8, key=keys[0]), Spectrum(4, key=keys[1]), 3, 1, action_hidden=4,
        key=keys[2],
    )  # fmt: skip
    return PlanningPolicy(ModelProblem(model=model, action_dim=1, discount=0.9), PLANNER)


@pytest.fixture(scope="module")
def episode(policy):
    return control(SYSTEM, policy, jnp.array([0.3, 0.0]), STEPS, key=jr.key(1))


def test_an_episode_is_what_the_system_does_under_the_actions(policy, episode):
    assert episode.states.shape == (STEPS + 1, 2) and episode.actions.shape == (STEPS, 1)
    assert np.abs(episode.actions).max() <= 1.0
    for at in range(STEPS):
        after = advance(SYSTEM, episode.states[at], episode.actions[at])
        np.testing.assert_allclose(episode.states[at + 1], after, atol=1e-5)
        reward = SYSTEM.reward(episode.states[at], episode.actions[at])
        assert float(episode.rewards[at]) == pytest.approx(float(reward), abs=1e-5)
    np.testing.assert_allclose(episode.obs[-1], SYSTEM.observe(episode.states[-1]), atol=1e-6)


def test_each_decision_can_be_made_again(policy, episode):
    for at in (0, STEPS - 1):
        memory = jax.tree.map(lambda each, at=at: each[at], episode.memories)
        action, _ = policy(episode.obs[at], memory, key=episode.keys[at])
        np.testing.assert_allclose(jnp.clip(action, -1, 1), episode.actions[at], atol=1e-5)


def test_the_x_ray_shows_the_plan_that_was_acted_on(policy, episode):
    view = PlanView(SYSTEM, policy, episode, angle)
    figure = view(1, PLANNER.iterations)
    curves = {trace.name: trace for trace in figure.data if trace.name}
    start = float(angle(episode.obs[1]))
    for name in ("the plan, as believed", "what happened"):
        assert curves[name].y[0] == pytest.approx(start, abs=1e-3)
        assert len(curves[name].y) == HORIZON + 1
    memory = episode.memories[2]  # the mean of the plan at step 1, one step on
    mean = view._plan(1).mean[-1]
    np.testing.assert_allclose(memory[:-1], mean[1:], atol=1e-5)
    state = episode.states[1]
    for action, seen in zip(mean, curves["what happened"].y[1:], strict=True):
        state = advance(SYSTEM, state, action)
        assert seen == pytest.approx(float(state[0]), abs=1e-3)


def test_it_explores_at_both_ends_of_both_sliders(policy, episode):
    explorer = explore_plan(SYSTEM, policy, episode, angle, step=2, goal=np.pi)
    assert isinstance(explorer, Explorer)
    for name, ends in {"step": (0, STEPS - 1), "iteration": (1, PLANNER.iterations)}.items():
        for value in ends:
            explorer.controls[name].value = value
            assert explorer.error == "", explorer.error
            title = explorer.figure.widget.layout.title.text
            assert title.startswith(f"Step {explorer.controls['step'].value}, iteration ")
