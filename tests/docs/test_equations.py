"""The map of equations: complete, true to the docstrings, and read as it is written."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from toolkit.docs.citations import PAPERS, Citations, cited_by, map_page, read_map
from toolkit.docs.reference import Reference

TEXT = (Path(__file__).parents[2] / "docs" / "equations.md").read_text()
ROWS = read_map(TEXT)
#: The last number that is known of each paper. Of KFC none is, so its formulas have names.
LAST = {"2306.11941": 11, "2306.04220": 13, "2111.01365": 0}


@pytest.mark.parametrize("paper", PAPERS)
def test_numbers_run_without_a_gap(paper: str):
    numbers = [int(row.number) for row in ROWS if row.paper == paper and row.number.isdigit()]
    assert numbers == list(range(1, LAST[paper] + 1))


def test_every_line_says_something_and_names_what_exists(reference: Reference):
    assert len(ROWS) > 35
    for row in ROWS:
        assert row.says, row
        assert [name for name in row.names if name not in reference.names] == []
        assert row.names or "no function claims it" in row.says, row


def test_what_computes_an_equation_cites_it(reference: Reference):
    citations = Citations.of(reference)
    for row in ROWS:
        if row.number.isdigit():
            cited = citations.names_of(row.paper, int(row.number))
            assert [name for name in row.names if name not in cited] == [], row


def test_every_citation_is_on_the_page(reference: Reference):
    citations = Citations.of(reference)
    page = map_page(TEXT, citations)
    assert sum(map(len, citations.by_name.values())) > 60
    for name, cited in citations.by_name.items():
        for paper, number in cited:
            anchor = f"{{#eq-{paper.replace('.', '-')}-{number}}}"
            (line,) = [line for line in page.splitlines() if anchor in line]
            assert f"`{name}`" in line


def test_every_cited_equation_has_a_paper(reference: Reference):
    loose = {
        path for path, item in reference.names.items()
        for paper, _ in cited_by(item) if paper is None
    }  # fmt: skip
    assert loose == set()


def item(text: str, parent=None):
    return SimpleNamespace(docstring=SimpleNamespace(value=text), parent=parent, path="toolkit.x")


@pytest.mark.parametrize(
    ("own", "around", "found"),
    [
        ("(arXiv:1111.11111 Eq. 2–4 and 13)", "", [("1111.11111", n) for n in (2, 3, 4, 13)]),
        ("Eqs. 2, 5.\n\nSource: arXiv:1111.11111 §3; arXiv:2222.22222.", "",
         [("1111.11111", 2), ("1111.11111", 5)]),
        ("As in arXiv:1111.11111; arXiv:2222.22222 Eq. 1.", "", [("2222.22222", 1)]),
        ("Eq. 7.", "Losses of arXiv:1111.11111.", [("1111.11111", 7)]),
        ("Eq. 7.", "arXiv:1111.11111 or arXiv:2222.22222.", [(None, 7)]),
        ("Eq. 7.", "", [(None, 7)]),
        ("Equal to 7.", "", []),
    ],
)  # fmt: skip
def test_an_equation_belongs_to_the_paper_that_is_meant(own, around, found):
    assert cited_by(item(own, item(around))) == found


def test_the_page_adds_who_else_cites():
    table = "## arXiv:2306.04220\n\n| Eq. | says | by |\n|---|---|---|\n| 7 | both | `toolkit.a` |"
    citations = Citations({"toolkit.a": [("2306.04220", 7)], "toolkit.b": [("2306.04220", 7)]})
    assert map_page(table, citations).splitlines()[2:] == [
        "| Eq. | says | by | cited by |",
        "|---|---|---|---|",
        "| [7]{#eq-2306-04220-7} | both | `toolkit.a` | `toolkit.b` |",
    ]
