"""Notebooks as pages: figures stay interactive, widgets have a sentence, errors are not hidden."""

import base64
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from toolkit.docs.building import linked, place_of
from toolkit.docs.notebooks import notebook_page
from toolkit.docs.running import WIDGET_STATE, run_all, swallowed
from toolkit.errors import UserError


def page(*outputs, source: str = "x", mode: str = "fast", state: dict | None = None, **metadata):
    """The page of a title and one cell with these outputs."""
    cell = new_code_cell(source, outputs=list(outputs), metadata=metadata)
    widgets = {"widgets": {WIDGET_STATE: {"state": state or {}}}, "toolkit_docs": mode}
    return notebook_page(new_notebook(cells=[new_markdown_cell("# Title"), cell], metadata=widgets))


def shown(**data):
    return new_output("display_data", data={k.replace("__", "/"): v for k, v in data.items()})


def drawn(text: str) -> list:
    """The figures of a page, as its script reads them."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', text)
    return [json.loads(one) for one in found]


def test_a_figure_keeps_its_data_and_cannot_end_its_script():
    figure = {"data": [{"y": [1, 2], "name": "</script>"}], "layout": {"height": 300}}
    text = page(new_output("display_data", data={"application/vnd.plotly.v1+json": figure}))
    assert drawn(text) == [figure]
    assert "min-height:300px" in text


def model(plain: str, key: str = "top"):
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": key}, "text/plain": plain}
    return new_output("display_data", data=view)


def test_an_explorer_shows_its_first_figure_with_the_bytes_put_back():
    values = np.array([1.5, 2.5], np.float32)
    state = {
        "top": {"state": {"children": ["IPY_MODEL_inner"]}},
        "inner": {
            "state": {"_widget_layout": {"height": 200},
                      "_widget_data": [{"y": {"dtype": "float32", "shape": [2]}}]},
            "buffers": [{"path": ["_widget_data", 0, "y", "buffer"], "encoding": "base64",
                         "data": base64.b64encode(values.tobytes()).decode()}],
        },
    }  # fmt: skip
    text = page(model("Explorer(children=...)"), state=state)
    ((trace,),) = [figure["data"] for figure in drawn(text)]
    assert trace["y"]["dtype"] == "f4"
    assert trace["y"]["shape"] == "2"
    read = np.frombuffer(base64.b64decode(trace["y"]["bdata"]), np.float32)
    np.testing.assert_array_equal(read, values)
    assert "As first drawn" in text
    card = page(model("PredictionCard(children=...)"), state=state)
    assert drawn(card) == []
    assert "a still picture stands beside it" in card


def test_printed_text_has_no_colours_and_the_end_of_a_bar():
    text = page(
        new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m\n 5%\r50%\r"),
        new_output("stream", name="stdout", text="100%\n```\n"),
    )
    assert "````{code-block} text\n:class: output text\n\nred\n100%\n```\n````" in text


def test_an_error_stays_visible():
    error = new_output("error", ename="ValueError", evalue="no", traceback=["ValueError: no"])
    assert ":class: output error\n\nValueError: no" in page(error)


def test_pictures_and_html_are_kept():
    text = page(shown(image__png="iVBOR"), shown(text__html="<b>yes</b>"))
    assert 'src="data:image/png;base64,iVBOR"' in text
    assert "<b>yes</b>" in text


def test_hidden_code_is_folded_and_the_page_says_how_it_was_run():
    text = page(source="y", tags=["solution"], jupyter={"source_hidden": True})
    assert "<summary>Solution</summary>\n\n```{code-block} python\n\ny\n```" in text
    assert "short run" in text
    assert "built without running" in page(mode="no")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("README.md", "index.md"), ("docs/a.md", "a.md"), ("docs/x/README.md", "x/index.md"),
        ("notebooks/00_a.ipynb", "notebooks/00_a.md"), ("toolkit/data", "api/toolkit.data.md"),
        ("toolkit/data/x.py", "api/toolkit.data.md"), ("toolkit/nn.py", "api/toolkit.nn.md"),
        ("toolkit/commands", "cli.md"), ("results/a.json", "results/a.json"),
    ],
)  # fmt: skip
def test_every_file_has_its_place(path: str, place: str):
    assert place_of(path) == place


def test_links_follow_their_targets():
    text = "[a](../../notebooks/00_a.ipynb#x) [b](../../README.md) [c](https://a.b/c.md) [d](#e)"
    assert linked(text, "docs/instructor/README.md") == (
        "[a](../notebooks/00_a.md#x) [b](../index.md) [c](https://a.b/c.md) [d](#e)"
    )
    assert linked('<img src="images/a.svg">', "notebooks/00_a.ipynb") == '<img src="images/a.svg">'


def write(folder: Path, *sources: str) -> Path:
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    path = folder / "note.ipynb"
    nbformat.write(notebook, path)
    return path


def test_notebooks_are_run_once_in_the_mode_that_is_asked_for(tmp_path: Path, capfd):
    source = "import os, toolkit; print('fast is', os.environ['TOOLKIT_FAST'], toolkit.__name__)"
    path = write(tmp_path, source)
    (place,) = run_all([path], tmp_path / "out", "fast")
    executed = nbformat.read(place, as_version=4)
    assert executed.cells[0].outputs[0].text == "fast is 1 toolkit\n"
    assert not nbformat.read(path, as_version=4).cells[0].outputs
    assert "running note.ipynb" in capfd.readouterr().out
    run_all([path], tmp_path / "out", "fast")
    assert "running" not in capfd.readouterr().out
    write(tmp_path, "1 / 0")
    with pytest.raises(UserError, match=r"note\.ipynb: a cell failed with ZeroDivisionError"):
        run_all([path], tmp_path / "out", "full")
    run_all([path], tmp_path / "out", "no")
    assert not nbformat.read(place, as_version=4).cells[0].outputs


def test_what_widgets_swallow_is_found():
    bad = {"output_type": "error", "ename": "KeyError", "evalue": "'a'"}
    state = {"a": {"state": {"outputs": [bad]}}, "b": {"state": {"error": "It is wrong."}},
             "c": {"state": {"error": ""}}}  # fmt: skip
    notebook = new_notebook(metadata={"widgets": {WIDGET_STATE: {"state": state}}})
    assert swallowed(notebook) == ["KeyError: 'a'", "It is wrong."]
    assert swallowed(new_notebook()) == []
