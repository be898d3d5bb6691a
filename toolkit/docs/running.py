"""Notebooks run for the site, without a browser, in a copy of their folder."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import nbformat

from toolkit.errors import UserError

Mode = Literal["fast", "full", "no"]

WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
#: Longest time for one cell, in seconds, by mode.
CELL_TIMEOUT = {"fast": 300, "full": 7200}


def run_all(notebooks: list[Path], folder: Path, mode: Mode, *, jobs: int = 1) -> list[Path]:
    """Run notebooks and write them, with their outputs, into `folder`; `jobs` at the same time.

    `fast` sets TOOLKIT_FAST=1, with which every notebook takes about a minute; with `full` each
    takes what its header says. With `no` nothing runs, and the copies have no outputs. A copy that
    was run in the same mode from the same cells is kept.

    Raises:
        UserError: a cell failed, took too long or swallowed an error; the message names both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(jobs) as pool:
        environment = os.environ | {
            "PLOTLY_RENDERER": "plotly_mimetype",
            "TOOLKIT_FAST": "1" if mode == "fast" else "0",
            # The kernels use this toolkit, wherever it lies.
            "PYTHONPATH": os.pathsep.join(
                [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
            ),
        }

        def one(path: Path) -> Path:
            notebook, place = nbformat.read(path, as_version=4), folder / path.name
            if not _is_run(notebook, place, mode):
                if mode != "no":
                    print(f"running {path.name}", flush=True)
                    run(notebook, path, environment, CELL_TIMEOUT[mode])
                notebook.metadata["toolkit_docs"] = mode
                nbformat.write(notebook, place)
            return place

        return list(pool.map(one, notebooks))


def swallowed(notebook: Any) -> list[str]:
    """Errors that did not stop a run: those in Output widgets, and in the `error` of our own."""
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    found = []
    for model in state.values():
        if isinstance(model["state"].get("error"), str):
            found.append(model["state"]["error"])
        for output in model["state"].get("outputs") or []:
            if output["output_type"] == "error":
                found.append(f"{output['ename']}: {output['evalue']}")
    return [error for error in found if error]


def _is_run(notebook: Any, place: Path, mode: Mode) -> bool:
    if not place.is_file():
        return False
    old = nbformat.read(place, as_version=4)
    same = [cell.source for cell in old.cells] == [cell.source for cell in notebook.cells]
    return same and old.metadata.get("toolkit_docs") == mode


def run(notebook: Any, path: Path, environment: dict[str, str], timeout: int) -> None:
    """Run a notebook in place, in a temporary folder with its pictures.

    Raises:
        UserError: a cell or a widget failed, or a cell took longer than `timeout` seconds.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    with TemporaryDirectory(prefix="toolkit-docs-") as place:
        if (path.parent / "images").is_dir():
            shutil.copytree(path.parent / "images", Path(place) / "images")
        client = NotebookClient(
            notebook, timeout=timeout, startup_timeout=120, resources={"metadata": {"path": place}}
        )
        try:
            # a kernel is talkative; its own event loop, as several may run at the same time
            asyncio.run(client.async_execute(env=environment, stderr=subprocess.DEVNULL))
        except CellExecutionError as error:
            raise UserError(
                f"{path.name}: a cell failed with {error.ename}: {error.evalue}"
            ) from None
        except CellTimeoutError:
            raise UserError(f"{path.name}: a cell took longer than {timeout} s.") from None
        except DeadKernelError:
            raise UserError(f"{path.name}: the kernel died.") from None
    for error in swallowed(notebook):
        raise UserError(f"{path.name}: a widget failed with {error}")
