"""Gathering the pages in one folder, and Sphinx on it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import nbformat

from toolkit.docs.citations import Citations, map_page
from toolkit.docs.help import help_page
from toolkit.docs.notebooks import notebook_page
from toolkit.docs.reference import Reference, role
from toolkit.errors import UserError

_ROOM = re.compile(r"\]\((?:\.\./)*toolkit/(\w+)(?:\.py)?\)")
_DEFINED = re.compile(r"\[`(toolkit\.[\w.]+)`\]\([^)]*\)|`(toolkit\.[\w.]+)`")


def gather(root: Path, executed: Path, stage: Path) -> None:
    """Write every page of the site into `stage`: what is written by hand, and what is made.

    `executed` holds the notebooks as they are to be shown.
    """
    reference = Reference.read(root)
    made = reference.pages()
    made["cli"] = help_page()
    for path in sorted((root / "docs").rglob("*.md")):
        name = path.relative_to(root / "docs").with_suffix("").as_posix()
        text = path.read_text()
        if name == "equations":
            text = map_page(text, Citations.of(reference))
        made[name] = linked(text, reference)
    for name in ("README", "CHANGELOG", "CONTRIBUTING"):
        made[name] = linked((root / f"{name}.md").read_text(), reference)
    notebooks = sorted(executed.glob("*.ipynb"))
    for path in notebooks:
        made[f"notebooks/{path.stem}"] = notebook_page(nbformat.read(path, as_version=4))
    made["notebooks/index"] = _list("Notebooks", [path.stem for path in notebooks])
    lessons = [name for name in made if name.startswith("instructor/")]
    if lessons and "instructor/index" not in made:
        titles = sorted(name.removeprefix("instructor/") for name in lessons)
        made["instructor/index"] = _list("For instructors", titles)
    for name, text in made.items():
        place = stage / f"{name}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for folder in ("results", "docs"):
        _copy(root / folder, stage / folder if folder == "results" else stage)
    _copy(root / "notebooks" / "images", stage / "notebooks" / "images")
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(root / name, stage / name)


def linked(text: str, reference: Reference) -> str:
    """A page of the repository as a page of the site: its links lead to pages of the site."""
    text = text.replace("](../", "](").replace("](docs/", "](").replace('src="docs/', 'src="')
    text = re.sub(r"\]\((notebooks/\w+)\.ipynb\)", r"](\1.md)", text)
    text = _ROOM.sub(r"](api/toolkit.\1.md)", text)

    def name(match: re.Match[str]) -> str:
        path = match[1] or match[2]
        found = reference.canonical(path)
        return role(found, path.rpartition(".")[2]) if found in reference.names else match[0]

    return _DEFINED.sub(name, text)


def sphinx(root: Path, stage: Path, out: Path, *, jobs: int = 1) -> None:
    """Make the site from the gathered pages; any warning is an error.

    Raises:
        UserError: Sphinx is not installed, or it complained.
    """
    command = [
        sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-T",
        "-j", str(jobs), "-c", str(root / "docs"), "-d", str(stage.parent / "doctrees"),
        str(stage), str(out),
    ]  # fmt: skip
    path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    if subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False).returncode:
        raise UserError("Sphinx complained about the pages; its messages stand above.")
    shutil.copytree(
        stage / "notebooks" / "images", out / "notebooks" / "images", dirs_exist_ok=True
    )
    plotly = distribution("plotly").locate_file("plotly/package_data/plotly.min.js")
    shutil.copy(str(plotly), out / "_static" / "plotly.min.js")


def _list(title: str, names: list[str]) -> str:
    listed = "\n".join(names)
    return f"# {title}\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"


def _copy(source: Path, target: Path) -> None:
    """The pictures and records of a folder; not its pages and settings."""
    kept = {".json", ".png", ".svg", ".gif"}
    for path in sorted(source.rglob("*")):
        if path.suffix in kept:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
