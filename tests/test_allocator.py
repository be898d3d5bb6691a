"""Freed memory stays with the process: the next block of its size costs no page faults."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from toolkit.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    before = faults()
    np.ones(int(sys.argv[2]) // 8)
print(faults() - before)
"""


def faults(how: str, size: int) -> int:
    """Page faults of the third block of `size` bytes; `how` is "keep" or "leave"."""
    answer = subprocess.run(
        [sys.executable, "-c", FAULTS, how, str(size)], capture_output=True, text=True, check=True
    )
    return int(answer.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their own rules")
@pytest.mark.parametrize("size", [128 << 20, 5 << 29], ids=["128 MiB", "2.5 GiB"])
def test_a_block_that_was_freed_is_used_again(size):
    assert faults("keep", size) < 50
    assert faults("leave", size) > 50  # fewer where the system has huge pages: 64 of 2 MB
