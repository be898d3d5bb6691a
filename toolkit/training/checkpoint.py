"""Checkpoints: a JSON header and the array leaves, never pickled code."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zlib
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from toolkit.errors import UserError

_MAGIC = b"koopman-toolkit checkpoint\n"
FORMAT = 1


def save_checkpoint(
    path: str | Path, state: Any, header: dict[str, Any], *, half_precision: bool = False
) -> None:
    """Write `state`'s arrays and a JSON `header` to one file, all or nothing.

    The file appears under its name only when it is complete: it is written beside it, flushed to
    the disk and renamed. The header gains the format version, the list of leaves (path, shape,
    type) and the SHA-256 of the arrays. Arrays of `half_precision` are packed, to 88 %.

    Raises:
        UserError: the folder cannot be written or the disk is full; an older file is untouched.
    """
    path = Path(path)
    payload = _serialised(state)
    head = header | {
        "format": FORMAT,
        "leaves": _leaves(state),
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    if half_precision:
        head, payload = head | {"packed": True}, _pack(payload)
    write_atomically(path, _MAGIC + json.dumps(head).encode() + b"\n", payload)


def read_header(path: str | Path) -> dict[str, Any]:
    """The header of a checkpoint, after checking that the file is whole.

    Raises:
        UserError: the file is missing, is no checkpoint, is truncated or was changed.
    """
    return _read(Path(path))[0]


def load_checkpoint(path: str | Path, template: Any) -> tuple[Any, dict[str, Any]]:
    """The stored arrays in the structure of `template`, and the header.

    Raises:
        UserError: as for `read_header`, or the leaves do not fit the template's.
    """
    header, payload = _read(Path(path))
    expected = _leaves(template)
    if header["leaves"] != expected:
        raise UserError(
            f"{path} does not fit this model: {_difference(header['leaves'], expected)}."
        )
    arrays, static = eqx.partition(template, _is_stored)
    arrays = eqx.tree_deserialise_leaves(io.BytesIO(payload), arrays)
    return eqx.combine(arrays, static), header


def arrays_sha256(state: Any) -> str:
    """SHA-256 of the arrays as `save_checkpoint` writes them, in hexadecimal."""
    return hashlib.sha256(_serialised(state)).hexdigest()


def write_atomically(path: Path, *content: bytes | memoryview) -> None:
    """Put the parts of `content`, one after another, under `path`, completely or not at all.

    Raises:
        UserError: the operating system refuses; the sentence gives its reason.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            for part in content:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the checkpoint {path}: {error.strerror}.") from error
    if not content.startswith(_MAGIC):
        raise UserError(f"{path} is not a checkpoint of this toolkit.")
    line, _, payload = content[len(_MAGIC) :].partition(b"\n")
    try:
        header = json.loads(line)
    except ValueError as error:
        raise UserError(f"{path} is a truncated or damaged checkpoint.") from error
    if header.get("format") != FORMAT:
        raise UserError(
            f"{path} has checkpoint format {header.get('format')}, this version reads {FORMAT}."
        )
    if header.get("packed"):
        payload = _unpack(payload)
    if hashlib.sha256(payload).hexdigest() != header["sha256"]:
        raise UserError(f"{path} is a truncated or damaged checkpoint.")
    return header, payload


def _serialised(state: Any) -> memoryview:
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, _arrays(state))
    return buffer.getbuffer()


def _pack(payload: bytes | memoryview) -> bytes:
    """Deflated, first and second bytes apart: in the second, signs and exponents, lies order."""
    return zlib.compress(np.frombuffer(payload, np.uint8).reshape(-1, 2).T.tobytes(), 9)


def _unpack(packed: bytes) -> bytes:
    """What `_pack` was given, nothing where the bytes are damaged."""
    try:
        halves = np.frombuffer(zlib.decompress(packed), np.uint8)
    except zlib.error:
        return b""
    return halves.reshape(2, -1).T.tobytes()


def _is_stored(leaf: Any) -> bool:
    """Arrays of the device and of the host."""
    return eqx.is_array(leaf) or isinstance(leaf, np.ndarray)


def _arrays(state: Any) -> Any:
    return eqx.filter(state, _is_stored)


def _leaves(state: Any) -> list[list[Any]]:
    found = jax.tree_util.tree_leaves_with_path(_arrays(state))
    return [
        [jax.tree_util.keystr(path).lstrip("."), list(np.shape(leaf)), str(leaf.dtype)]
        for path, leaf in found
    ]


def _difference(stored: list[list[Any]], expected: list[list[Any]]) -> str:
    for there, here in zip(stored, expected, strict=False):
        if there != here:
            return (
                f"it holds `{there[0]}` of shape {tuple(there[1])} and type {there[2]} where "
                f"`{here[0]}` of shape {tuple(here[1])} and type {here[2]} was expected"
            )
    return f"it holds {len(stored)} arrays where {len(expected)} were expected"
