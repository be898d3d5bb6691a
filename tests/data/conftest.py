"""Small recordings whose truth is known, for every test of the data layer."""

from __future__ import annotations

import hashlib
import http.server
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest


class Recording:
    """Episodes that start near zero and drift away, so that starts, steps and breaks are plain.

    `arrays()` gives D4RL's keys with true successors; `terminal` says which episodes fall.
    """

    def __init__(
        self,
        lengths: list[int],
        *,
        falls: list[bool] | None = None,
        dims: tuple[int, int] = (3, 2),
        returns: list[float] | None = None,
        seed: int = 0,
    ):
        self.lengths, self.dims = lengths, dims
        self.falls = falls or [False] * len(lengths)
        self.returns = returns or [float(length) for length in lengths]
        self.rng = np.random.default_rng(seed)

    def arrays(self) -> dict[str, np.ndarray]:
        episodes = [
            self._episode(*item)
            for item in zip(self.lengths, self.falls, self.returns, strict=True)
        ]
        return {key: np.concatenate([e[key] for e in episodes]) for key in episodes[0]}

    def _episode(self, length: int, falls: bool, total: float) -> dict[str, np.ndarray]:
        steps = self.rng.uniform(0.5, 1.5, (length, self.dims[0]))
        start = self.rng.uniform(-0.005, 0.005, (1, self.dims[0]))
        states = np.concatenate([start, start + np.cumsum(steps, axis=0)]).astype(np.float32)
        last = np.arange(length) == length - 1
        noise = self.rng.uniform(-0.01, 0.01, length)
        return {
            "observations": states[:-1],
            "actions": self.rng.uniform(-0.9, 0.9, (length, self.dims[1])).astype(np.float32),
            "rewards": (total / length + noise - noise.mean()).astype(np.float32),
            "next_observations": states[1:],
            "terminals": last & falls,
            "timeouts": last & (not falls),
        }


def write_hdf5(path: Path, arrays: dict[str, Any], **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        for key, array in arrays.items():
            file[key] = array
        file.attrs.update(attributes)
    return path


@pytest.fixture
def recording() -> type[Recording]:
    return Recording


@pytest.fixture
def hdf5() -> Any:
    return write_hdf5


RATE_OF_CUT = 0.4


class Server:
    """A local publisher whose manners can be chosen: `mode` says how it answers."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.mode = "well"
        self.requests: list[tuple[str, str | None, int]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.answer(self)

            def log_message(self, *_args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def answer(self, request):
        content = self.files.get(request.path, b"")
        if self.mode in (403, 404):
            return self.send(request, self.mode, b"<html>no</html>")
        if self.mode == "html":
            return self.send(request, 200, b"<!DOCTYPE html><html>maintenance</html>")
        if self.mode == "empty":
            return self.send(request, 200, b"")
        if self.mode == "liar":
            return self.send(request, 200, content[:-1] + b"?")
        tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        wanted = request.headers.get("Range")
        unchanged = request.headers.get("If-Range", tag) == tag
        if wanted and unchanged and self.mode != "no ranges":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self.send(request, 416, b"")
            where = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self.send(request, 206, content[start:], {"Content-Range": where, "ETag": tag})
        return self.send(request, 200, content, {"ETag": tag})

    def send(self, request, status, body, headers=()):
        self.requests.append((request.path, request.headers.get("Range"), status))
        request.send_response(status)
        for key, value in dict(headers).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        cut = self.mode == "cut"
        request.wfile.write(body[: int(RATE_OF_CUT * len(body))] if cut else body)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()
