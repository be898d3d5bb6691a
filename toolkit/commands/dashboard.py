"""`toolkit dashboard [RUN]`: every explorer of a trained model in a page of its own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from toolkit.commands.lab import check_port, require, serve


@dataclass(frozen=True)
class DashboardCommand:
    """Serve every explorer of a trained model as a page without code."""

    run_dir: Annotated[Path | None, tyro.conf.Positional] = None
    """Folder of a run of a dynamics model; without one, a small model is trained first."""
    data: str | None = None
    """Other data than the run held out: a file, or a name from `toolkit data list`."""
    tdm: Path | None = None
    """Folder of a TDM's run, to explore the threshold of its filter too."""
    horizon: int = 100
    """Steps of every window."""
    port: int | None = None
    """Port of the page; without it, the first free one from 8866 on."""
    no_browser: bool = False
    """Do not open a browser; the address is printed."""

    def run(self) -> int:
        """Voilà's own exit code."""
        require("voila")
        if self.port is not None:
            check_port(self.port)
        if self.run_dir is not None:  # what cannot be shown is said before anything is served
            from toolkit.widgets.subjects import subject_of

            subject_of(self.run_dir, self.data)
        with tempfile.TemporaryDirectory(prefix="toolkit-dashboard-") as folder:
            page = Path(folder) / "dashboard.ipynb"
            write_page(page, self)
            return serve(voila_command(page, self.port, self.no_browser))


def write_page(path: Path, settings: DashboardCommand) -> None:
    """The notebook of one cell that Voilà serves."""
    import nbformat

    def absolute(folder: Path | None) -> str | None:
        return None if folder is None else str(folder.resolve())

    data = settings.data
    if data is not None and Path(data).exists():
        data = absolute(Path(data))
    cell = (
        "from toolkit.explore import dashboard\n"
        f"dashboard({absolute(settings.run_dir)!r}, {data!r}, "
        f"tdm={absolute(settings.tdm)!r}, horizon={settings.horizon})"
    )
    kernel: Any = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell)], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, path)


def voila_command(page: Path, port: int | None, no_browser: bool) -> list[str]:
    """The command that serves a notebook without its code, to this machine alone."""
    import sys

    command = [
        sys.executable, "-m", "voila", str(page), "--Voila.ip=127.0.0.1",
        "--VoilaConfiguration.show_tracebacks=True",
    ]  # fmt: skip
    if port is not None:
        command.append(f"--port={port}")
    return [*command, "--no-browser"] if no_browser else command
