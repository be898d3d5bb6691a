"""The C allocator of a process that trains: freed blocks are kept for the next update."""

from __future__ import annotations

import ctypes
import sys

# Of `mallopt` in glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process; tell whether this system can.

    XLA allocates what an update needs anew each time. glibc would hand blocks of that size back to
    the system and meet a page fault for every 4 KiB of the next: about a tenth of an update of the
    Koopman model at 256 windows of 100 steps, a third of the Transformer's at 500 steps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    # -1 stands for the greatest size: from a limit on, all above it would go back each time.
    settings = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0, _ARENA_MAX: 1}
    taken = [mallopt(name, value) for name, value in settings.items()]
    return all(taken)
