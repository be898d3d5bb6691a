"""How long the explorers of the notebooks make a reader wait."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from toolkit.bench.timing import Row
from toolkit.errors import UserError

#: Seconds that a redraw may take: of a figure alone, and where a model or a simulator is asked.
LIMITS = {False: 0.1, True: 1.0}
_SWEEP = """
import dataclasses, json
from toolkit.widgets.explorer import ALIVE
from toolkit.widgets.sweep import sweep
print(json.dumps([dataclasses.asdict(sweep(ALIVE[number], {turns})) for number in sorted(ALIVE)]))
"""


def sweep_code(turns: int = 2) -> str:
    """To run in a notebook's kernel: it works every explorer that its cells made."""
    return _SWEEP.format(turns=turns)


def measure(
    notebooks: Sequence[Path],
    *,
    fast: bool = True,
    cell_timeout: int = 300,
    on_rows: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Two rows for each explorer: its first visits of every place, and its later ones.

    A row's time is the largest over controls and places, the ratio its share of the limit that
    `LIMITS` sets. With `fast`, notebooks train small models for a short time; the models that
    explorers ask have the same sizes otherwise unless the notebook says so.

    Raises:
        UserError: a notebook cannot be read, or a cell of it failed.
    """
    measured: list[Row] = []
    for path in notebooks:
        found = rows_of(path.stem, sweeps_of(path, fast=fast, cell_timeout=cell_timeout))
        measured += found
        on_rows(found)
    return measured


def sweeps_of(path: Path, *, fast: bool, cell_timeout: int) -> list[dict[str, Any]]:
    """What `sweep_code` prints behind the cells of a notebook, which runs in its own folder.

    Raises:
        UserError: the notebook cannot be read, or a cell of it failed.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: expected a notebook, got {error}.") from None
    notebook.cells.append(nbformat.v4.new_code_cell(sweep_code()))
    client = NotebookClient(
        notebook, timeout=cell_timeout, resources={"metadata": {"path": str(path.parent)}}
    )
    environment = {k: v for k, v in os.environ.items() if k != "TOOLKIT_FAST"}
    try:
        client.execute(env=environment | ({"TOOLKIT_FAST": "1"} if fast else {}))
    except CellExecutionError as error:
        raise UserError(f"{path.name}: a cell failed with {error.ename}: {error.evalue}") from None
    return printed_sweeps(notebook.cells[-1])


def printed_sweeps(cell: Any) -> list[dict[str, Any]]:
    """What `sweep_code` has printed in an executed cell."""
    printed = "".join(out.text for out in cell.outputs if out.get("name") == "stdout")
    return json.loads(printed.splitlines()[-1])


def rows_of(notebook: str, sweeps: Sequence[dict[str, Any]]) -> list[Row]:
    """The rows of a notebook's explorers; one whose controls never moved has none."""
    found = []
    for number, swept in enumerate(sweeps, 1):
        limit = LIMITS[swept["computes"]]
        reference = "limit where a model is asked" if swept["computes"] else "limit of a figure"
        case = f"explorers/{notebook}/{number}: {swept['name']}"
        for which, turns in (("first", (0,)), ("later", (1,))):
            seconds = [a["seconds"] for a in swept["answers"] if a["turn"] in turns]
            if seconds:
                worst = max(seconds)
                found.append(
                    Row(f"{case}/{which}", worst, reference, limit, worst / limit, len(seconds))
                )
    return found


def summary(measured: Sequence[Row]) -> str:
    """How many explorers keep their limit, at first and later, in words."""
    told = []
    for which in ("first", "later"):
        ratios = [row.ratio for row in measured if row.case.endswith(f"/{which}")]
        kept = sum(ratio <= 1 for ratio in ratios)
        middle = f", in the middle {statistics.median(ratios):.0%} of it" if ratios else ""
        told.append(f"{which} visits: {kept} of {len(ratios)} explorers within their limit{middle}")
    return "; ".join(told)
