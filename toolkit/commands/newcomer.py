"""`toolkit bench newcomer`: how long the first figure takes on a machine that has nothing."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from toolkit.commands.output import check_folder, write_report
from toolkit.errors import UserError


@dataclass(frozen=True)
class Newcomer:
    """Clone the last commit, follow the README's first command, and time it to the first figure."""

    json: Path | None = None
    """Also write the measurements to this file."""
    repository: Path | None = None
    """What is cloned; without it, the source tree that this command is part of."""

    def run(self) -> int:
        """Print the times, and the size of the installed environment."""
        from toolkit.bench.newcomer import measure
        from toolkit.bench.timing import host

        repository = self.repository or Path(__file__).parents[2]
        if not (repository / ".git").exists():
            raise UserError(f"`repository` must be a git repository, got {repository}.")
        check_folder(self.json)
        with tempfile.TemporaryDirectory(prefix="toolkit-newcomer-") as folder:
            found = measure(repository, Path(folder))
        print(found.told())
        if self.json:
            write_report(self.json, {"format": 1, "host": host(), **asdict(found)})
        return 0
