"""Docstrings as Markdown. They are plain prose with backticks, bullets and a few named parts."""

from __future__ import annotations

import re
from collections.abc import Callable

#: Parts that a docstring may end with; each begins a paragraph of its own.
PART = re.compile(
    r"(Args|Deviations?|Departure|Note|Raises|Returns|Shapes|Source|Units|Yields):(?= |$)"
)
ARXIV = re.compile(r"arXiv:(\d{4}\.\d{5})(v\d+)?")
_CODE = re.compile(r"(`[^`]+`)")
_RAISED = re.compile(r"`?([A-Z][\w.]+)`?: (.*)")

Link = Callable[[str], str | None]


def to_markdown(docstring: str, link: Link = lambda _name: None) -> str:
    """The docstring's paragraphs, bullets and parts; `link` makes a link of a name in backticks.

    Nothing in it can become markup by accident, except `*emphasis*`, which is meant.
    """
    blocks = [_block(kind, lines, link) for kind, lines in _blocks(docstring.splitlines())]
    return "\n\n".join(block for block in blocks if block)


def summary(docstring: str) -> str:
    """The first paragraph on one line."""
    return " ".join(docstring.strip().partition("\n\n")[0].split())


def inline(text: str, link: Link = lambda _name: None) -> str:
    """One paragraph, with what would be markup escaped outside backticks."""
    pieces = _CODE.split(" ".join(text.split()))
    return "".join(
        _code(piece, link) if _CODE.fullmatch(piece) else _plain(piece) for piece in pieces
    )


def _plain(text: str) -> str:
    text = re.sub(r"([\\<$\[\]|])", r"\\\1", text)
    return ARXIV.sub(r"[\g<0>](https://arxiv.org/abs/\1\2)", text)


def _code(piece: str, link: Link) -> str:
    return link(piece[1:-1]) or piece


def _blocks(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Runs of lines that belong together: a paragraph, a bullet, or a part by its name."""
    found: list[tuple[str, list[str]]] = []
    fresh = True
    for line in lines:
        text = line.strip()
        part = PART.match(line)
        if not text:
            fresh = True
            continue
        if part:
            found.append((part[1], [line[part.end() :].strip()]))
        elif text.startswith("- "):
            found.append(("-", [text[2:]]))
        elif found and (not fresh or (line.startswith(" ") and found[-1][0])):
            found[-1][1].append(text)
        else:
            found.append(("", [text]))
        fresh = False
    return found


def _block(kind: str, lines: list[str], link: Link) -> str:
    if kind == "Raises":
        return "\n\n".join(_raised(text, link) for text in _errors(lines))
    text = inline(" ".join(lines), link)
    if kind == "-":
        return f"- {text}"
    return f"**{kind}:** {text}" if kind else text


def _errors(lines: list[str]) -> list[str]:
    """One text for each error; what does not begin with the error's name goes on with the last."""
    found: list[str] = []
    for line in filter(None, lines):
        if _RAISED.fullmatch(line) or not found:
            found.append(line)
        else:
            found[-1] += f" {line}"
    return found


def _raised(text: str, link: Link) -> str:
    named = _RAISED.fullmatch(text)
    if not named:
        return f"**Raises:** {inline(text, link)}"
    return f"**Raises** {_code(f'`{named[1]}`', link)}: {inline(named[2], link)}"
