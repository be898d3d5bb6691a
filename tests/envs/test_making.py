"""Environments by name, and what importing them costs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import toolkit.envs
from toolkit.envs import make_envs
from toolkit.envs.requirements import import_gymnasium, import_mujoco
from toolkit.errors import UserError


def python(code, **env):
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | env, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def test_importing_the_room_imports_no_simulator():
    done = python(
        "import sys, toolkit.envs; from toolkit.envs import make_envs, EnvSpec\n"
        "print({'mujoco', 'gymnasium', 'jax', 'PIL'} & set(sys.modules))"
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_every_exported_name_is_there():
    pytest.importorskip("mujoco")
    assert dir(toolkit.envs) == sorted(toolkit.envs.__all__)
    for name in toolkit.envs.__all__:
        assert getattr(toolkit.envs, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        toolkit.envs.nothing  # noqa: B018


def test_robots_are_batched_and_the_rest_is_gymnasium(tmp_path, monkeypatch):
    pytest.importorskip("mujoco")
    pytest.importorskip("gymnasium")
    monkeypatch.chdir(tmp_path)
    for env_id, kind in [
        ("Hopper-v4", "BatchedRobots"), ("Walker2d-v4", "BatchedRobots"),
        ("HalfCheetah-v4", "BatchedRobots"), ("HalfCheetah-v5", "GymnasiumEnvs"),
        ("Pendulum-v1", "GymnasiumEnvs"),
    ]:  # fmt: skip
        envs = make_envs(env_id, 2, seed=4, threads=1)
        assert type(envs).__name__ == kind
        assert (envs.spec.env_id, envs.num_envs) == (env_id, 2)
        assert envs.obs.shape == (2, envs.spec.obs_dim)
        envs.close()
    assert list(tmp_path.iterdir()) == []  # MuJoCo writes no log


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "`num_envs` must be at least 1, got 0"),
        ({"num_envs": 1, "seed": -1}, "`seed` must not be negative, got -1"),
        ({"num_envs": 1, "threads": 0}, "`threads` must be at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("env_id", ["Hopper-v4", "Pendulum-v1"])
def test_wrong_numbers_are_refused(env_id, options, message):
    pytest.importorskip("mujoco")
    with pytest.raises(UserError, match=message):
        make_envs(env_id, **options)


@pytest.mark.parametrize(
    ("module", "load", "name"),
    [("mujoco", import_mujoco, "MuJoCo"), ("gymnasium", import_gymnasium, "Gymnasium")],
)
def test_a_missing_package_comes_with_its_command(monkeypatch, module, load, name):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"^{name} cannot be imported .*koopman-toolkit\[mujoco\]"):
        load()


def test_a_display_that_mujoco_does_not_know_is_a_sentence():
    pytest.importorskip("mujoco")
    code = "from toolkit.envs import make_envs; make_envs('Hopper-v4', 1)"
    done = python(code, MUJOCO_GL="crayons")
    assert "UserError: MuJoCo cannot be imported with MUJOCO_GL=crayons" in done.stderr
