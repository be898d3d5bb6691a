"""What widgets share and what works without them."""

from __future__ import annotations

import importlib.util

from toolkit.errors import UserError

INSTALL = "pip install 'koopman-toolkit[notebooks]'"


def has_widgets() -> bool:
    """Whether interactive figures can be made here."""
    return all(importlib.util.find_spec(name) for name in ("anywidget", "ipywidgets"))


def one_sentence(problem: BaseException) -> str:
    """An exception in words: its kind and the first line of its message."""
    lines = str(problem).strip().splitlines()
    words = lines[0] if lines else "no message"
    return words if isinstance(problem, UserError) else f"{type(problem).__name__}: {words}"
