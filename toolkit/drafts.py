"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from toolkit.errors import UserError


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; what lies there takes the name when the block ends well.

    However else it ends, nothing is left and an older file stays as it was.

    Raises:
        UserError: the operating system refuses; the sentence gives its reason.
    """
    # with the suffix last, by which some writers know the format
    draft = path.with_name(f".{path.stem}.{os.getpid()}.draft{path.suffix}")
    try:
        yield draft
        os.replace(draft, path)
    except OSError as error:
        reason = error.strerror or str(error).partition("\n")[0]
        raise UserError(f"{path}: the file could not be written ({reason}).") from None
    finally:
        with contextlib.suppress(OSError):  # nothing was written, or nothing is left
            draft.unlink()
