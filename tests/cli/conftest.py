"""The command in process, and one small run that many tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from toolkit import registry
from toolkit.cli import main

SMALL = [
    "--modes", "4", "--hidden", "8", "--action-hidden", "4", "--horizon", "6",
    "--reencode-every", "3",
    "--batch-size", "4", "--num-updates", "20", "--chunk-updates", "10",
]  # fmt: skip


class Answer(NamedTuple):
    """Exit code and what was printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def toolkit(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Runs the command with these words."""

    def call(*words: object) -> Answer:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def refused(toolkit: Callable[..., Answer]) -> Callable[..., str]:
    """Runs the command, which must end with one sentence and code 2; the sentence."""

    def call(*words: object) -> str:
        answer = toolkit(*words)
        assert answer.code == 2, answer
        lines = [line for line in answer.err.splitlines() if line and "updates/s" not in line]
        assert len(lines) == 1, answer.err
        assert lines[0].startswith("toolkit: ")
        assert lines[0].endswith("."), lines[0]
        return lines[0]

    return call


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Koopman run of two seeds. Not to be changed: see `run_copy`."""
    folder = tmp_path_factory.mktemp("runs") / "koopman"
    words = ["--data", "toolkit/pendulum", "--seeds", "0,1", "--out", str(folder)]
    assert main(["train", "koopman", *SMALL, *words]) == 0
    return folder


@pytest.fixture
def run_copy(trained: Path, tmp_path: Path) -> Path:
    """A copy of the small run that a test may change."""
    return Path(shutil.copytree(trained, tmp_path / "copy"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers a model that compiles in no time."""
    entry = registry.Entry("tests.training.tiny:Tiny", "linear regression", "dynamics")
    monkeypatch.setitem(registry.MODELS, "tiny", entry)
