"""The online loop: what is collected, when updates begin, and that a resumed run is the same."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.training.line import LIMIT, Counter, Line
from toolkit.agents.sac import SAC
from toolkit.envs import make_envs
from toolkit.errors import UserError
from toolkit.training import TrainingDiverged
from toolkit.training.online import Schedule, init_online, train_online


def run(agent, steps, *, envs=None, state=None, seed=0):
    envs = envs or Line(agent.num_envs)
    state = state or init_online(agent, envs, seed=seed)
    return list(train_online(agent, state, envs, seed=seed, num_env_steps=steps))


def rows_of(state):
    replay = state.replay
    return np.asarray(replay.rows)[: int(replay.count)]


def test_a_round_has_about_the_target_number_of_updates():
    assert Schedule.of(Counter(num_envs=2, updates_per_step=1.0)) == Schedule(32, 64)
    assert Schedule.of(SAC(num_envs=16, updates_per_step=0.25)) == Schedule(16, 64)
    assert Schedule.of(Counter(num_envs=128, updates_per_step=1.0)) == Schedule(1, 128)


@pytest.mark.parametrize(
    ("agent", "sentence"),
    [
        (Counter(num_envs=0), "`num_envs` must be at least 1, got 0"),
        (Counter(updates_per_step=0.0), "`updates_per_step` must be positive"),
        (Counter(num_envs=3, updates_per_step=0.37), "not a whole number"),
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused(agent, sentence):
    with pytest.raises(UserError, match=sentence):
        Schedule.of(agent)


def test_the_first_steps_are_uniform_and_without_updates():
    state, happened = run(Counter(random_steps=65), 128)[-1]
    assert int(state.agent.update_count) == 0
    assert happened.metrics == {}
    actions = rows_of(state)[:, 1]
    assert actions.min() < -0.8 and actions.max() > 0.8 and len(set(actions)) == len(actions)


def test_the_policy_acts_then_updates_follow_and_counts_agree():
    agent = Counter(random_steps=64)
    state, happened = run(agent, 128)[-1]
    assert int(state.env_steps) == 128
    assert int(state.agent.update_count) == 64 == len(happened.metrics["total"])


def test_what_the_replay_holds_is_what_happened():
    """The policy's memory starts anew with each episode, and successors are the true ones."""
    agent = Counter(random_steps=1, num_envs=2)
    state, happened = run(agent, 128)[-1]
    rows = rows_of(state)[64:]  # of the counting policy; obs, action, next_obs, reward, terminal
    copy = rows[::2]
    np.testing.assert_allclose(copy[:, 0] + copy[:, 1], copy[:, 2], atol=1e-6)
    np.testing.assert_array_equal(copy[:, 3], copy[:, 2])
    begin = int(np.flatnonzero(copy[:, 1] == 0)[1])  # the first whole episode
    np.testing.assert_allclose(copy[begin : begin + LIMIT, 1], 0.1 * np.arange(LIMIT), atol=1e-6)
    np.testing.assert_allclose(copy[begin + LIMIT, 0], 0)
    assert not copy[begin : begin + LIMIT, 4].any()  # the time was up: nothing fell
    assert happened.lengths[-1] == LIMIT
    assert happened.returns[-1] == pytest.approx(0 + 0.1 + 0.3 + 0.6 + 1.0, abs=1e-5)


@pytest.mark.parametrize("stop", [64, 192])
def test_a_resumed_run_equals_an_unbroken_one(stop):
    agent = Counter(random_steps=65)
    whole = run(agent, 320)[-1][0]
    envs = Line(agent.num_envs)
    half = run(agent, stop, envs=envs)[-1][0]
    again = Line(agent.num_envs)
    again.restore(envs.snapshot())
    resumed = run(agent, 320, envs=again, state=half)[-1][0]
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_is_another_run():
    totals = {float(run(Counter(), 128, seed=seed)[-1][0].agent.total) for seed in (0, 1)}
    assert len(totals) == 2


def test_an_interruption_leaves_the_yielded_state_usable():
    class Interrupted(Line):
        countdown = 40

        def _advance(self, action):
            self.countdown -= 1
            if self.countdown == 0:
                raise KeyboardInterrupt
            return super()._advance(action)

    agent, envs = Counter(), Interrupted(2)
    kept = init_online(agent, envs, seed=0)
    try:
        rounds = train_online(agent, kept, envs, seed=0, num_env_steps=10_000)
        for newest, _ in rounds:
            kept = newest
    except KeyboardInterrupt:
        pass
    assert envs.countdown == 0
    assert int(kept.env_steps) == 64
    state, _ = run(agent, 256, envs=envs, state=kept)[-1]
    assert int(state.env_steps) == 256


def test_a_metric_that_is_not_finite_stops_the_training_by_name():
    with pytest.raises(TrainingDiverged, match="before update 128: metric `total` is not finite"):
        run(Counter(breaks_at=100), 512)


def test_sac_learns_in_a_robot_through_the_loop_and_resumes_bit_for_bit():
    agent = SAC(hidden=16, batch_size=16, num_envs=4, random_steps=64, replay_capacity=512)

    def fresh():
        return make_envs("Hopper-v4", 4, seed=3, threads=1)

    whole = run(agent, 256, envs=fresh(), seed=3)[-1][0]
    envs = fresh()
    half = run(agent, 128, envs=envs, seed=3)[-1][0]
    again = fresh()
    again.restore(envs.snapshot())
    resumed = run(agent, 256, envs=again, state=half, seed=3)[-1][0]
    assert int(whole.agent.update_count) == 192
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    policy = agent.policy(whole.agent, explore=False)
    assert jnp.abs(policy(jnp.zeros(11), None, key=jax.random.key(0))[0]).max() < 1
