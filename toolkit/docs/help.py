"""The page of the command line: what `--help` of every command shows."""

from __future__ import annotations

import contextlib
import io
import os
from unittest.mock import patch

from toolkit.cli import COMMANDS, Command, main

_WIDTH = "88"


def help_page() -> str:
    """Every command under a heading of its own, with the text of its `--help`."""
    lines = [
        "# Command line", "",
        "What `--help` of each command shows. `python -m toolkit` is the same as `toolkit`. Wrong "
        "input ends with one sentence and exit code 2.", "", *_block([]),
    ]  # fmt: skip
    for name, item in COMMANDS.items():
        lines += [f"## toolkit {name}", "", *_block([name])]
        if not isinstance(item, Command):
            for member in item.members():
                lines += [f"### toolkit {name} {member}", "", *_block([name, member])]
    return "\n".join(lines)


def help_text(words: list[str]) -> str:
    """What a command prints for `--help`, without colours and frames of the terminal."""
    shown = io.StringIO()
    plain = {"COLUMNS": _WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
    with patch.dict(os.environ, plain), contextlib.redirect_stdout(shown):
        code = main([*words, "--help"])
    if code:
        raise RuntimeError(f"`toolkit {' '.join(words)} --help` ended with {code}.")
    return "\n".join(line.rstrip() for line in shown.getvalue().strip("\n").splitlines())


def _block(words: list[str]) -> list[str]:
    return ["```{code-block} text", ":class: help", "", help_text(words), "```", ""]
