"""`toolkit docs`: the documentation site from the source tree, checked."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.errors import UserError

#: How many problems are printed.
_SHOWN = 50
_NEEDED = ("sphinx", "myst_parser", "furo", "griffe", "nbclient")


@dataclass(frozen=True)
class Docs:
    """Build the documentation site, notebooks with their outputs, and check every page of it."""

    out: Path = Path("site")
    """Folder of the site; an older site in it is replaced."""
    execute: Literal["fast", "full", "no"] = "fast"
    """Run the notebooks shortened (a minute or two each), whole, or not at all."""
    executed: Path | None = None
    """Folder that keeps the notebooks as they were run; one that is there unchanged is not run
    again."""
    jobs: int = 1
    """How many notebooks run, and how many pages are written, at the same time."""

    def run(self) -> int:
        """0, or 1 if a page has a broken link or shows an error."""
        root = Path(__file__).parents[2]
        if not (root / "docs" / "conf.py").is_file():
            raise UserError(
                "The site is built from the source tree, and this toolkit was installed without it."
            )
        for package in _NEEDED:
            if importlib.util.find_spec(package) is None:
                raise UserError(
                    f"`toolkit docs` needs {package}, which is not installed: "
                    "pip install -e '.[docs,notebooks,mujoco]'."
                )
        if self.jobs < 1:
            raise UserError(f"`jobs` must be at least 1, got {self.jobs}.")
        from toolkit.docs.building import build

        problems = build(root, self.out, self.execute, executed=self.executed, jobs=self.jobs)
        for problem in problems[:_SHOWN]:
            print(problem, file=sys.stderr)
        print(f"{self.out / 'index.html'}: {len(problems) or 'no'} problems")
        return 1 if problems else 0
