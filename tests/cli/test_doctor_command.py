"""`toolkit doctor`: every line has a state, and what is missing has a remedy."""

from __future__ import annotations

import jax
import pytest

from toolkit.commands import doctor


def test_every_line_says_ok_note_or_missing(toolkit, monkeypatch):
    monkeypatch.setattr(doctor, "can_render", lambda backend: backend == "egl")
    answer = toolkit("doctor")
    assert answer.code == 0
    lines = answer.out.split("\n\n")[0].splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "note", "missing"}
    for subject in ("python", "jax", "device", "GPU memory", "mujoco", "dm-control", "data cache",
                    "compiler", "anywidget", "browser", "rendering by egl",
                    "compiled programs"):  # fmt: skip
        assert any(f" {subject} " in line for line in lines), subject


def test_a_missing_package_comes_with_its_command(monkeypatch):
    monkeypatch.setattr("toolkit.training.passport.installed_version", lambda package: None)
    found = {finding.subject: finding for finding in doctor.extras()}
    assert {finding.state for finding in found.values()} == {"missing"}
    assert found["mujoco"].detail.endswith("pip install 'koopman-toolkit[mujoco]'")
    assert found["dm-control"].detail.endswith("pip install 'koopman-toolkit[dmc]'")


def test_no_device_is_a_line_and_no_crash(monkeypatch):
    def none():
        raise RuntimeError("no backend\nand a long story")

    monkeypatch.setattr(jax, "devices", none)
    (finding,) = doctor.devices()
    assert (finding.state, finding.detail) == ("missing", "JAX finds none: no backend")


def test_the_compiler_here_is_right_and_a_wrong_one_is_named(monkeypatch):
    """The pinned versions pass; a compiler that loses part of each sum does not."""
    assert doctor.compiler().state == "ok"
    monkeypatch.setattr(jax, "jit", lambda f: lambda rows: 0.99 * f(rows))
    wrong = doctor.compiler()
    assert wrong.state == "missing" and "-c constraints.txt jax jaxlib" in wrong.detail


def test_preallocation_is_noted(monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    assert [f.state for f in doctor.devices() if f.subject == "GPU memory"] == ["note"]
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    assert [f.state for f in doctor.devices() if f.subject == "GPU memory"] == ["ok"]


@pytest.mark.parametrize(
    ("works", "states"),
    [
        ({"egl"}, ["ok", "note"]),
        ({"osmesa"}, ["missing", "ok"]),
        (set(), ["missing", "missing"]),
    ],
)
def test_one_way_to_render_is_enough(monkeypatch, works, states):
    pytest.importorskip("mujoco")
    monkeypatch.setattr(doctor, "can_render", works.__contains__)
    assert [finding.state for finding in doctor.rendering()] == states


def test_a_backend_that_does_not_exist_cannot_render():
    assert not doctor.can_render("no-such-backend")


def test_the_data_cache_is_measured(monkeypatch, tmp_path):
    monkeypatch.setenv("TOOLKIT_DATA_DIR", str(tmp_path))
    (tmp_path / "file").write_bytes(bytes(2_500_000))
    details = {finding.subject: finding.detail for finding in doctor.caches()}
    assert details["data cache"] == f"{tmp_path}, 1 files, 2.5 MB"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    details = {finding.subject: finding.detail for finding in doctor.caches()}
    assert details["compiled programs"] == f"kept in {tmp_path}"
