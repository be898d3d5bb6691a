"""`toolkit lab`: the notebooks in JupyterLab, or run without a browser."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import UserError

START = "00_start_here.ipynb"
_INSTALL = "pip install 'koopman-toolkit[notebooks]'"


@dataclass(frozen=True)
class Lab:
    """Open JupyterLab on the notebooks, or run the first one without a browser."""

    execute: bool = False
    """Run the first notebook here, without a browser, and keep it and an HTML page."""
    notebooks: Path | None = None
    """Folder of the notebooks; without it, the source tree's."""
    port: int | None = None
    """Port of JupyterLab; without it, the first free one from 8888 on."""
    no_browser: bool = False
    """Do not open a browser; the address is printed."""
    out: Path = Path("runs/lab")
    """With --execute: folder for the executed notebook and the page."""
    cell_timeout: int = 120
    """With --execute: longest time for one cell, in seconds."""

    def run(self) -> int:
        """JupyterLab's own exit code; with --execute 0, or 1 if a cell failed."""
        notebook = find_notebooks(self.notebooks) / START
        if self.execute:
            return self._execute(notebook)
        require("jupyterlab")
        if self.port is not None:
            check_port(self.port)
        return serve(lab_command(notebook, self.port, self.no_browser))

    def _execute(self, notebook: Path) -> int:
        require("nbclient")
        require("nbconvert")
        if self.cell_timeout < 1:
            raise UserError(f"`cell_timeout` must be at least 1, got {self.cell_timeout}.")
        from toolkit.commands.headless import execute

        record = execute(notebook, self.out, cell_timeout=self.cell_timeout)
        print(f"executed notebook: {record.notebook}\npage: {record.page}")
        first = record.first_figure_seconds
        print("no figure" if first is None else f"first figure after {first:.1f} s")
        print(f"whole notebook: {record.seconds:.1f} s")
        if record.failure:
            print(f"toolkit: {notebook.name}: {record.failure}", file=sys.stderr)
        return 1 if record.failure else 0


def find_notebooks(chosen: Path | None) -> Path:
    """The folder that holds the first notebook.

    Raises:
        UserError: it is not there.
    """
    folder = chosen or Path(__file__).parents[2] / "notebooks"
    if (folder / START).is_file():
        return folder.resolve()
    if chosen:
        raise UserError(f"`notebooks` must be a folder that holds {START}, got {chosen}.")
    raise UserError(
        "The notebooks are part of the source tree, and this toolkit was installed without it; "
        "`--notebooks` takes the folder of a copy."
    )


def require(package: str) -> None:
    """Refuse with a hint when an optional package is not installed."""
    if importlib.util.find_spec(package) is None:
        raise UserError(f"This command needs {package}, which is not installed: {_INSTALL}.")


def check_port(port: int) -> None:
    """Refuse a port that is out of range or taken.

    Raises:
        UserError: naming the port.
    """
    if not 1 <= port <= 65535:
        raise UserError(f"`port` must lie in 1..65535, got {port}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"`port` {port} cannot be used ({error.strerror}); choose another one."
            ) from None


def lab_command(notebook: Path, port: int | None, no_browser: bool) -> list[str]:
    """The command that starts JupyterLab on a notebook."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={notebook.parent}"]
    command += [f"--LabApp.default_url=/lab/tree/{notebook.name}"]
    if port is not None:
        command += [f"--port={port}", "--ServerApp.port_retries=0"]
    if no_browser:
        command += ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]
    return command


def serve(command: list[str]) -> int:
    """Run a server to its end. Ctrl-C reaches it too, and it asks by itself whether to stop."""
    with subprocess.Popen(command) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:
                continue
