"""A notebook whose training is interrupted stays usable."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

from toolkit.exercises.editions import tags

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"
PATIENCE = 240  # seconds


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


@pytest.mark.usefixtures("fast")
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
