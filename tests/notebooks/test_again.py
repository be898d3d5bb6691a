"""A notebook that is interrupted stays usable, and one that is run again shows the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebook_checks import execute
from toolkit.exercises.editions import tags

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PLOTLY = "application/vnd.plotly.v1+json"
PATIENCE = 240  # seconds


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOOLKIT_FAST", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


def figures(notebook: Any) -> list[Any]:
    """What its plotly figures hold, without the names that plotly draws at random."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in ("uid", "config")}
        return [plain(v) for v in value] if isinstance(value, list) else value

    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return [plain(out.data[PLOTLY]) for out in outputs if PLOTLY in out.get("data", {})]


def test_restarted_and_run_again_it_shows_the_same(tmp_path: Path):
    source = NOTEBOOKS / "01_eigenvalue_initialization.ipynb"
    copy = tmp_path / source.name
    copy.write_bytes(source.read_bytes())
    first, second = (execute(copy, PATIENCE) for _ in range(2))
    shown = figures(first)
    assert len(shown) >= 2
    assert shown == figures(second)
    texts = [
        ["".join(out.get("text", "") for out in cell.outputs) for cell in run.cells
         if cell.cell_type == "code"]
        for run in (first, second)
    ]  # fmt: skip
    assert any(texts[0]) and texts[0] == texts[1]


class Kernel:
    """A kernel that runs source texts one after another."""

    def __init__(self) -> None:
        from jupyter_client.manager import start_new_kernel

        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(NOTEBOOKS))

    def run(self, source: str, seconds: float = PATIENCE) -> str:
        """What it printed; fails if it raised."""
        printed = []

        def hear(message: Any) -> None:
            printed.append(message["content"].get("text", ""))

        reply = self.client.execute_interactive(source, timeout=seconds, output_hook=hear)
        assert reply["content"]["status"] == "ok", reply["content"]
        return "".join(printed)

    def run_and_interrupt(self, source: str) -> str:
        """Interrupt once it has printed something; the error's name."""
        number = self.client.execute(source)
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "the cell printed nothing"
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["header"]["msg_type"] == "stream":
                break
        self.manager.interrupt_kernel()
        while True:
            reply = self.client.get_shell_msg(timeout=PATIENCE)
            if reply["parent_header"].get("msg_id") == number:
                return reply["content"].get("ename", "")


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


def test_an_interrupted_training_leaves_what_was_learned(kernel: Kernel):
    notebook = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", as_version=4)
    cells = [
        cell for cell in notebook.cells
        if cell.cell_type == "code" and not {"exercise", "check", "solution"} & set(tags(cell))
    ]  # fmt: skip
    (training,) = (i for i, cell in enumerate(cells) if "LivePlot(" in cell.source)
    for cell in cells[:training]:
        longer = "\nnum_updates = 1_000_000" if "parameters" in tags(cell) else ""
        kernel.run(cell.source + longer)
    told = cells[training].source.replace("plot.add(", "print('learned'); plot.add(")
    assert kernel.run_and_interrupt(told) == "KeyboardInterrupt"
    assert int(kernel.run("print(int(state.update_count[0]))")) >= 20
    for cell in cells[training + 1 : training + 3]:  # what comes next works on it
        kernel.run(cell.source)
