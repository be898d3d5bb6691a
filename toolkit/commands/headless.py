"""Running a notebook without a browser, and keeping it with an HTML page."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from toolkit.errors import UserError
from toolkit.training.checkpoint import write_atomically

_FIGURES = ("application/vnd.plotly.v1+json", "image/png", "image/svg+xml")


@dataclass(frozen=True)
class Executed:
    """Where a run notebook lies, and how long it took in seconds, kernel start included."""

    notebook: Path
    page: Path
    seconds: float
    first_figure_seconds: float | None
    failure: str | None


def execute(source: Path, folder: Path, *, cell_timeout: int) -> Executed:
    """Run a notebook in its own folder and write the result and a page into `folder`.

    The page holds its pictures, its plotly figures and the script that draws them; only formulas
    need the network, and stay TeX without it. The copy finds its pictures where the source has
    them. A failing cell stops the notebook; what was done until then is written all the same.

    Raises:
        UserError: the notebook cannot be read, or the folder cannot be written.
    """
    notebook, figures = _read(source), []
    began = time.monotonic()

    def note_figure(cell: Any, **_: Any) -> None:
        if any(map(is_figure, cell.get("outputs", []))):
            figures.append(time.monotonic() - began)

    place = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(
        notebook, timeout=cell_timeout, startup_timeout=60, on_cell_executed=note_figure,
        resources=place,
    )  # fmt: skip
    failure = _run(client)
    seconds = time.monotonic() - began
    copy, page = folder / source.name, folder / f"{source.stem}.html"
    html, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, place)
    write_atomically(page, html.encode())
    there = Path(os.path.relpath(source.parent, folder)).as_posix()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r'(\]\(|src=")(?=images/)', rf"\1{there}/", cell.source)
    write_atomically(copy, nbformat.writes(notebook).encode())
    return Executed(copy, page, seconds, figures[0] if figures else None, failure)


def is_figure(output: Any) -> bool:
    """Whether a cell's output is a picture or a plotly figure."""
    data = output.get("data", {})
    return any(kind in data for kind in _FIGURES) or "plotly" in str(data.get("text/html", ""))


def _read(source: Path) -> Any:
    try:
        return nbformat.read(source, as_version=4)
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: expected a notebook, got {error}.") from None


def _run(client: NotebookClient) -> str | None:
    """Run all cells; what failed, in words."""
    # In a kernel plotly draws for JupyterLab alone, and the HTML export would drop its figures.
    environment = os.environ | {"PLOTLY_RENDERER": "notebook"}
    try:
        client.execute(env=environment)
    except CellExecutionError as error:
        return f"a cell failed with {error.ename}: {error.evalue}"
    except CellTimeoutError:
        return f"a cell took longer than {client.timeout} s"
    except DeadKernelError:
        return "the kernel died"
    return None
