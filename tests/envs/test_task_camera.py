"""Pictures of DeepMind Control's tasks; those that need a renderer are skipped where none works."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from toolkit.envs import canvas, make_envs, task_camera
from toolkit.errors import UserError

pytest.importorskip("dm_control", reason="dm_control is not installed (the extra `dmc`)")

SIZE = 24
TASKS = [  # arXiv:2306.11941 §4.2.2, with their action repeats (arXiv:1811.04551)
    ("ball_in_cup-catch", 4), ("cartpole-swingup", 8), ("cheetah-run", 4), ("finger-spin", 2),
    ("walker-walk", 2),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    """A canvas writes its choice into the environment; take it back."""
    monkeypatch.setenv("MUJOCO_GL", os.environ.get("MUJOCO_GL", ""))


@pytest.fixture
def renderer_works():
    try:
        return canvas.choose_backend()
    except UserError as error:
        pytest.skip(str(error))


def act(envs, seed=0):
    rng = np.random.default_rng(seed)
    return envs.step(rng.uniform(-1, 1, (envs.num_envs, envs.spec.action_dim)))


@pytest.mark.usefixtures("renderer_works")
@pytest.mark.parametrize(("task", "repeat"), TASKS)
def test_the_pixel_tasks_of_the_paper_and_their_action_repeats(task, repeat):
    """Two copies, which look different, and otherwise after a step."""
    envs = make_envs(f"dmc/{task}", 2, seed=0, image_size=SIZE)
    assert envs.obs.shape == (2, SIZE, SIZE, 3) and envs.obs.dtype == np.uint8
    assert envs.spec.obs_dim == 3 * SIZE * SIZE and envs.spec.image_size == SIZE
    assert envs.spec.max_episode_steps == 1000 // repeat
    before = envs.obs.copy()
    steps = act(envs)
    np.testing.assert_array_equal(steps.obs, before)
    np.testing.assert_array_equal(steps.next_obs, envs.obs)
    assert (steps.next_obs[0] != steps.next_obs[1]).any()
    assert (steps.next_obs != before).any(axis=(1, 2, 3)).all()


# Ours first: dm_control does not notice when another's canvas became the current one.
COMPARE = """
import sys
import numpy as np
from toolkit.envs import make_envs
every = [make_envs(f"dmc/{task}", 1, seed=0, image_size=24) for task in sys.argv[2:]]
ours = [envs.step(np.full((1, envs.spec.action_dim), 0.5)).next_obs[0] for envs in every]
theirs = [envs._envs[0].physics.render(24, 24, camera_id=0) for envs in every]
for task, our, their in zip(sys.argv[2:], ours, theirs):
    assert our.std() > 1 and (our == their).all(), task
print("the same", end="", flush=True)
"""


def test_frames_have_the_bits_of_dm_controls_own(renderer_works):
    """In a process of its own, because dm_control chooses its backend once."""
    command = [sys.executable, "-c", COMPARE, "tasks", "ball_in_cup-catch", "finger-spin"]
    done = subprocess.run(
        [*command, "walker-walk"], env=os.environ | {"MUJOCO_GL": renderer_works},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout == "the same", done.stderr[-2000:]


@pytest.mark.usefixtures("renderer_works")
def test_what_follows_a_snapshot_looks_the_same_and_copies_share_a_canvas():
    envs = make_envs("dmc/cartpole-swingup@500", 2, seed=1, image_size=SIZE)
    act(envs)
    kept, later = envs.snapshot(), act(envs, 1)
    assert later.timeout.all() and (envs.obs != later.next_obs).any()  # a new episode is seen
    other = make_envs("dmc/cartpole-swingup@500", 2, seed=1, image_size=SIZE)
    other.restore(kept)
    np.testing.assert_array_equal(act(other, 1).next_obs, later.next_obs)
    np.testing.assert_array_equal(other.obs, envs.obs)
    assert other._camera._canvas is envs._camera._canvas


def test_without_a_renderer_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.setattr(canvas, "can_render", lambda backend: False)
    monkeypatch.setattr(task_camera, "_CANVASES", {})
    with pytest.raises(UserError, match="MuJoCo cannot draw here .*; install Debian's"):
        make_envs("dmc/cartpole-swingup", 1, image_size=SIZE)


@pytest.mark.parametrize(
    ("env_id", "size", "sentence"),
    [
        ("dmc/cartpole-swingup", 0, "`image_size` must be 8 to 512 pixels, got 0"),
        ("dmc/cartpole-swingup", 513, "`image_size` must be 8 to 512 pixels, got 513"),
        ("Hopper-v4", SIZE, "need a task of DeepMind Control, such as `env` dmc/cartpole-swingup"),
        ("dmc/cartpole-fly", SIZE, "has no task cartpole-fly; did you mean dmc/cartpole-"),
        ("dmc/walker-walk@3", SIZE, "must divide an episode's 1000 control steps, got 3"),
    ],
)
def test_pictures_that_cannot_be_had_are_one_sentence(env_id, size, sentence):
    with pytest.raises(UserError, match=sentence):
        make_envs(env_id, 1, image_size=size)
