"""Every test runs with runtime shape checks, strict promotion and explicit keys."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("toolkit", "beartype.beartype")

import jax  # noqa: E402
import jax.random as jr  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def getkey() -> Callable[[], jax.Array]:
    """A new key at every call, the same ones in every run of a test."""
    counter = itertools.count()
    return lambda: jr.key(next(counter))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real datasets beside the repository; tests that need it skip without it."""
    folder = Path(__file__).parents[1].parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"real datasets are not on this machine (looked in {folder})")
    return folder
