"""Any Gymnasium environment behind the toolkit's interface."""

from __future__ import annotations

import numpy as np
import pytest

from toolkit.agents.sac import SAC
from toolkit.envs import GymnasiumEnvs, make_envs
from toolkit.errors import UserError
from toolkit.training.online_driver import (
    fit_online,
    start_or_continue_online,
    write_online_result,
)
from toolkit.training.online_run import OnlineRun

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("mujoco")


class Fragile(gymnasium.Env):
    """Counts its steps and breaks at the third; bounds and spaces can be chosen."""

    def __init__(self, low=-1.0, high=3.0, observation=None, ends_at=0):
        self.action_space = gymnasium.spaces.Box(low, high, (2,), np.float32)
        self.observation_space = observation or gymnasium.spaces.Box(-9, 9, (2,), np.float32)
        self.count, self.ends_at = 0, ends_at

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.count += 1
        if self.count == 3:
            raise RuntimeError("a gear came off.")
        return np.asarray(action), 0.5, self.count == self.ends_at, False, {}


@pytest.fixture
def register():
    names = []

    def register(max_episode_steps=100, **options):
        names.append(f"Fragile{len(names)}-v0")
        gymnasium.register(
            names[-1], entry_point=Fragile, max_episode_steps=max_episode_steps, kwargs=options
        )
        return names[-1]

    yield register
    for name in names:
        gymnasium.registry.pop(name)


def run(envs, chosen):
    rows = []
    for action in chosen:
        steps = envs.step(action)
        parts = (steps.obs, steps.reward, steps.next_obs, steps.terminal, steps.timeout)
        rows.append(np.concatenate([part.reshape(envs.num_envs, -1) for part in parts], axis=1))
    return np.concatenate(rows)


def actions(envs, num_steps, seed=0):
    shape = (num_steps, envs.num_envs, envs.spec.action_dim)
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("env_id", "num_steps"),
    [
        ("Hopper-v4", 90),
        ("Pendulum-v1", 420),
        ("MountainCarContinuous-v0", 400),  # its state begins double and goes on single
        ("Reacher-v4", 120),  # its reward needs where bodies were before the last substep
        ("Humanoid-v4", 60),  # and this one's where their centres of mass were
    ],
)
def test_what_follows_a_snapshot_follows_it_again(env_id, num_steps):
    envs, others = GymnasiumEnvs(env_id, 2, seed=0), GymnasiumEnvs(env_id, 2, seed=5)
    chosen = actions(envs, num_steps)
    fresh = others.snapshot()
    run(envs, chosen[:17])
    saved = envs.snapshot()
    soon, state_soon = run(envs, chosen[17:20]), envs.snapshot()
    late = run(envs, chosen[20:])
    assert late[:, -2:].any() or env_id == "MountainCarContinuous-v0"
    for name, values in saved.items():  # a checkpoint stores bytes and asks a fresh one for types
        values.flags.writeable = False
        assert (values.dtype, values.shape) == (fresh[name].dtype, fresh[name].shape)
    for other in (others, envs):
        other.restore(saved)
        np.testing.assert_array_equal(run(other, chosen[17:20]), soon)
        for name, values in other.snapshot().items():
            np.testing.assert_array_equal(values, state_soon[name])  # all digits of a double
        np.testing.assert_array_equal(run(other, chosen[20:]), late)
        other.close()


def test_a_restored_state_has_the_type_that_it_had():
    envs = GymnasiumEnvs("MountainCarContinuous-v0", 1)
    inner, double = envs._envs[0].unwrapped, envs.snapshot()
    envs.step(np.zeros((1, 1)))
    single = envs.snapshot()
    for saved, kind in [(double, np.float64), (single, np.float32)]:
        envs.restore(saved)
        assert inner.state.dtype == kind
    envs.close()


def test_the_seed_decides_what_each_copy_sees():
    runs, starts = [], []
    for seed in (0, 0, 1):
        envs = GymnasiumEnvs("Pendulum-v1", 3, seed=seed)
        starts.append(envs.obs.copy())
        runs.append(run(envs, actions(envs, 201)))
        envs.close()
    np.testing.assert_array_equal(runs[0], runs[1])
    assert len(np.unique(np.concatenate([starts[0], starts[2]]), axis=0)) == 6


def test_an_episode_that_is_cut_off_is_a_timeout_with_its_true_successor():
    envs = GymnasiumEnvs("Pendulum-v1", 2)
    for step, action in enumerate(actions(envs, 200)):
        before = envs.obs.copy()
        steps = envs.step(action)
        np.testing.assert_array_equal(steps.obs, before)
        assert (steps.timeout == (step == 199)).all() and not steps.terminal.any()
        speed = steps.next_obs[:, 2] - steps.obs[:, 2]  # at most 15 dt + 3 u dt = 1.05 rad/s
        assert (np.abs(speed) <= 1.05).all()
    assert (np.abs(envs.obs[:, 2]) <= 1).all()  # a new episode begins with at most 1 rad/s
    assert not np.array_equal(envs.obs, steps.next_obs)
    envs.close()


def test_a_fall_at_the_last_step_is_a_fall(register):
    envs = GymnasiumEnvs(register(max_episode_steps=2, ends_at=2), 2)
    for step in range(4):
        steps = envs.step(np.full((2, 2), 0.5))
        assert (steps.terminal == (step % 2 == 1)).all() and not steps.timeout.any()
    assert (steps.next_obs == 2).all() and (envs.obs == 0).all()


