"""A JupyterLab and a Chromium for the tests that drive notebooks; absent either, they skip."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers import browser

REPOSITORY = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    # cells off the screen stay in the page, so that a test finds them
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
#: Anywidget's alarm after two seconds of loading, set off by plotly's 5 MB on a busy machine. The
#: widget is drawn all the same when it has loaded; one that is not drawn fails its test.
SLOW = "[anywidget] Failed to initialize model."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser_path() -> str:
    return browser() or pytest.skip(
        "no chromium on this machine (Debian: apt-get install chromium), or no playwright"
    )


@pytest.fixture(scope="session")
def notebook_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository's notebooks, since JupyterLab may save; tests add their own."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    source = REPOSITORY / "notebooks"
    if source.exists():
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def lab(
    tmp_path_factory: pytest.TempPathFactory, notebook_folder: Path
) -> Iterator[SimpleNamespace]:
    """A JupyterLab server with its own settings: `url`, `token` and `stop_kernels()`."""
    pytest.importorskip("jupyterlab")
    home = tmp_path_factory.mktemp("jupyter")
    (home / "labconfig").mkdir()
    (home / "labconfig/default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    url, token = f"http://127.0.0.1:{free_port()}", secrets.token_hex(16)
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            lab_command(url, token, notebook_folder), env=lab_environment(home), stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip

    def request(path: str, method: str = "GET") -> bytes:
        call = urllib.request.Request(
            url + path, method=method, headers={"Authorization": f"token {token}"}
        )
        with urllib.request.urlopen(call, timeout=20) as answer:
            return answer.read()

    def stop_kernels() -> None:
        for session in json.loads(request("/api/sessions")):
            request(f"/api/sessions/{session['id']}", "DELETE")

    try:
        wait_for_server(server, request, home / "log")
        yield SimpleNamespace(url=url, token=token, stop_kernels=stop_kernels)
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # the group: kernels too
        server.wait(20)


@pytest.fixture(scope="session")
def chromium(browser_path: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def new_page(chromium: Any, lab: SimpleNamespace) -> Callable[[], AbstractContextManager[Any]]:
    """Opens a page of its own, in `with`. On leaving, fails if the page logged an error or asked
    for another host, and stops the kernels, so that the next notebook gets a fresh one."""

    @contextlib.contextmanager
    def opened() -> Iterator[Any]:
        context = chromium.new_context(viewport={"width": 1400, "height": 1000})
        problems: list[str] = []

        def stay_local(route: Any) -> None:
            if route.request.url.startswith(lab.url):
                return route.continue_()
            problems.append(f"request to {route.request.url}")
            return route.abort()

        context.route("**/*", stay_local)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda line: line.type == "error" and problems.append(line.text))
        try:
            yield page
        finally:
            # what closing the page cuts off is no problem of the page
            found = [problem for problem in problems if SLOW not in problem]
            context.close()
            lab.stop_kernels()
        assert not found, found

    return opened


@pytest.fixture
def page(new_page: Callable[[], AbstractContextManager[Any]]) -> Iterator[Any]:
    """A fresh page for one test."""
    with new_page() as page:
        yield page


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def lab_command(url: str, token: str, folder: Path) -> list[str]:
    port = url.rpartition(":")[2]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}", "--expose-app-in-browser",
    ]  # fmt: skip
    return command + (["--allow-root"] if os.geteuid() == 0 else [])


def lab_environment(home: Path) -> dict[str, str]:
    """Nothing of the user's settings leaks in; kernels import this checkout, in fast mode."""
    own = {name: str(home) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return os.environ | own | {"PYTHONPATH": path, "TOOLKIT_FAST": "1"}


def wait_for_server(server: subprocess.Popen, request: Any, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            request("/api/status")
            return
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not answer within a minute:\n{log.read_text()}")


@pytest.fixture
def patient(page: Any) -> Any:
    """A page that waits while the kernel trains, simulates and draws."""
    page.set_default_timeout(5 * 60_000)  # milliseconds
    return page
