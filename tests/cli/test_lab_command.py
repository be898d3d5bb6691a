"""`toolkit lab`: started on a free port, or run without a browser."""

from __future__ import annotations

import json
import re
import socket
import sys

import pytest

from toolkit.commands import lab

pytest.importorskip("jupyterlab")
nbformat = pytest.importorskip("nbformat")

FIGURE = "import plotly.graph_objects as go\ngo.Figure(go.Scatter(y=[1, 4, 9]))"


@pytest.fixture
def notebooks(tmp_path):
    """Makes a folder whose first notebook has these cells."""

    def make(*cells: str):
        folder = tmp_path / "notebooks"
        folder.mkdir()
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell, id=f"c{i}") for i, cell in enumerate(cells)],
            metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
        )
        nbformat.write(notebook, folder / lab.START)
        return folder

    return make


@pytest.fixture
def started(monkeypatch):
    """What would have been started."""
    commands: list[list[str]] = []

    def call(command):
        commands.append(command)
        return 0

    monkeypatch.setattr(lab, "serve", call)
    return commands


def test_execute_leaves_a_copy_and_a_page_with_its_figure(toolkit, notebooks, tmp_path):
    folder, out = notebooks("print(6 * 7)", FIGURE), tmp_path / "out"
    source = (folder / lab.START).read_bytes()
    answer = toolkit("lab", "--execute", "--notebooks", folder, "--out", out)
    assert answer.code == 0, answer.err
    assert "first figure after" in answer.out
    assert (folder / lab.START).read_bytes() == source
    executed = json.loads((out / "00_start_here.ipynb").read_text())
    assert executed["cells"][0]["outputs"][0]["text"] == ["42\n"]
    page = (out / "00_start_here.html").read_text()
    assert "Plotly.newPlot" in page
    assert len(page) > 3_000_000  # the script that draws is inside, so no network is needed


def test_the_copy_and_the_page_keep_their_pictures(toolkit, notebooks, tmp_path):
    folder, out = notebooks("print('before')"), tmp_path / "elsewhere" / "out"
    (folder / "images").mkdir()
    (folder / "images" / "dot.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    notebook = nbformat.read(folder / lab.START, 4)
    here = '![a dot](images/dot.svg) <img src="images/dot.svg" alt="a dot">'
    notebook.cells.append(nbformat.v4.new_markdown_cell(here))
    nbformat.write(notebook, folder / lab.START)
    assert toolkit("lab", "--execute", "--notebooks", folder, "--out", out).code == 0
    assert (out / "00_start_here.html").read_text().count('src="data:image/svg+xml;base64') == 2
    source = nbformat.read(out / lab.START, 4).cells[-1].source
    pictures = re.findall(r'[("]([^("]*dot\.svg)', source)
    assert len(pictures) == 2
    assert all((out / p).samefile(folder / "images" / "dot.svg") for p in pictures)


def test_a_failing_cell_is_one_sentence_and_the_copy_stays(toolkit, notebooks, tmp_path):
    folder = notebooks("print('before')", "1 / 0", "print('after')")
    answer = toolkit("lab", "--execute", "--notebooks", folder, "--out", tmp_path / "out")
    assert answer.code == 1
    assert answer.err.splitlines()[-1] == (
        "toolkit: 00_start_here.ipynb: a cell failed with ZeroDivisionError: division by zero"
    )
    assert "no figure" in answer.out
    assert "before" in (tmp_path / "out" / lab.START).read_text()


def test_a_cell_that_hangs_is_stopped(toolkit, notebooks, tmp_path):
    folder = notebooks("import time; time.sleep(60)")
    answer = toolkit("lab", "--execute", "--notebooks", folder, "--out", tmp_path / "out",
                     "--cell-timeout", 1)  # fmt: skip
    assert answer.code == 1
    assert "a cell took longer than 1 s" in answer.err


def test_a_busy_port_is_refused_before_anything_starts(refused, notebooks, started):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = refused("lab", "--notebooks", notebooks(), "--port", port)
    assert f"`port` {port} cannot be used (Address already in use)" in sentence
    assert started == []


def test_the_command_line_of_jupyterlab(toolkit, notebooks, started):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = notebooks()
    assert toolkit("lab", "--notebooks", folder, "--port", port, "--no-browser").code == 0
    (command,) = started
    assert f"--ServerApp.root_dir={folder}" in command
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    assert {f"--port={port}", "--ServerApp.port_retries=0", "--no-browser"} <= set(command)
    assert toolkit("lab", "--notebooks", folder).code == 0
    assert not any("port" in word for word in started[1][3:])


def test_the_exit_code_is_the_servers_own():
    assert lab.serve([sys.executable, "-c", "raise SystemExit(7)"]) == 7


def test_wrong_places_are_refused(refused, notebooks, tmp_path, monkeypatch):
    sentence = refused("lab", "--notebooks", tmp_path / "nowhere")
    assert "`notebooks` must be a folder that holds 00_start_here.ipynb" in sentence
    assert "`port` must lie in 1..65535" in refused("lab", "--notebooks", notebooks(), "--port", 0)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "site" / "toolkit" / "commands" / "lab.py"))
    assert "installed without it" in refused("lab")


def test_a_missing_package_comes_with_its_command(refused, notebooks, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    sentence = refused("lab", "--notebooks", notebooks())
    assert sentence.endswith("pip install 'koopman-toolkit[notebooks]'.")


def test_a_notebook_that_is_none_is_refused(refused, tmp_path):
    (tmp_path / lab.START).write_text("not a notebook")
    sentence = refused("lab", "--execute", "--notebooks", tmp_path, "--out", tmp_path / "out")
    assert "expected a notebook" in sentence
    assert not (tmp_path / "out").exists()
