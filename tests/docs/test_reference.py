"""The API reference of a small package: shapes, units, errors, sources, and links between names."""

import importlib
from pathlib import Path

import pytest

from toolkit.docs.reference import Reference

INIT = '"""A room."""\n\nfrom toolkit.room.part import Thing as Thing\n'
PART = '''"""A part (arXiv:2306.04220)."""

from dataclasses import dataclass
from toolkit.errors import UserError

#: How many.
COUNT = 3
_hidden = 4
Name = Literal["a", "b"]


@dataclass
class Base:
    """What things have in common."""

    def go(self, x: Float[Array, " n"], *, by: int = 2) -> Name:
        """Go to `COUNT`, as `Thing.size` says (Eq. 7).

        Units: metres.

        Raises:
            UserError: too far.
        """


class Thing(Base):
    """A thing.

    Source: arXiv:2306.11941 Eq. 6.
    """

    size: int = 1
    """How large."""
    width: float = 2.0  # in metres

    def go(self, x, *, by=2):
        return None

    @property
    def area(self) -> float:
        """Size times width."""

    def _own(self): ...


def make(*names: str, **more: int) -> Thing: ...
'''


@pytest.fixture
def pages(tmp_path: Path) -> dict[str, str]:
    """The pages of a package with one room."""
    files = {"__init__.py": '"""All."""', "errors.py": '"""Errors."""\nclass UserError: "Wrong."',
             "room/__init__.py": INIT, "room/part.py": PART}  # fmt: skip
    for name, text in files.items():
        place = tmp_path / "toolkit" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return Reference.read(tmp_path).pages()


def test_there_is_a_page_for_each_room_and_an_index(pages: dict[str, str]):
    assert set(pages) == {"api/index", "api/toolkit.room", "api/toolkit.errors"}
    assert "{py:obj}`toolkit.room <toolkit.room>` | A room. |" in pages["api/index"]


@pytest.mark.parametrize(
    "text",
    [
        "| {py:obj}`Thing <toolkit.room.part.Thing>` | A thing. |",
        "{py:class} Thing\n:module: toolkit.room.part\n",
        "Built on {py:obj}`Base <toolkit.room.part.Base>`.",
        "{py:attribute} Thing.size\n:module: toolkit.room.part\n:no-contents-entry:\n"
        ":type: 'int'\n:value: '1'\n\nHow large.",
        "{py:attribute} Thing.width\n:module: toolkit.room.part\n:no-contents-entry:\n"
        ":type: 'float'\n:value: '2.0'\n\nin metres",
        "{py:method} Base.go(x: Float[Array, ' n'], *, by: int = 2) -> toolkit.room.part.Name",
        "Go to {py:obj}`COUNT <toolkit.room.part.COUNT>`, as "
        "{py:obj}`Thing.size <toolkit.room.part.Thing.size>` says (Eq. 7).",
        "**Units:** metres.",
        "**Raises** {py:obj}`UserError <toolkit.errors.UserError>`: too far.",
        "*Equations:* [TDM and TSRL (7)](../equations.md#eq-2306-04220-7).",
        "*Equations:* [Koopman dynamics (6)](../equations.md#eq-2306-11941-6).",
        "As {py:obj}`Base.go <toolkit.room.part.Base.go>`: Go to ",
        "{py:property} Thing.area\n",
        "{py:type} Name\n:module: toolkit.room.part\n:canonical: 'Literal[''a'', ''b'']'",
        "{py:data} COUNT\n:module: toolkit.room.part\n:value: '3'\n\nHow many.",
        "{py:function} make(*names: str, **more: int) -> toolkit.room.part.Thing",
    ],
)
def test_a_page_shows(pages: dict[str, str], text: str):
    assert text in pages["api/toolkit.room"]


def test_what_is_private_is_not_shown(pages: dict[str, str]):
    assert "_own" not in pages["api/toolkit.room"]
    assert "_hidden" not in pages["api/toolkit.room"]


def test_what_a_room_offers_can_be_imported_from_it(reference: Reference):
    for path in (
        "toolkit.spectral.Spectrum",
        "toolkit.data.Dataset",
        "toolkit.symmetry.GENERATORS",
    ):
        room, _, name = path.rpartition(".")
        home = reference.canonical(path)
        assert home in reference.names
        module = importlib.import_module(home.rpartition(".")[0])
        assert getattr(module, name) is getattr(importlib.import_module(room), name)
