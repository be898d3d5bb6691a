"""Run a notebook without a browser and find what it swallowed.

A broken widget callback does not fail a run: its traceback lies in an Output widget, or as one
sentence in the `error` of our own widgets, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.exercises.editions import tags

STATE = "application/vnd.jupyter.widget-state+json"


def execute(path: Path, timeout: float = 90) -> Any:
    """The notebook as it is after a run in its own folder; the file stays as it is.

    Raises:
        AssertionError: a cell failed, or took more than `timeout` seconds.
    """
    from nbmake.nb_run import NotebookRun

    result = NotebookRun(path, default_timeout=timeout).execute()
    assert result.error is None, f"{path.name}: {result.error.summary}\n{result.error.trace}"
    return result.nb


def swallowed_errors(notebook: Any) -> list[str]:
    """Every error that an executed notebook holds, each with its place; none is good."""
    return [*_output_errors(notebook), *_widget_errors(notebook)]


def check_notebook(path: Path, timeout: float = 90) -> Any:
    """Run a notebook, fail on any error, shown or swallowed, and return it executed.

    Raises:
        AssertionError: names each error and its place.
    """
    notebook = execute(path, timeout)
    errors = swallowed_errors(notebook)
    assert not errors, f"{path.name}: " + "; ".join(errors)
    return notebook


def check_verdicts(notebook: Any) -> None:
    """Fail unless every check asks for an answer, and every solution's check is content."""
    for tag, wanted in (("check", "Not yet: still to write"), ("solution", "Correct: ")):
        cells = [cell for cell in notebook.cells if tag in tags(cell)]
        verdicts = [cell.outputs[-1].data["text/plain"] for cell in cells]
        assert all(verdict.startswith(wanted) for verdict in verdicts), verdicts


def widget_models(notebook: Any) -> dict[str, Any]:
    """The stored widget models by identity: `model_name` and `state` each."""
    return notebook.metadata.get("widgets", {}).get(STATE, {}).get("state", {})


def _output_errors(notebook: Any) -> Iterator[str]:
    """Tracebacks in cells and in Output widgets."""
    places = {f"cell {i}": cell.get("outputs", []) for i, cell in enumerate(notebook.cells)}
    for key, model in widget_models(notebook).items():
        if model["model_name"] == "OutputModel":
            places[f"output widget {key[:8]}"] = model["state"].get("outputs", [])
    for place, outputs in places.items():
        for output in outputs:
            if output["output_type"] == "error":
                yield f"{place}: {output['ename']}: {output['evalue']}"


def _widget_errors(notebook: Any) -> Iterator[str]:
    """Sentences in the `error` of explorers, cards and eigenvalue planes."""
    for key, model in widget_models(notebook).items():
        error = model["state"].get("error")
        if isinstance(error, str) and error:
            yield f"{model['model_name']} {key[:8]}: {error}"
