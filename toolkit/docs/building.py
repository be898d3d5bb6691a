"""Gathering the pages in one folder, and Sphinx on it."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat

from toolkit.docs.checking import check_site
from toolkit.docs.citations import Citations, map_page
from toolkit.docs.help import help_page
from toolkit.docs.notebooks import notebook_page
from toolkit.docs.reference import NOT_LISTED, Reference, role, short_name
from toolkit.docs.running import Mode, run_all
from toolkit.errors import UserError

_LINK = re.compile(r"(\]\(|src=\")([^)\"#:]+)(#[^)\"]*)?(?=[)\"])")
_DEFINED = re.compile(r"\[`(toolkit\.[\w.]+)`\]\([^)]*\)|`(toolkit\.[\w.]+)`")


def build(
    root: Path, out: Path, mode: Mode, *, executed: Path | None = None, jobs: int = 1
) -> list[str]:
    """The site of the source tree in `root`; what `check_site` finds wrong with it.

    A site is written to `out` even if something is wrong with it, so that it can be looked at.

    Raises:
        UserError: `out` holds something else than a site, a notebook failed, or Sphinx complained.
    """
    is_site = (out / "searchindex.js").is_file()
    if out.exists() and not is_site and not (out.is_dir() and not any(out.iterdir())):
        raise UserError(f"`out` must be a folder for the site alone, which {out} is not.")
    sources = sorted((root / "notebooks").glob("*.ipynb"))
    with TemporaryDirectory(prefix="toolkit-docs-") as place:
        stage = Path(place) / "pages"
        shown = run_all(sources, executed or Path(place) / "executed", mode, jobs=jobs)
        gather(root, shown, stage)
        sphinx(root, stage, Path(place) / "site", jobs=jobs)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(Path(place) / "site", out)
    return check_site(out)


def gather(root: Path, executed: list[Path], stage: Path) -> None:
    """Write every page of the site into `stage`: what is written by hand, and what is made.

    `executed` are the notebooks as they are to be shown.
    """
    reference = Reference.read(root)
    made = reference.pages()
    made["cli"] = help_page()
    written = [root / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING")]
    for path in [*written, *sorted((root / "docs").rglob("*.md"))]:
        source = path.relative_to(root).as_posix()
        text = path.read_text()
        if source == "docs/equations.md":
            text = map_page(text, Citations.of(reference))
        page = "README.md" if source == "README.md" else place_of(source)
        made[page.removesuffix(".md")] = named(linked(text, source), reference)
    notebooks = {path.stem: _notebook(path) for path in executed}
    made |= {f"notebooks/{name}": text for name, text in notebooks.items()}
    titles = [f"{_number(name)}{_title(text)} <{name}>" for name, text in notebooks.items()]
    made["notebooks/index"] = "# Notebooks\n" + _contents(titles, shown=True)
    lessons = [name.partition("/")[2] for name in sorted(made) if name.startswith("instructor/")]
    if "index" in lessons:
        made["instructor/index"] += _contents([name for name in lessons if name != "index"])
        made["index"] = made["index"].replace("\nagents\n", "\ninstructor/index\nagents\n")
    for name, text in made.items():
        place = stage / f"{name}.md"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for folder in ("results", "docs"):
        _copy(root / folder, stage / folder if folder == "results" else stage)
    _copy(root / "notebooks" / "images", stage / "notebooks" / "images")
    for name in ("constraints.txt", "LICENSE"):
        shutil.copy(root / name, stage / name)


def place_of(path: str) -> str:
    """Where a file of the repository is on the site, as a path of the gathered pages."""
    if path == "README.md":
        return "index.md"
    if path.startswith("docs/"):
        return re.sub(r"(^|/)README\.md$", r"\1index.md", path.removeprefix("docs/"))
    if path.endswith(".ipynb"):
        return f"{path.removesuffix('.ipynb')}.md"
    room = re.fullmatch(r"toolkit/(\w+)(?:\.py|/.*)?", path)
    if room:
        return "cli.md" if room[1] in NOT_LISTED else f"api/toolkit.{room[1]}.md"
    return path


def linked(text: str, source: str) -> str:
    """The text of a file of the repository, its relative links turned to pages of the site.

    `source` is the file's path in the repository.
    """
    here = posixpath.dirname(place_of(source))

    def turn(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        place = posixpath.relpath(place_of(target), here or ".")
        return f"{match[1]}{place}{match[3] or ''}"

    return _LINK.sub(turn, text)


def named(text: str, reference: Reference) -> str:
    """The text with a link at each full name of the reference that stands in backticks."""

    def link(match: re.Match[str]) -> str:
        found = reference.names.get(reference.canonical(match[1] or match[2]))
        return role(found.path, short_name(found)) if found else match[0]

    return _DEFINED.sub(link, text)


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


def _notebook(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, f"notebooks/{path.name}")
    return notebook_page(notebook)


def _contents(pages: list[str], *, shown: bool = False) -> str:
    option = ":maxdepth: 1" if shown else ":hidden:"
    listed = "\n".join(pages)
    return f"\n```{{toctree}}\n{option}\n\n{listed}\n```\n"


def _number(name: str) -> str:
    number = re.match(r"\d+", name)
    return f"{number[0]} " if number else ""


def _title(page: str) -> str:
    return next(line[2:] for line in page.splitlines() if line.startswith("# "))


def _copy(source: Path, target: Path) -> None:
    """The pictures and records of a folder; not its pages and settings."""
    kept = {".json", ".png", ".svg", ".gif"}
    for path in sorted(source.rglob("*")):
        if path.suffix in kept:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
