"""The C allocator of a process that trains: freed blocks are kept for the next update."""

from __future__ import annotations

import ctypes
import sys

# Of `mallopt` in glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Let freed memory stay with the process, up to 2 GiB; tell whether this system can.

    XLA allocates what an update needs anew each time. glibc would hand blocks of that size back to
    the system and meet a page fault for every 4 KiB of the next: about a tenth of an update of the
    Koopman model at 256 windows of 100 steps. Updates that need more than 2 GiB still pay it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    settings = {_TRIM_THRESHOLD: 2**31 - 1, _MMAP_MAX: 0, _ARENA_MAX: 1}
    taken = [mallopt(name, value) for name, value in settings.items()]
    return all(taken)
