"""What several test folders share."""

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping


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
