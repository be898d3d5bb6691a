"""The batched robots do what Gymnasium's do, and can be stopped and continued."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from toolkit.envs import ROBOTS, AbstractEnvs, BatchedRobots, EnvSpec, GymnasiumEnvs, Steps
from toolkit.envs.batched import Physics
from toolkit.errors import UserError

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")

SHORT = dataclasses.replace(ROBOTS["hopper"], max_episode_steps=12)


def actions(envs, num_steps, seed=0):
    shape = (num_steps, envs.num_envs, envs.spec.action_dim)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def stream(envs, chosen):
    """Everything that steps return, one row per step and copy."""
    names = [field.name for field in dataclasses.fields(Steps)]
    rows = []
    for action in chosen:
        steps = envs.step(action)
        rows.append([getattr(steps, name).reshape(envs.num_envs, -1) for name in names])
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


@pytest.mark.parametrize("name", ROBOTS)
def test_a_step_is_gymnasiums_step(name):
    robot = ROBOTS[name]
    theirs = GymnasiumEnvs(robot.env_id, 1, seed=3)
    physics, data = Physics(robot, threads=1), theirs._envs[0].unwrapped.data
    falls = 0
    for action in actions(theirs, 300):
        before = data.qpos[None].copy(), data.qvel[None].copy()
        steps = theirs.step(action)
        qpos, qvel = physics.step(*before, action)
        np.testing.assert_allclose(robot.observe(qpos, qvel), steps.next_obs, atol=1e-5, rtol=1e-5)
        reward = robot.reward(before[0][:, 0], qpos[:, 0], action, physics.dt)
        np.testing.assert_allclose(reward, steps.reward, atol=1e-5)
        np.testing.assert_array_equal(robot.fallen(qpos, qvel), steps.terminal)
        falls += int(steps.terminal[0])
    assert physics.dt == theirs.spec.dt
    assert (falls > 0) == robot.falls
    physics.close()
    theirs.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_a_first_state_is_gymnasiums_number_for_number(name):
    robot = ROBOTS[name]
    theirs = GymnasiumEnvs(robot.env_id, 1)
    for seed in range(3):
        obs, _ = theirs._envs[0].reset(seed=seed)
        qpos, qvel = robot.reset(robot.model(), np.random.Generator(np.random.PCG64(seed)))
        np.testing.assert_array_equal(robot.observe(qpos[None], qvel[None])[0], obs)
    theirs.close()


@pytest.mark.parametrize("name", ROBOTS)
def test_the_spec_is_gymnasiums(name):
    ours, theirs = BatchedRobots(ROBOTS[name], 1, threads=1), GymnasiumEnvs(ROBOTS[name].env_id, 1)
    assert ours.spec == theirs.spec
    ours.close()
    theirs.close()


def test_a_fall_keeps_its_true_successor_and_begins_anew():
    envs = BatchedRobots(ROBOTS["hopper"], 4, threads=1)
    fallen = 0
    for action in actions(envs, 120):
        before = envs.obs.copy()
        steps = envs.step(action)
        np.testing.assert_array_equal(steps.obs, before)
        np.testing.assert_array_equal(steps.action, action)
        np.testing.assert_array_equal(envs.obs[~steps.ended], steps.next_obs[~steps.ended])
        assert not steps.timeout.any()
        for copy in np.flatnonzero(steps.terminal):
            height, angle = steps.next_obs[copy, :2]
            assert height <= 0.7 or abs(angle) >= 0.2
            assert abs(envs.obs[copy, 0] - 1.25) <= 0.005
            assert envs.elapsed[copy] == 0
            fallen += 1
    assert fallen >= 4
    assert len(np.unique(envs.episode)) > 1  # copies end at times of their own
    envs.close()


def test_the_last_step_of_an_episode_is_a_timeout():
    robot = dataclasses.replace(ROBOTS["halfcheetah"], max_episode_steps=5)
    envs = BatchedRobots(robot, 2, threads=1)
    ended = [envs.step(action) for action in actions(envs, 11)]
    assert [steps.timeout.all() for steps in ended] == [i in (4, 9) for i in range(11)]
    assert not any(steps.terminal.any() for steps in ended)
    assert not np.array_equal(ended[4].next_obs, ended[5].obs)
    envs.close()


def test_a_fall_at_the_last_step_is_a_fall():
    envs = BatchedRobots(SHORT, 3, threads=1)
    envs.elapsed[:] = 11
    envs.qpos[1, 1] = 0.3
    steps = envs.step(np.zeros((3, 3)))
    assert steps.terminal.tolist() == [False, True, False]
    assert steps.timeout.tolist() == [True, False, True]
    envs.close()


def test_the_seed_decides_and_the_number_of_threads_does_not():
    streams = []
    for threads, seed in [(1, 0), (2, 0), (3, 0), (1, 1)]:
        envs = BatchedRobots(ROBOTS["walker2d"], 5, seed=seed, threads=threads)
        streams.append(stream(envs, actions(envs, 60)))
        envs.close()
    assert streams[0][:, -2].any()  # an episode ended, so later episodes are compared too
    np.testing.assert_array_equal(streams[0], streams[1])
    np.testing.assert_array_equal(streams[0], streams[2])
    assert not np.array_equal(streams[0], streams[3])


def test_copies_start_differently():
    envs = BatchedRobots(ROBOTS["halfcheetah"], 50, threads=1)
    assert len(np.unique(envs.obs, axis=0)) == 50
    envs.close()


def test_what_follows_a_snapshot_follows_it_again():
    envs, others = (BatchedRobots(SHORT, 3, seed=seed, threads=1) for seed in (0, 0))
    chosen = actions(envs, 40)
    stream(envs, chosen[:10])
    saved = envs.snapshot()
    kept = {name: values.copy() for name, values in saved.items()}
    once = stream(envs, chosen[10:])
    assert once[:, -1].any()
    for name, values in saved.items():
        np.testing.assert_array_equal(values, kept[name])
        values.flags.writeable = False
    for other in (envs, others):
        other.restore(saved)
        np.testing.assert_array_equal(stream(other, chosen[10:]), once)
        other.close()


def test_a_snapshot_of_another_number_of_copies_is_refused():
    one, three = BatchedRobots(SHORT, 1, threads=1), BatchedRobots(SHORT, 3, threads=1)
    with pytest.raises(UserError, match=r"^The snapshot is not one of 3 copies of Hopper-v4\.$"):
        three.restore(one.snapshot())
    one.close()
    three.close()


def test_wrong_actions_are_named():
    envs = BatchedRobots(SHORT, 3, threads=1)
    with pytest.raises(UserError, match=r"Hopper-v4 needs actions of shape \(3, 3\), got \(2, 3\)"):
        envs.step(np.zeros((2, 3)))
    bad = np.zeros((3, 3))
    bad[1, 2] = np.nan
    before = envs.obs.copy()
    with pytest.raises(UserError, match=r"Hopper-v4: the action of copy 1 is not finite\."):
        envs.step(bad)
    np.testing.assert_array_equal(envs.obs, before)
    with pytest.raises(UserError, match="`num_envs` must be at least 1, got 0"):
        BatchedRobots(SHORT, 0)
    envs.close()


class Broken(AbstractEnvs):
    """An environment whose physics explodes at once."""

    num_envs = 1
    spec = EnvSpec("Broken-v0", 2, 1, 10)
    obs = np.zeros((1, 2), np.float32)

    def _advance(self, action):
        nothing = np.zeros(1, bool)
        reward = np.zeros(1, np.float32)
        return Steps(self.obs, action, reward, self.obs + np.float32(np.inf), nothing, nothing)

    def snapshot(self):
        return {}

    def restore(self, snapshot):
        pass


def test_a_simulation_that_breaks_is_not_passed_on():
    with pytest.raises(UserError, match=r"^Broken-v0: the simulation broke; a number is not fin"):
        Broken().step(np.zeros((1, 1)))
