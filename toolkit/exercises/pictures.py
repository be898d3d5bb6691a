"""Pictures of a notebook's widgets, for readers without a kernel.

Notebooks are committed without outputs, so a widget shows nothing on GitHub or on paper. A code
cell with the tag `picture:NAME` yields `images/NAME.svg` from its last expression, one with
`picture:NAME=variable` from a variable, and a Markdown cell beside it shows the file. Where
MuJoCo draws, a tag `picture:NAME.png=path` takes the PNG that a variable points to.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from toolkit.errors import UserError
from toolkit.exercises.editions import tags

TAG = "picture:"
WIDTH, HEIGHT = 900, 420


def write_pictures(notebook: str | Path) -> list[Path]:
    """Run a notebook's code here and write every picture it names into `images` beside it.

    Takes as long as the notebook, and needs `kaleido` with a browser. The code runs as it stands,
    with all the rights of this process, so the notebook must be one that you trust.

    Raises:
        UserError: a tagged cell yields no figure, or a picture cannot be drawn.
    """
    import nbformat

    from toolkit.widgets import save_picture

    path = Path(notebook)
    folder = path.parent / "images"
    folder.mkdir(exist_ok=True)
    written = []
    for name, figure in figures(nbformat.read(path, as_version=4)):
        if isinstance(figure, Path):
            written.append(shrink(figure, folder / name))
            continue
        small = go.Figure(figure)
        small.update_layout(width=WIDTH, height=small.layout["height"] or HEIGHT)
        written.append(save_picture(small, folder / f"{name}.svg"))
    return written


def figures(notebook: Any) -> Iterator[tuple[str, go.Figure | Path]]:
    """Each picture's name and figure, in the order of the cells, which run in this process.

    A name that ends in .png comes with the path of that PNG.
    """
    space: dict[str, Any] = {"__name__": "__main__", "display": lambda *_shown: None}
    for cell in notebook.cells:
        if cell.cell_type != "code" or "exercise" in tags(cell) or "check" in tags(cell):
            continue
        value = run_cell(cell.source, space)
        for name in picture_names(cell):
            name, _, variable = name.partition("=")
            found = space[variable] if variable else value
            yield name, existing(found, name) if name.endswith(".png") else to_figure(found, name)


def existing(path: Any, name: str) -> Path:
    """The PNG that a cell wrote.

    Raises:
        UserError: it wrote none, for instance because nothing draws on this machine.
    """
    if not (isinstance(path, str | Path) and Path(path).is_file()):
        raise UserError(f"The picture {name!r} must be a file that the cell wrote, got {path}.")
    return Path(path)


def shrink(source: Path, target: Path) -> Path:
    """The PNG with 64 colours: a film strip of a robot needs no more, and is half as large."""
    from PIL import Image

    with Image.open(source) as image:
        few = image.convert("RGB").quantize(64, dither=Image.Dither.NONE)
    few.save(target, "PNG", optimize=True)
    return target


def picture_file(name: str) -> str:
    """The file of a picture in `images`: an SVG unless the name in the tag ends in .png."""
    stem = name.partition("=")[0]
    return stem if stem.endswith(".png") else f"{stem}.svg"


def picture_names(cell: Any) -> list[str]:
    """What a cell's `picture:` tags say after the colon."""
    return [tag.removeprefix(TAG) for tag in tags(cell) if tag.startswith(TAG)]


def run_cell(source: str, space: dict[str, Any]) -> Any:
    """Run the source in a namespace; the value of its last line if that is an expression."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "<cell>", "exec"), space)
        return None
    del tree.body[-1]
    exec(compile(tree, "<cell>", "exec"), space)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)


def to_figure(value: Any, name: str) -> go.Figure:
    """The plotly figure in what a cell shows: itself, an explorer's, or a live plot's.

    Raises:
        UserError: there is none.
    """
    inner = getattr(value, "figure", None)  # an explorer, a static figure or a live plot
    inner = inner() if callable(inner) else getattr(inner, "widget", inner)
    for candidate in (value, inner):
        if isinstance(candidate, go.Figure | go.FigureWidget):
            return go.Figure(candidate)
    raise UserError(f"The picture {name!r} must come from a figure, got {type(value).__name__}.")
