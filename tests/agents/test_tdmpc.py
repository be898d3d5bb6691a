"""TD-MPC as an agent: one update, its schedules, the loop, and a task that it learns."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.training.line import Line
from toolkit.agents.tdmpc import TDMPC, KoopmanTDMPC
from toolkit.bench.products import flops, products_of
from toolkit.data import Transitions
from toolkit.envs.interface import EnvSpec
from toolkit.errors import UserError
from toolkit.training.online import init_online, train_online

SMALL = {
    "latent": 4, "hidden": 8, "encoder_hidden": 8, "horizon": 3, "batch_size": 8, "samples": 16,
    "proposals": 2, "elites": 4, "iterations": 2, "num_envs": 2, "random_steps": 64,
    "learning_rate": 1e-2, "replay_capacity": 256, "schedule_steps": 200,
}  # fmt: skip
SPEC = EnvSpec("Some-v0", 3, 2, 100)


@pytest.fixture(params=[TDMPC, KoopmanTDMPC], ids=["told", "koopman"])
def agent(request):
    return request.param(**SMALL)


def replay_of(agent, rows=64):
    keys = jr.split(jr.key(1), 3)
    obs = jr.normal(keys[0], (rows + 2, 3))  # copies take turns, and go on in their next row
    action, reward = jnp.tanh(jr.normal(keys[1], (rows, 2))), jr.normal(keys[2], (rows,))
    steps = Transitions(obs[:-2], action, reward, obs[2:], jnp.zeros(rows, bool))
    return agent.observe(agent.empty_replay(SPEC, rows), steps)


@eqx.filter_jit
def one_update(agent, state, replay):
    batch = agent.sample(replay, key=jr.key(2))
    state, metrics = agent.update(state, batch, key=jr.key(3))
    return state, metrics, agent.reprioritise(replay, batch, state), batch


def test_an_update_moves_everything_once(agent):
    state, replay = agent.init(SPEC, key=jr.key(0)), replay_of(agent)
    after, metrics, priorities, batch = one_update(agent, state, replay)
    assert int(after.update_count) == 1
    assert all(np.isfinite(value) for value in metrics.values())
    for before, now in [(state.model, after.model), (state.policy, after.policy)]:
        moved = [
            float(jnp.abs(a - b).max())
            for a, b in zip(*map(jax.tree.leaves, (before, now)), strict=True)
            if eqx.is_inexact_array(a)
        ]
        assert max(moved) == pytest.approx(agent.learning_rate, rel=0.01)  # Adam's first step
    expected = np.asarray(replay.priorities).copy()
    expected[np.asarray(batch.index)] = (np.asarray(after.errors) + 1e-6) ** 0.6
    np.testing.assert_allclose(priorities, expected, rtol=1e-5)


def test_the_target_follows_every_second_update(agent):
    replay = replay_of(agent)
    states = [agent.init(SPEC, key=jr.key(0))]
    for _ in range(2):
        states.append(one_update(agent, states[-1], replay)[0])
    first, second, third = (state.target.encoder.layers[0].weight for state in states)
    online = states[1].model.encoder.layers[0].weight
    np.testing.assert_allclose(second, 0.99 * first + 0.01 * online, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(third, second)


def test_chosen_steps_spare_the_others():
    agent = KoopmanTDMPC(**SMALL | {"horizon": 6}, decoded_steps=2, modes=4, lifted=False)
    steps = agent.choose_steps(jr.key(0))
    assert steps is not None and steps.at.shape == (2,)
    everything = dataclasses.replace(agent, decoded_steps=0)
    assert everything.choose_steps(jr.key(0)) is None

    def work_of(agent):
        given = agent.init(SPEC, key=jr.key(0)), replay_of(agent)
        return flops(products_of(eqx.filter_make_jaxpr(one_update)(agent, *given)[0]))

    assert work_of(agent) < 0.65 * work_of(everything)


@pytest.mark.parametrize("decoded_steps", [0, 1])
def test_losses_fall_on_the_same_batch(agent, decoded_steps):
    agent = dataclasses.replace(agent, decoded_steps=decoded_steps)
    state, replay = agent.init(SPEC, key=jr.key(0)), replay_of(agent)
    found = []
    for _ in range(60):
        state, metrics, *_ = one_update(agent, state, replay)
        found.append(float(metrics["loss/reward"]))
    assert found[-1] < 0.5 * found[0]


def test_the_schedules(agent):
    """From 1 step and 0.5 to all and 0.05, over the steps that were taken: random ones first."""
    agent = dataclasses.replace(agent, horizon=5, random_steps=50, updates_per_step=0.5)
    for updates, length, floor in [(0, 2, 0.3875), (25, 3, 0.275), (75, 5, 0.05), (500, 5, 0.05)]:
        found = agent.schedule(jnp.asarray(updates))
        assert int(found[0]) == length and float(found[1]) == pytest.approx(floor, rel=1e-5)


def test_fewer_steps_may_be_planned_than_are_unrolled(agent):
    agent = dataclasses.replace(agent, horizon=6, plan_horizon=2)
    state, replay = agent.init(SPEC, key=jr.key(0)), replay_of(agent)
    assert len(agent.sample(replay, key=jr.key(2)).valid) == 6
    policy = agent.policy(state, explore=False)
    assert policy.memory().shape == (2, 2) and policy.planner.horizon == 2
    assert int(agent.schedule(jnp.asarray(10**6))[0]) == 2
    both = dataclasses.replace(agent, plan_horizon=0)
    assert both.planner().horizon == 6 and int(both.schedule(jnp.asarray(10**6))[0]) == 6


def test_it_learns_in_the_loop_and_resumes_bit_for_bit(agent):
    def run(steps, envs, state):
        return list(train_online(agent, state, envs, seed=0, num_env_steps=steps))[-1][0]

    agent = dataclasses.replace(agent, horizon=2)
    envs = Line(2)
    whole = run(256, envs, init_online(agent, envs, seed=0))
    assert int(whole.agent.update_count) == 192
    priorities = np.asarray(whole.replay.priorities)
    assert len(np.unique(priorities)) > 20  # updates reached the replay
    envs = Line(2)
    half = run(128, envs, init_online(agent, envs, seed=0))
    again = Line(2)
    again.restore(envs.snapshot())
    resumed = run(256, again, half)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


class Reach(Line):
    """The same point, rewarded for being near 1; it never falls and always starts at 0."""

    def _advance(self, action):
        obs, after = self.obs.copy(), np.clip(self.obs + 0.5 * action, -1.4, 1.4)
        self.elapsed += 1
        ended = self.elapsed >= 5
        self.obs = np.where(ended[:, None], 0, after).astype(np.float32)
        self.elapsed[ended] = 0
        reward = (1 - np.abs(after[:, 0] - 1)).astype(np.float32)
        return dataclasses.replace(
            steps_of(obs, action, reward, after.astype(np.float32)), timeout=ended
        )


def steps_of(obs, action, reward, after):
    from toolkit.envs.interface import Steps

    no = np.zeros(len(obs), bool)
    return Steps(obs, action, reward, after, no, no)


@pytest.mark.parametrize("kind", [TDMPC, KoopmanTDMPC])
def test_a_point_learns_to_go_to_its_goal(kind):
    """From 0 by at most a half a step: the best return of five steps is 0.5 + 4 · 1, and going
    ahead without end has 3.3.
    """
    agent = kind(
        latent=8, hidden=32, encoder_hidden=32, horizon=3, batch_size=64, samples=32, proposals=4,
        elites=8, iterations=4, num_envs=4, updates_per_step=0.5, random_steps=256,
        replay_capacity=4096, schedule_steps=500, learning_rate=3e-3,
    )  # fmt: skip
    envs = Reach(4)
    *_, (state, _) = train_online(
        agent, init_online(agent, envs, seed=0), envs, seed=0, num_env_steps=1536
    )
    policy, obs, total = agent.policy(state.agent, explore=False), np.zeros(1), 0.0
    memory = policy.memory()
    for step in range(5):
        action, memory = policy(jnp.asarray(obs, jnp.float32), memory, key=jr.key(step))
        obs = np.clip(obs + 0.5 * np.asarray(action), -1.4, 1.4)
        total += 1 - abs(obs[0] - 1)
    assert total > 3.9


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"horizon": 101}, "`horizon` must not exceed the 100 steps of an episode of Some-v0, got"),
        (
            {"decoded_steps": 4},
            "`decoded_steps` must lie in 0..3, the steps of `horizon`, got 4",
        ),
        ({"elites": 17}, "`elites` must be at most `samples` 16, got 17"),
    ],
)
def test_settings_that_cannot_be_meant(agent, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        dataclasses.replace(agent, **changes).init(SPEC, key=jr.key(0))


def test_a_replay_must_hold_a_sequence(agent):
    agent = dataclasses.replace(agent, replay_capacity=4)
    with pytest.raises(UserError, match="must hold a sequence of `horizon` 3 steps of 2 copies"):
        agent.empty_replay(SPEC, 4)
