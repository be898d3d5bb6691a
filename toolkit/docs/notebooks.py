"""A notebook, run or not, as a page: its figures stay interactive without a kernel."""

from __future__ import annotations

import json
import re
from typing import Any

from toolkit.docs.running import WIDGET_STATE
from toolkit.exercises.editions import tags

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
#: What a page says of its outputs, by how it was run.
ABOUT = {
    "fast": "The outputs below come from a short run (`TOOLKIT_FAST=1`), in which models stay "
    "poor. The text speaks of the whole run, from which the still pictures are.",
    "full": "The outputs below come from a whole run.",
    "no": "This page was built without running the notebook.",
}
LIVE = "Sliders, cards and what can be dragged need a kernel: open the notebook with a badge above, or with `toolkit lab` on your own machine."  # noqa: E501
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TYPES = {"float": "f", "int": "i", "uint": "u"}


def notebook_page(notebook: Any) -> str:
    """The page in Markdown; how it was run stands in the notebook's metadata."""
    models = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    parts = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts += [_code(cell), *(_output(o, models) for o in _merged(cell.get("outputs", [])))]
        if number == 0:
            about = ABOUT[notebook.metadata.get("toolkit_docs", "no")]
            parts.append(f":::{{admonition}} How to read this page\n{about} {LIVE}\n:::")
    return "\n\n".join(filter(None, parts)) + "\n"


def _code(cell: Any) -> str:
    if not cell.source.strip():
        return ""
    block = _fenced("{code-block} python", cell.source)
    if not cell.metadata.get("jupyter", {}).get("source_hidden"):
        return block
    name = "Solution" if "solution" in tags(cell) else "Code"
    return f'<details class="folded"><summary>{name}</summary>\n\n{block}\n\n</details>'


def _merged(outputs: list[Any]) -> list[Any]:
    """Neighbouring pieces of one stream as one output."""
    found: list[Any] = []
    for output in outputs:
        if (
            output.output_type == "stream" and found
            and found[-1].get("name") == output.name
        ):  # fmt: skip
            found[-1] = {**found[-1], "text": found[-1]["text"] + output.text}
        else:
            found.append(dict(output))
    return found


def _output(output: Any, models: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _text(output["text"])
    if output["output_type"] == "error":
        return _text("\n".join(output["traceback"]), "error")
    data = output["data"]
    if PLOTLY in data:
        return figure_html(data[PLOTLY])
    if WIDGET in data:
        return _widget(data, models)
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return _raw(f'<img class="output" alt="" src="data:{kind};base64,{data[kind]}">')
    if "image/svg+xml" in data:
        return _raw(f'<div class="output">{data["image/svg+xml"]}</div>')
    if "text/html" in data:
        return _raw(f'<div class="output html">{data["text/html"]}</div>')
    if "text/markdown" in data:
        return data["text/markdown"]
    return _text(data.get("text/plain", ""))


def figure_html(figure: dict[str, Any]) -> str:
    """A plotly figure that the page's script draws when the reader comes near it."""
    content = {"data": figure.get("data", []), "layout": figure.get("layout", {})}
    height = content["layout"].get("height") or 450
    text = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    return _raw(
        f'<div class="plotly-figure" style="min-height:{height}px">'
        f'<script type="application/json">{text}</script></div>'
    )


def _widget(data: Any, models: dict[str, Any]) -> str:
    """An explorer as it was first drawn; of other widgets, a sentence."""
    figure = None
    if data.get("text/plain", "").startswith("Explorer("):
        figure = _first_figure(data[WIDGET]["model_id"], models)
    if figure:
        note = "As first drawn. Its controls move it in a live notebook."
        return f"{figure_html(figure)}\n\n{_remark(note)}"
    return _remark("This part answers in a live notebook; a still picture stands beside it.")


def _remark(text: str) -> str:
    return _raw(f'<p class="needs-kernel">{text}</p>')


def _first_figure(key: str, models: dict[str, Any]) -> dict[str, Any] | None:
    """The data of the first plotly figure in a widget or its children."""
    state = models.get(key, {}).get("state", {})
    if "_widget_data" in state:
        for buffer in models[key].get("buffers", []):
            _put_back(state, buffer)
        return {"data": state["_widget_data"], "layout": state["_widget_layout"]}
    for child in state.get("children", []):
        found = _first_figure(str(child).removeprefix("IPY_MODEL_"), models)
        if found:
            return found
    return None


def _put_back(state: Any, buffer: Any) -> None:
    """An array whose bytes are stored beside the state, in the form that plotly.js reads."""
    *path, last = buffer["path"]
    place = state
    for step in path:
        place = place[step]
    if last in ("buffer", "value") and "dtype" in place:
        kind = place["dtype"].rstrip("0123456789")
        bits = place["dtype"].removeprefix(kind)
        shape = ",".join(map(str, place.get("shape", [])))
        place.clear()
        place.update(dtype=f"{_TYPES[kind]}{int(bits) // 8}", bdata=buffer["data"], shape=shape)


def _text(text: str, kind: str = "text") -> str:
    """Printed text, without colours, and of a progress bar only what it ended with."""
    lines = [line.rstrip().rpartition("\r")[2] for line in _ANSI.sub("", text).split("\n")]
    shown = "\n".join(lines).strip("\n")
    if not shown:
        return ""
    return _fenced("{code-block} text", shown, f":class: output {kind}")


def _fenced(kind: str, text: str, option: str = "") -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    return "\n".join([fence + kind, *([option] if option else []), "", text, fence])


def _raw(html: str) -> str:
    return _fenced("{raw} html", html)