def test_spec_from_what_the_environment_says():
    specs = {}
    for env_id in ("Pendulum-v1", "MountainCarContinuous-v0", "Hopper-v5"):
        envs = GymnasiumEnvs(env_id, 1)
        specs[env_id] = envs.spec
        envs.close()
    spec = specs["Pendulum-v1"]
    assert (spec.obs_dim, spec.action_dim, spec.max_episode_steps, spec.dt) == (3, 1, 200, 0.05)
    assert specs["MountainCarContinuous-v0"].dt == pytest.approx(1 / 30)
    assert specs["Hopper-v5"].dt == pytest.approx(0.008)


def test_actions_are_stretched_to_the_bounds(register):
    envs = GymnasiumEnvs(register(), 4)
    assert envs.spec.dt is None
    chosen = np.array([[-1, 1], [0, 0.5], [2, -2], [1e-8, 0]], np.float32)
    steps = envs.step(chosen)
    np.testing.assert_allclose(steps.next_obs, [[-1, 3], [1, 2], [3, -1], [1, 1]], rtol=1e-6)
    np.testing.assert_array_equal(steps.action, chosen)
    assert steps.reward.dtype == np.float32
    same = GymnasiumEnvs(register(low=-1.0, high=1.0), 1)
    tiny = np.array([[1e-12, -3e-9]], np.float32)
    np.testing.assert_array_equal(same.step(tiny).next_obs, tiny)


def test_an_environment_that_raises_is_named_with_its_copy(register):
    name = register()
    envs = GymnasiumEnvs(name, 3)
    envs._envs[2].unwrapped.count = 1
    envs.step(np.zeros((3, 2)))
    message = rf"^{name}: stepping copy 2 failed \(RuntimeError: a gear came off\)\.$"
    with pytest.raises(UserError, match=message):
        envs.step(np.zeros((3, 2)))


def test_an_environment_of_ones_own_trains_but_is_not_saved(register):
    envs = GymnasiumEnvs(register(), 1)
    assert not envs.restorable
    with pytest.raises(UserError, match="cannot be saved, so training works and resuming does not"):
        envs.snapshot()


@pytest.mark.parametrize("env_id", ["Hopper-v4", "Hopper-v5", "Pendulum-v1"])
def test_gymnasiums_own_can_be_restored(env_id):
    envs = make_envs(env_id, 2, threads=1)
    assert envs.restorable
    envs.close()


def test_a_run_in_an_environment_of_ones_own_is_scored_and_not_resumed(register, tmp_path):
    env_id = register(max_episode_steps=2, ends_at=2)
    agent = SAC(
        hidden=8, batch_size=8, num_envs=2, random_steps=64, replay_capacity=256, num_env_steps=128
    )
    settings = {"evaluate_every": 64, "num_episodes": 2}
    run, state, envs = start_or_continue_online(tmp_path, "sac", agent, env_id, **settings)
    fit_online(run, state, envs)
    envs.close()
    assert [row["env_steps"] for row in run.rows()] == [64, 128]
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["agent.ckpt"]
    result = write_online_result(OnlineRun.open(tmp_path))
    assert result["score"]["returns"] == [1.0] * 10  # two steps of 0.5 each
    with pytest.raises(UserError, match=rf"cannot be resumed, because the state of {env_id} canno"):
        start_or_continue_online(tmp_path, "sac", agent, env_id, **settings, resume=True)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("Nowhere-v0", r"^Nowhere-v0: Gymnasium cannot make this \(.*doesn't exist\)\.$"),
        ("Hopper-v99", r"^Hopper-v99: Gymnasium cannot make this \(Environment version `v99`"),
        ("nowhere:Room-v0", r"Gymnasium cannot make this \(No module named 'nowhere'"),
        ("CartPole-v1", r"^CartPole-v1: an action must be a vector .*found Discrete\(2\)\.$"),
        ("FrozenLake-v1", r"an observation must be a vector .*found Discrete\(16\)\.$"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_sentence(env_id, message):
    with pytest.raises(UserError, match=message):
        GymnasiumEnvs(env_id, 1)


def test_spaces_bounds_and_limits_that_do_not_fit(register):
    spaces = gymnasium.spaces
    image = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    for space, found in [(image, r"Box\(0, 255, \(8, 8, 3\)"), (spaces.Dict(a=image), "Dict")]:
        with pytest.raises(UserError, match=f"observation must be a vector .*found {found}"):
            GymnasiumEnvs(register(observation=space), 1)
    with pytest.raises(UserError, match="actions need finite bounds, found Box"):
        GymnasiumEnvs(register(high=np.inf), 1)
    with pytest.raises(UserError, match="episodes need a limit of steps"):
        GymnasiumEnvs(register(max_episode_steps=None), 1)


def test_wrong_counts_and_snapshots_are_refused():
    with pytest.raises(UserError, match="`num_envs` must be at least 1, got 0"):
        GymnasiumEnvs("Pendulum-v1", 0)
    one, two = GymnasiumEnvs("Pendulum-v1", 1), GymnasiumEnvs("Pendulum-v1", 2)
    with pytest.raises(UserError, match="The snapshot is not one of 2 copies of Pendulum-v1"):
        two.restore(one.snapshot())
    with pytest.raises(UserError, match=r"needs actions of shape \(2, 1\), got \(2,\)"):
        two.step(np.zeros(2))
