"""Every test runs with runtime shape checks, strict promotion and explicit keys."""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

install_import_hook("toolkit", "beartype.beartype")

# A program is compiled once per run of the tests: notebooks, their students' copies, commands, the
# browser's kernels and processes that share the tests repeat each other's.
if "TOOLKIT_TESTS_CACHE" not in os.environ:
    os.environ["TOOLKIT_TESTS_CACHE"] = tempfile.mkdtemp(prefix="toolkit-tests-")
    atexit.register(shutil.rmtree, os.environ["TOOLKIT_TESTS_CACHE"], ignore_errors=True)
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ["TOOLKIT_TESTS_CACHE"]
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
# XLA reports two of its own settings as features that the processor lacks, for every program read.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Most of a test's time is compiling, and what is compiled runs for a moment: this process tells the
# compiler to hurry, which took a fifth less in two files. Kernels and commands that it starts do
# not: they share what they compile, and run it for longer.
FLAGS = os.environ.get("XLA_FLAGS")
os.environ["XLA_FLAGS"] = f"{FLAGS or ''} --xla_backend_optimization_level=1".strip()

import jax  # noqa: E402
import jax.random as jr  # noqa: E402

jax.devices()  # which reads the flags
if FLAGS is None:
    del os.environ["XLA_FLAGS"]
else:
    os.environ["XLA_FLAGS"] = FLAGS

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module", autouse=True)
def programs_are_dropped_after_each_file():
    """Compiled programs stay in memory otherwise; with all of them in one process, XLA's compiler
    was seen to abort.
    """
    yield
    jax.clear_caches()
    gc.collect()


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
