"""Figures for readers without a kernel."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from toolkit.errors import UserError

#: Environment variable that adds a picture to every `static` figure: `svg` or `png`.
SWITCH = "TOOLKIT_PICTURES"
_DECIMAL = re.compile(rb"-?\d+\.\d+")
_TRANSFORM = re.compile(rb' transform="[^"]*"')
#: What plotly writes although it is the default, or only scripts and style sheets read it.
_IDLE = re.compile(
    rb"(?<=[\" ])(?:(?:fill-|stroke-)?opacity: 1|vector-effect: none|stroke-width: 1px|"
    rb"font-(?:style|variant|weight): normal);\s?"
)
_UNREAD = re.compile(rb' (?:class|data-[a-z-]+)="[^"]*"| style=""')
_STYLE = re.compile(rb' style="([^"]*)"')
_EMPTY_GROUP = re.compile(rb"<g(?: transform=\"[^\"]*\"| clip-path=\"[^\"]*\")*(?:/>|></g>)")
FORMATS = {"svg": "image/svg+xml", "png": "image/png"}


def static(figure: go.Figure) -> StaticFigure:
    """Show a figure that needs no kernel: the last expression of a cell, beside its widget.

    The cell's output holds the figure as plotly data (some 10 kB), which JupyterLab, VS Code and
    Colab draw without a kernel. GitHub's viewer and exported pages draw only pictures. Making one
    starts a browser (seconds, and the package kaleido), too slow for every run of a notebook, so a
    picture is added only where the environment variable `TOOLKIT_PICTURES` says `svg` or `png`, as
    a build of the documentation does.

    Raises:
        UserError: it is not a plotly figure.
    """
    if not isinstance(figure, go.Figure):
        raise UserError(f"`figure` must be a plotly figure, got {type(figure).__name__}.")
    return StaticFigure(figure)


class StaticFigure:
    """A figure as notebook output, with a picture on request; made by `static`."""

    def __init__(self, figure: go.Figure):
        self.figure = figure

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, Any]:
        bundle = {"application/vnd.plotly.v1+json": json.loads(self.figure.to_json() or "")}
        kind = os.environ.get(SWITCH, "")
        if kind:
            image = _render(self.figure, kind)
            bundle[FORMATS[kind]] = image.decode() if kind == "svg" else _base64(image)
        return bundle


def save_picture(figure: go.Figure, path: str | Path) -> Path:
    """Write a figure as SVG or PNG, by the ending of `path`, for a README or a Markdown cell.

    Raises:
        UserError: another ending, or the package kaleido is missing.
    """
    path = Path(path)
    path.write_bytes(_render(figure, path.suffix.removeprefix(".")))
    return path


def _render(figure: go.Figure, kind: str) -> bytes:
    if kind not in FORMATS:
        raise UserError(f"A picture must be one of {list(FORMATS)}, got {kind!r}.")
    if importlib.util.find_spec("kaleido") is None:
        raise UserError("A picture needs `kaleido`, which is not installed: pip install kaleido.")
    width, height = figure.layout.width or 960, figure.layout.height or 450
    image = figure.to_image(format=kind, width=width, height=height)
    return tidy_svg(image) if kind == "svg" else image


def tidy_svg(svg: bytes) -> bytes:
    """An SVG by plotly without its random ids, and with curves to a tenth of a pixel.

    So a figure that has not changed gives the same file, and one of half the size: defaults, and
    what only scripts and style sheets read, are left out too, and a style that many parts have
    is written once.
    """
    if b"<style>" in svg:  # tidy already: its classes are read
        return svg
    token = re.search(rb'id="defs-([0-9a-f]{6})"', svg)
    if token:
        svg = svg.replace(token[1], b"figure")
    svg = re.sub(rb' d="[^"]*"', lambda path: _DECIMAL.sub(_tenths, path[0]), svg)
    svg = _TRANSFORM.sub(lambda move: _DECIMAL.sub(_hundredths, move[0]), svg)
    svg = re.sub(rb'style="[^"]*"', lambda style: _IDLE.sub(b"", style[0]), svg)
    svg = _UNREAD.sub(b"", svg)
    left = -1
    while left != len(svg):
        left, svg = len(svg), _EMPTY_GROUP.sub(b"", svg)
    return _with_classes(svg)


def _with_classes(svg: bytes) -> bytes:
    """Styles that recur as classes, which weigh the same: plotly repeats a font in every label."""
    counts = Counter(found[1] for found in _STYLE.finditer(svg))
    often = sorted(style for style, count in counts.items() if count > 2)
    if not often:
        return svg
    names = {style: b"s%d" % number for number, style in enumerate(often)}
    sheet = b"".join(b".%s{%s}" % (names[style], style.strip()) for style in often)

    def named(found: re.Match[bytes]) -> bytes:
        return b' class="%s"' % names[found[1]] if found[1] in names else found[0]

    return _STYLE.sub(named, svg).replace(b">", b"><style>%s</style>" % sheet, 1)


def _tenths(number: re.Match[bytes]) -> bytes:
    return f"{round(float(number[0]), 1):g}".encode()


def _hundredths(number: re.Match[bytes]) -> bytes:
    return f"{round(float(number[0]), 2):g}".encode()


def _base64(image: bytes) -> str:
    return base64.b64encode(image).decode()
