from pathlib import Path

import pytest

from toolkit.docs.reference import Reference

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference() -> Reference:
    """The package as the site reads it."""
    return Reference.read(ROOT)
