"""What several test folders share."""

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


def browser() -> str | None:
    """The Chromium of this machine, if notebooks can be driven in it."""
    if not all(map(importlib.util.find_spec, ("playwright", "jupyterlab"))):
        return None
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the runtime type checks of the tests, as users run the toolkit.

    Lets a wrong argument reach the sentence that the toolkit itself has for it.
    """
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
