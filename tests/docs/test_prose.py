"""Docstrings become Markdown in which nothing is markup by accident."""

from markdown_it import MarkdownIt

from toolkit.docs.prose import summary, to_markdown

DOCSTRING = """|f(z) + g(z + f)|² of one sample, with x < y and a[0] in $.

- `first`: one that
  goes on;
- second.

Shapes: `(batch,)` or z_s_ and
        more.
Units:  metres.
Source: arXiv:2306.04220v2 Eq. 7.

Raises:
    UserError: `h` is wrong,
        or too long.
    ValueError: never.
"""


def html(text: str) -> str:
    return MarkdownIt("commonmark").enable("table").render(text)


def test_paragraphs_bullets_and_parts_stay_what_they_are():
    lines = to_markdown(DOCSTRING).split("\n\n")
    assert lines[1:] == [
        "- `first`: one that goes on;",
        "- second.",
        "**Shapes:** `(batch,)` or z_s_ and more.",
        "**Units:** metres.",
        "**Source:** [arXiv:2306.04220v2](https://arxiv.org/abs/2306.04220v2) Eq. 7.",
        "**Raises** `UserError`: `h` is wrong, or too long.",
        "**Raises** `ValueError`: never.",
    ]


def test_nothing_else_is_markup():
    shown = html(to_markdown(DOCSTRING))
    assert "|f(z) + g(z + f)|² of one sample, with x &lt; y and a[0] in $." in shown
    assert shown.count("<li>") == 2
    assert "<em>" not in shown
    assert "<table>" not in html(to_markdown("|a|\n|-|\n|b|"))
    assert "<em>" not in html(to_markdown("a * b * c and 2 * x, z_s_t and *args"))


def test_emphasis_is_kept():
    assert "<em>current</em>" in html(to_markdown("The *current* action."))


def test_names_in_backticks_become_links_where_they_mean_something():
    known = {"known": "{py:obj}`known <toolkit.known>`"}
    text = to_markdown("See `known`, `unknown`.\n\nRaises:\n    known: no.", known.get)
    assert text == f"See {known['known']}, `unknown`.\n\n**Raises:** known: no."


def test_the_summary_is_the_first_paragraph():
    assert summary("One\ntwo.\n\nThree.") == "One two."
