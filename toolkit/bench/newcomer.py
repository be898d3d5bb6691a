"""A newcomer's first minutes: a fresh clone, the README's first command, the first figure."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import UserError

_MARKED = re.compile(r"<!-- lab -->\s*```bash\n(.+?)\n```", re.DOTALL)
_FIRST_FIGURE = re.compile(r"first figure after ([\d.]+) s")
_WHOLE = re.compile(r"whole notebook: ([\d.]+) s")


@dataclass(frozen=True)
class FirstMinutes:
    """Seconds of each step, and how large what was installed is."""

    clone_seconds: float
    install_seconds: float
    """Making the environment and installing into it, nothing taken from pip's cache."""
    first_figure_seconds: float
    """From the command until the first notebook shows a figure, run without a browser."""
    notebook_seconds: float
    """The same for the whole notebook, whole meaning not in fast mode."""
    environment_bytes: int
    packages: int

    @property
    def minutes(self) -> float:
        """From the clone's beginning to the first figure."""
        return (self.clone_seconds + self.install_seconds + self.first_figure_seconds) / 60

    def told(self) -> str:
        """In words."""
        return (
            f"clone {self.clone_seconds:.0f} s, install {self.install_seconds:.0f} s, first "
            f"figure {self.first_figure_seconds:.0f} s after that: {self.minutes:.1f} minutes; "
            f"whole notebook {self.notebook_seconds:.0f} s; environment "
            f"{self.environment_bytes / 1e9:.2f} GB in {self.packages} packages"
        )


def readme_command(repository: Path) -> tuple[str, str]:
    """The README's first command: what installs, and what opens the first notebook."""
    readme = repository / "README.md"
    found = _MARKED.search(readme.read_text()) if readme.is_file() else None
    if not found:
        raise UserError(f"{readme} has no command between <!-- lab --> and <!-- /lab -->.")
    install, _, opened = found[1].rpartition(" && ")
    return install, opened


def measure(repository: Path, folder: Path) -> FirstMinutes:
    """Clone `repository`'s last commit into the empty `folder` and follow its README.

    What is not committed is not measured. Packages come from where pip is told to look, so the
    time to install depends on the network.

    Raises:
        UserError: a step failed; the sentence ends with what it printed last.
    """
    clone = folder / "clone"
    environment = {
        name: value for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "TOOLKIT_FAST", "VIRTUAL_ENV", "JAX_COMPILATION_CACHE_DIR")
    } | {"PIP_NO_CACHE_DIR": "1", "XDG_CACHE_HOME": str(folder / "cache")}  # fmt: skip
    # the interpreter that measures is the newcomer's python3
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])

    def follow(command: str, where: Path) -> tuple[float, str]:
        began = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command], cwd=where, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
            raise UserError(f"`{command}` failed and printed last: {last}")
        return time.perf_counter() - began, done.stdout

    source = shlex.quote(str(repository.resolve()))
    clone_seconds, _ = follow(f"git clone -q {source} clone", folder)
    install, opened = readme_command(clone)
    install_seconds, _ = follow(install, clone)
    _, printed = follow(f"{opened} --execute", clone)
    figure, whole = _FIRST_FIGURE.search(printed), _WHOLE.search(printed)
    if not (figure and whole):
        raise UserError(f"`{opened} --execute` told no time of a first figure: {printed}")
    return FirstMinutes(
        clone_seconds, install_seconds, float(figure[1]), float(whole[1]),
        *_size(clone / ".venv"),
    )  # fmt: skip


def _size(environment: Path) -> tuple[int, int]:
    """Bytes of the files of a virtual environment, and how many packages they are."""
    files = [p for p in environment.rglob("*") if p.is_file() and not p.is_symlink()]
    packages = sum(p.name == "METADATA" and p.parent.suffix == ".dist-info" for p in files)
    return sum(p.stat().st_size for p in files), packages
