"""Notebooks run in fast mode, their kernels on this checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_FAST", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
