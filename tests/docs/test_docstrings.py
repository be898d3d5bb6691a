"""What every public name of the core says of itself."""

import ast
import textwrap

import pytest

from toolkit.docs.reference import Reference, documentation, inherited

CORE = (
    "agents", "data", "dynamics", "evaluation", "figures", "planning", "spectral", "symmetry",
    "training", "tsymmetry", "widgets",
)  # fmt: skip


def core(reference: Reference):
    for path, item in reference.names.items():
        if path.split(".")[1:2] and path.split(".")[1] in CORE:
            yield path, item


def says(item) -> str:
    """An item's own documentation, or what it takes over."""
    base = inherited(item)
    return documentation(item) or (documentation(base) if base is not None else "")


def body(item):
    """The function itself; of a class, how it is made."""
    function = item.members.get("__init__") if item.is_class else item
    if function is None or function.is_alias or not function.source.strip():
        return None
    return ast.parse(textwrap.dedent(function.source)).body[0]


def refuses(node) -> bool:
    """Whether a function raises our own error in its own lines."""
    raised = (n.exc for n in ast.walk(node) if isinstance(n, ast.Raise) and n.exc)
    return any(ast.unparse(error).startswith("UserError(") for error in raised)


def test_every_core_room_is_read(reference: Reference):
    assert {path.split(".")[1] for path, _ in core(reference)} == set(CORE)
    assert len(dict(core(reference))) > 1500


def test_modules_classes_functions_and_properties_say_what_they_are(reference: Reference):
    silent = [
        path for path, item in core(reference)
        if not says(item) and (not item.is_attribute or "property" in item.labels)
    ]  # fmt: skip
    assert silent == []


def test_arguments_and_results_have_types(reference: Reference):
    untyped = [
        path for path, item in core(reference)
        if item.is_function and (
            any(p.annotation is None for p in item.parameters if p.name not in ("self", "cls"))
            or item.returns is None
        )
    ]  # fmt: skip
    assert untyped == []


def test_what_refuses_says_so(reference: Reference):
    quiet = []
    for path, item in core(reference):
        if item.is_function or item.is_class:
            node = body(item)
            if node is not None and refuses(node) and "Raises:" not in says(item):
                quiet.append(path)
    assert quiet == []


@pytest.mark.parametrize(
    ("source", "found"),
    [("def f(x):\n raise UserError('no')", True), ("def f(x):\n raise ValueError('no')", False),
     ("def f(x):\n if x:\n  raise UserError(f'{x}') from None", True)],
)  # fmt: skip
def test_a_refusal_is_recognised(source: str, found: bool):
    assert refuses(ast.parse(source).body[0]) is found
