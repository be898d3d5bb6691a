"""DeepMind Control behind the interface: action repeats, starts, exact snapshots, refusals."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from toolkit.envs import make_envs
from toolkit.envs.dmc import DMCEnvs, parse
from toolkit.errors import UserError
from toolkit.training.passport import environment

pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")

STATE_TASKS = [  # arXiv:2306.11941 §4.2.1: observation, action, repeat
    ("quadruped-run", 78, 12, 4),
    ("quadruped-walk", 78, 12, 4),
    ("cheetah-run", 17, 6, 4),
    ("acrobot-swingup", 6, 1, 4),
]
PIXEL_TASKS = [  # §4.2.2
    ("ball_in_cup-catch", 8, 2, 4),
    ("cartpole-swingup", 5, 1, 8),
    ("finger-spin", 9, 2, 2),
    ("walker-walk", 24, 6, 2),
]


def actions(envs, steps, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (steps, envs.num_envs, envs.spec.action_dim))


def columns(steps):
    return [steps.obs, steps.action, steps.reward, steps.next_obs, steps.terminal, steps.timeout]


@pytest.mark.parametrize(("task", "obs", "action", "repeat"), STATE_TASKS + PIXEL_TASKS)
def test_the_tasks_of_the_paper_and_their_action_repeats(task, obs, action, repeat):
    envs = make_envs(f"dmc/{task}", 1, seed=0)
    spec = envs.spec
    assert (spec.obs_dim, spec.action_dim, spec.max_episode_steps) == (obs, action, 1000 // repeat)
    assert envs.obs.shape == (1, obs) and envs.obs.dtype == np.float32
    steps = envs.step(np.zeros((1, action)))
    assert 0 <= steps.reward[0] <= repeat
    envs.close()


def test_an_action_is_held_and_its_rewards_are_summed():
    """Four steps of the bare task make one of ours, from the same start."""
    from dm_control import suite

    envs = make_envs("dmc/cheetah-run", 1, seed=3)
    bare = suite.load("cheetah", "run")
    bare.task.random.seed(np.random.SeedSequence([3, 0, 0]).generate_state(4))
    bare.reset()
    assert envs.spec.dt == pytest.approx(4 * bare.control_timestep())
    for action in actions(envs, 5):
        found = envs.step(action)
        for step in [bare.step(action[0]) for _ in range(4)]:
            found.reward[0] -= step.reward
        assert found.reward[0] == pytest.approx(0.0, abs=1e-5)
        expected = np.concatenate([np.ravel(part) for part in step.observation.values()])
        np.testing.assert_allclose(found.next_obs[0], expected, rtol=1e-6)


def test_the_time_is_up_after_a_thousand_control_steps_and_that_is_no_terminal():
    envs = make_envs("dmc/cartpole-swingup@500", 2, seed=0)
    first, second = (envs.step(np.zeros((2, 1))) for _ in range(2))
    assert not first.ended.any() and second.timeout.all() and not second.terminal.any()
    assert (envs.obs != second.next_obs).any()  # a new episode has begun
    assert (envs.obs[0] != envs.obs[1]).any()


def test_the_same_seed_gives_the_same_starts_whatever_was_done_before():
    first, second = (make_envs("dmc/finger-spin@500", 2, seed=7) for _ in range(2))
    for chosen in actions(first, 2):
        first.step(chosen)
        second.step(-chosen)
    np.testing.assert_array_equal(first.obs, second.obs)
    other = make_envs("dmc/finger-spin@500", 2, seed=8)
    assert (other.obs != make_envs("dmc/finger-spin@500", 2, seed=7).obs).any()


@pytest.mark.parametrize(
    "task", ["cheetah-run", "quadruped-run", "acrobot-swingup", "walker-walk", "reacher-hard@50"]
)
@pytest.mark.parametrize("before", [0, 7])
def test_what_follows_a_snapshot_is_the_same_bit_for_bit(task, before):
    """Reacher draws a target at the start of each episode, which is no part of the state."""
    envs = make_envs(f"dmc/{task}", 2, seed=1)
    for chosen in actions(envs, before):
        envs.step(chosen)
    kept = envs.snapshot()
    later = [columns(envs.step(chosen)) for chosen in actions(envs, 25, seed=1)]
    other = make_envs(f"dmc/{task}", 2, seed=1)
    other.restore(kept)
    again = [columns(other.step(chosen)) for chosen in actions(other, 25, seed=1)]
    for one, two in zip(later, again, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_snapshot_of_others_is_refused():
    envs = make_envs("dmc/cheetah-run", 2)
    with pytest.raises(UserError, match="not one of 2 copies of dmc/cheetah-run"):
        envs.restore(make_envs("dmc/cheetah-run", 1).snapshot())


@pytest.mark.parametrize(
    ("env_id", "sentence"),
    [
        ("dmc/cheetah-fly", "has no task cheetah-fly; did you mean dmc/cheetah-run"),
        ("dmc/unicorn", "must be dmc/DOMAIN-TASK, such as dmc/cartpole-swingup"),
        (
            "dmc/cheetah-run@3",
            "the action repeat must divide an episode's 1000 control steps, got 3",
        ),
        (
            "dmc/cheetah-run@0",
            "the action repeat must divide an episode's 1000 control steps, got 0",
        ),
        ("dmc/lqr-lqr_2_1", "episodes need an end, and those of this task have none"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(env_id, sentence):
    with pytest.raises(UserError, match=sentence):
        make_envs(env_id, 1)


def test_the_repeat_is_part_of_the_id_and_the_versions_of_the_passport():
    assert parse("dmc/walker-run") == ("walker", "run", 2)
    assert parse("dmc/walker-run@5") == ("walker", "run", 5)
    record = environment("dmc/walker-run")
    assert record["id"] == "dmc/walker-run" and record["mujoco"] and record["dm_control"]


def test_without_dm_control_there_is_its_command(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "dm_control"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "dm_control", None)
    with pytest.raises(UserError, match=r"cannot be imported .*koopman-toolkit\[dmc\]"):
        DMCEnvs("dmc/cheetah-run", 1)


def test_the_robots_leave_dm_control_its_own_way_of_warning(tmp_path, monkeypatch):
    """Else MuJoCo's remarks on old models go to a log in the folder at hand."""
    import mujoco

    monkeypatch.chdir(tmp_path)
    make_envs("dmc/cheetah-run", 1)
    own = mujoco.get_mju_user_warning()
    assert own is not None
    make_envs("HalfCheetah-v4", 1)
    assert mujoco.get_mju_user_warning() is own
    assert list(tmp_path.glob("MUJOCO_LOG*")) == []
