"""The API reference: a Markdown page for each room, read from the source without importing it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import griffe

from toolkit.docs.citations import Citations
from toolkit.docs.prose import Link, summary, to_markdown

#: Rooms that are no library: what the command line runs, and this site.
NOT_LISTED = ("commands", "docs")
_HIDDEN_VALUES = ("Path(", "re.compile(")


@dataclass(frozen=True)
class Reference:
    """Every public name of the package, by its path, and pages that show them."""

    package: Any
    names: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Reference:
        """The names of the source tree in `root`."""
        package = griffe.load("toolkit", search_paths=[str(root)], try_relative_path=False)
        return cls(package, {found.path: found for found in _walk(package)})

    def modules(self, depth: int = 1) -> list[Any]:
        """The rooms and what lies beside them, or the modules inside rooms (`depth` 2)."""
        found = [m for m in self.names.values() if m.is_module and m.path.count(".") == depth]
        return sorted(found, key=lambda module: module.path)

    def pages(self) -> dict[str, str]:
        """The text of each page by its name."""
        citations = Citations.of(self)
        pages = {f"api/{room.path}": _page(self, room, citations) for room in self.modules()}
        return pages | {"api/index": _index(self)}

    def resolve(self, name: str, scope: Any) -> str | None:
        """The path of the public name that `name` means inside `scope`, if there is one."""
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            return None
        for place in _scopes(scope):
            for path in (f"{place.path}.{name}", self._imported(place, name)):
                if path in self.names:
                    return path
        return name if name in self.names else None

    def link(self, scope: Any) -> Link:
        """Makes links of names in backticks, as they are meant inside `scope`."""

        def link(name: str) -> str | None:
            path = self.resolve(name, scope)
            return role(path, name) if path and path != scope.path else None

        return link

    def _imported(self, place: Any, name: str) -> str | None:
        first, _, rest = name.partition(".")
        member = place.members.get(first)
        if member is None or not member.is_alias:
            return None
        return self.canonical(member.target_path) + (f".{rest}" if rest else "")

    def canonical(self, path: str) -> str:
        """Where a name is defined, for a path under which it can be imported."""
        if path in self.names or not path.startswith("toolkit."):
            return path
        try:
            return self.package[path.removeprefix("toolkit.")].canonical_path
        except (KeyError, griffe.AliasResolutionError):
            return path


def short_name(item: Any) -> str:
    """A name as it is spoken of: methods with their class, modules with their room."""
    if item.is_module or item.parent.is_class:
        return item.path.split(".", item.path.count(".") - 1)[-1]
    return item.name


def role(path: str, text: str) -> str:
    """A link to a name of the reference."""
    return f"{{py:obj}}`{text} <{path}>`"


def documentation(item: Any) -> str:
    """The docstring; of a field, else the comment behind it or the `#:` comment above it."""
    if item.docstring:
        return item.docstring.value
    if not item.is_attribute or not item.lineno:
        return ""
    lines = item.lines_collection[item.filepath]
    behind = re.search(r"(?<=\s)# (?!fmt:|noqa|type:|pyright:)(.*)$", lines[item.endlineno - 1])
    above = []
    for line in reversed(lines[: item.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        above.insert(0, line.strip()[2:].strip())
    return " ".join(above) or (behind[1] if behind else "")


def inherited(item: Any) -> Any | None:
    """The documented member of a base class that a method or field stands for."""
    if item.is_module or not item.parent.is_class:
        return None
    bases = (base.members.get(item.name) for base in item.parent.mro())
    return next((found for found in bases if found is not None and documentation(found)), None)


def _walk(item: Any) -> Iterator[Any]:
    """Public things that are defined here, in the order of the source."""
    if item.is_module:
        yield item
    for name, member in item.members.items():
        if member.is_alias or name.startswith("_"):
            continue
        if member.is_module:
            if member.path.split(".")[1] not in NOT_LISTED and name != "__main__":
                yield from _walk(member)
        elif not _is_noise(member):
            yield member
            if member.is_class:
                yield from _walk(member)


def _is_noise(item: Any) -> bool:
    value = str(getattr(item, "value", None) or "")
    return item.is_attribute and item.parent.is_module and value.startswith(_HIDDEN_VALUES)


def _scopes(item: Any) -> Iterator[Any]:
    """The class and its bases, the module, and the packages around it."""
    while item is not None:
        yield item
        if item.is_class:
            yield from item.mro()
        item = item.parent


def _index(reference: Reference) -> str:
    rooms = [module for module in reference.modules() if module.is_init_module]
    files = [module for module in reference.modules() if not module.is_init_module]
    lines = [
        "# API reference", "",
        "Every public name with its shapes, its errors and where it comes from. Array types are "
        "written as `Float[Array, \"time batch obs\"]`: the kind of number, and a name for each "
        "axis; the same name is the same length throughout a signature.", "",
    ]  # fmt: skip
    for title, modules in (("Rooms", rooms), ("Beside them", files)):
        lines += [f"## {title}", "", *_table(reference, modules), ""]
    names = "\n".join(module.path for module in rooms + files)
    return "\n".join([*lines, "```{toctree}", ":hidden:", "", names, "```", ""])


def _table(reference: Reference, items: list[Any]) -> list[str]:
    rows = []
    for item in items:
        text = to_markdown(summary(documentation(item)), reference.link(item))
        rows.append(f"| {role(item.path, short_name(item))} | {text} |")
    return ["| name | what it is |", "|---|---|", *rows]


def _page(reference: Reference, room: Any, citations: Citations) -> str:
    lines = [f"# {room.path}", "", *_contents(reference, room, citations)]
    for module in reference.modules(depth=2):
        if module.parent is room:
            lines += [f"## {module.path}", "", *_contents(reference, module, citations)]
    return "\n".join(lines)


def _contents(reference: Reference, module: Any, citations: Citations) -> list[str]:
    """What a module says of itself, what a room offers, and an entry for each public name."""
    lines = [f"```{{py:module}} {module.path}", "```", ""]
    lines += [to_markdown(documentation(module), reference.link(module)), ""]
    exported = _exported(reference, module)
    if exported:
        lines += ["Its names, from the modules below:", "", *_table(reference, exported), ""]
    members = [m for m in module.members.values() if m.path in reference.names and not m.is_module]
    for member in sorted(members, key=lambda m: m.lineno or 0):
        lines += [_entry(reference, member, citations), ""]
    return lines


def _exported(reference: Reference, module: Any) -> list[Any]:
    """What a room offers from its modules, in the order of the alphabet."""
    if not module.is_init_module:
        return []
    paths = {
        reference.canonical(member.target_path)
        for name, member in module.members.items()
        if member.is_alias and not name.startswith("_")
    }
    found = [reference.names[path] for path in paths if path.startswith(f"{module.path}.")
             and path in reference.names]  # fmt: skip
    return sorted((item for item in found if not item.is_module), key=lambda item: item.name)


def _entry(reference: Reference, item: Any, citations: Citations) -> str:
    """A name with its signature, its documentation and, of a class, its members."""
    link = reference.link(item)
    head, options = _heading(reference, item)
    body = [to_markdown(documentation(item), link)]
    base = None if documentation(item) else inherited(item)
    if base is not None:
        origin = role(base.path, f"{base.parent.name}.{base.name}")
        body = [f"As {origin}: {to_markdown(summary(documentation(base)), link)}"]
    if item.is_class:
        bases = [_linked(reference, base) for base in item.bases]
        body[:0] = [f"Built on {', '.join(bases)}."] if bases else []
        members = (m for m in item.members.values() if m.path in reference.names)
        body += [_entry(reference, m, citations) for m in sorted(members, key=lambda m: m.lineno)]
    rows = citations.rows_of(item.path)
    if rows:
        body.append(f"*Equations:* {', '.join(rows)}.")
    fence = ":" * (4 if item.is_class else 3)
    content = "\n\n".join(filter(None, body))
    return "\n".join([f"{fence}{{py:{_kind(item)}}} {head}", *options, "", content, fence])


def _kind(item: Any) -> str:
    if item.is_class:
        return "class"
    inside = item.parent.is_class
    if item.is_function:
        return "method" if inside else "function"
    if "property" in item.labels:
        return "property"
    if inside:
        return "attribute"
    return "type" if _is_type(item) else "data"


def _is_type(item: Any) -> bool:
    return bool(re.match(r"[A-Z][a-z]", item.name)) and not item.annotation


def _heading(reference: Reference, item: Any) -> tuple[str, list[str]]:
    """The argument of the directive, and its options."""
    module = item.module.path
    name = item.path.removeprefix(f"{module}.")
    options = [f":module: {module}"]
    if item.parent.is_class:
        options.append(":no-contents-entry:")
    if item.is_function:
        marks = {"classmethod": "classmethod", "staticmethod": "staticmethod",
                 "abstractmethod": "abstractmethod"}  # fmt: skip
        decorators = {str(d.value).split(".")[-1] for d in item.decorators}
        options += [f":{marks[mark]}:" for mark in sorted(decorators & set(marks))]
        head = name + _signature(reference, item)
        return (f"{head} -> {_text(reference, item.returns)}" if item.returns else head), options
    if item.is_class:
        init = item.members.get("__init__")
        own = init is not None and not init.is_alias and init.source.strip()
        return name + (_signature(reference, init) if own else ""), options
    if _kind(item) == "type":
        return name, [*options, f":canonical: {_quoted(_short(str(item.value)))}"]
    if item.annotation:
        options.append(f":type: {_quoted(_text(reference, item.annotation))}")
    value = str(item.value) if item.value is not None else ""
    if value and item.labels & {"class-attribute", "module-attribute"} and "field(" not in value:
        options.append(f":value: {_quoted(_short(value))}")
    return name, options


def _signature(reference: Reference, function: Any) -> str:
    parts: list[str] = []
    previous = None
    for parameter in function.parameters:
        if parameter.name in ("self", "cls"):
            continue
        kind = parameter.kind.name
        if kind == "keyword_only" and previous not in ("keyword_only", "var_positional"):
            parts.append("*")
        mark = {"var_positional": "*", "var_keyword": "**"}.get(kind, "")
        text = mark + parameter.name
        if parameter.annotation is not None:
            text += f": {_text(reference, parameter.annotation)}"
        if parameter.default is not None and not mark:
            text += f" = {parameter.default}" if parameter.annotation else f"={parameter.default}"
        parts.append(text)
        previous = kind
    return f"({', '.join(parts)})"


def _text(reference: Reference, expression: Any) -> str:
    """A type as it is written, with our own names by their full path, so that they are links."""
    if isinstance(expression, str):
        return expression
    pieces = []
    for piece in expression.iterate(flat=True):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        path = reference.canonical(piece.canonical_path)
        pieces.append(path if path in reference.names else piece.name)
    return "".join(pieces)


def _linked(reference: Reference, expression: Any) -> str:
    """A base class, as a link where it is ours."""
    path = reference.canonical(getattr(expression, "canonical_path", str(expression)))
    return role(path, path.rpartition(".")[2]) if path in reference.names else f"`{expression}`"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _short(value: str) -> str:
    return textwrap.shorten(" ".join(value.split()), 90, placeholder=" …")
