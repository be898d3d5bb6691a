"""What Sphinx is told of our pages: mathematics without a script, figures, and sources."""

from __future__ import annotations

import ast
import html
import importlib.util
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import pending_xref
from sphinx.util import logging

SCRIPT = "figures.js"
#: What stands for commands that the converter does not know.
_KNOWN_AS = {"dots": r"\ldots", "big": ""}
_NAVIGATION: dict[str, str] = {}
_LOG = logging.getLogger(__name__)


def setup(app: Any) -> dict[str, Any]:
    """Connect the parts; Sphinx calls this."""
    app.add_html_math_renderer("mathml", (_math, None), (_math, None))
    app.connect("html-page-context", _add_figure_script)
    app.connect("html-page-context", _share_navigation, priority=100)  # before the theme asks
    app.connect("doctree-read", _keep_own_links)
    app.connect("viewcode-find-source", lambda _app, module: _source(module))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


_NAMED = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)\w+;")  # characters that XML has no names for
_ACCENTS = ("ˆ", "^", "~", "˜", "ˉ", "¯", "‾", "_", "˙", "¨", "ˇ", "→", "⃗")


def to_mathml(text: str, *, block: bool = False) -> str:
    """A formula as MathML, which browsers draw without a script.

    Raises:
        MathError: the formula has a command that is not known.
    """
    for name, known in _KNOWN_AS.items():
        text = re.sub(rf"\\{name}(?![A-Za-z])", lambda _found, known=known: known, text)
    return _beside_accents(tex2mathml(text, as_block=block))


def _beside_accents(mathml: str) -> str:
    """An index of a letter with an accent beside it; docutils sets it below."""
    space = "http://www.w3.org/1998/Math/MathML"
    ElementTree.register_namespace("", space)
    root = ElementTree.fromstring(_NAMED.sub(lambda found: html.unescape(found[0]), mathml))
    for both in root.iter(f"{{{space}}}munderover"):
        letter, index, above = both
        if above.text in _ACCENTS:
            accented = ElementTree.Element(f"{{{space}}}mover", accent="true")
            accented.extend([letter, above])
            both.tag = f"{{{space}}}msub"
            both[:] = [accented, index]
    return ElementTree.tostring(root, encoding="unicode")


def _math(writer: Any, node: Any) -> None:
    block = isinstance(node, nodes.math_block)
    try:
        text = to_mathml(node.astext(), block=block)
    except MathError as error:
        _LOG.warning("%s: %s", node.astext(), error, location=node)
        raise nodes.SkipNode from None
    writer.body.append(f'<div class="math">{text}</div>' if block else text)
    raise nodes.SkipNode


def _share_navigation(
    _app: Any, page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Listings in one folder have the same navigation; made for each, it takes most of the time."""
    if page.startswith("_modules/") and "toctree" in context:
        make, folder = context["toctree"], page.rpartition("/")[0]

        def shared(**options: Any) -> str:
            if folder not in _NAVIGATION:
                _NAVIGATION[folder] = make(**options)
            return _NAVIGATION[folder]

        context["toctree"] = shared


def _keep_own_links(_app: Any, tree: Any) -> None:
    """In signatures only our names can lead anywhere; Sphinx would look for every `Float`."""
    for link in list(tree.findall(pending_xref)):
        own = link.get("reftarget", "").startswith("toolkit")
        if link.get("refdomain") == "py" and link.get("reftype") in ("class", "obj") and not own:
            link.replace_self(nodes.Text(_whole(link)))


def _whole(link: pending_xref) -> str:
    """The name as it was written; where Sphinx keeps a short one too, it is marked by `*`."""
    chosen = [
        child
        for child in link.children
        if isinstance(child, nodes.Element) and child.get("condition") == "*"
    ]
    return "".join(child.astext() for child in chosen or link.children)


def _add_figure_script(
    app: Any, _page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """The script, and with it plotly, only on pages that have a figure."""
    if "plotly-figure" in context.get("body", ""):
        app.add_js_file(SCRIPT, loading_method="defer")


@cache
def _source(module: str) -> tuple[str, dict[str, tuple[str, int, int]]] | None:
    """A module's text, and the lines of what it defines, without importing it."""
    place = importlib.util.find_spec(module) if module.startswith("toolkit") else None
    if place is None or place.origin is None:
        return None
    text = Path(place.origin).read_text()
    return text, dict(_definitions(ast.parse(text), ""))


def _definitions(tree: Any, prefix: str) -> Any:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            kind = "class" if isinstance(node, ast.ClassDef) else "def"
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            yield f"{prefix}{node.name}", (kind, first, node.end_lineno)
            if kind == "class":
                yield from _definitions(node, f"{prefix}{node.name}.")
