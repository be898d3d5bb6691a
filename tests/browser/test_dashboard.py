"""The dashboard that `toolkit dashboard` serves, opened and worked in Chromium."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest

from tests.browser.conftest import REPOSITORY, SLOW, free_port
from toolkit.cli import main

pytest.importorskip("voila")

PATIENCE = 180_000  # milliseconds
#: Voilà's page asks for it by itself; without a network its icons are missing and nothing else.
ICONS = "https://cdn.jsdelivr.net/npm/@fortawesome/"
SMALL = [
    "--modes", "4", "--hidden", "8", "--action-hidden", "4", "--horizon", "6", "--batch-size", "4",
    "--num-updates", "20", "--chunk-updates", "20", "--reencode-every", "3",
]  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a dashboard of a small model of the cart-pole."""
    folder, port = tmp_path_factory.mktemp("dashboard"), free_port()
    run, url = folder / "k", f"http://127.0.0.1:{port}/"
    assert main(["train", "koopman", "--data", "toolkit/cart-pole", *SMALL, "--out", str(run)]) == 0
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    words = ["dashboard", str(run), "--horizon", "20", "--port", str(port), "--no-browser"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "toolkit", *words], env=os.environ | {"PYTHONPATH": path},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(600):
            assert server.poll() is None, (folder / "log").read_text()
            try:
                urllib.request.urlopen(url + "voila/static/none", timeout=20)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail(f"Voilà did not answer within a minute:\n{(folder / 'log').read_text()}")
        yield url
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the group: the kernel too
        server.wait(20)


def test_it_shows_every_explorer_and_follows_its_controls(served, chromium, tmp_path):
    context = chromium.new_context(viewport={"width": 1300, "height": 1000})
    problems: list[str] = []

    def stay_local(route):
        if route.request.url.startswith(served):
            return route.continue_()
        problems.append(f"request to {route.request.url}")
        return route.abort()

    context.route("**/*", stay_local)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: problems.append(str(error)))
    try:
        page.goto(served)
        page.get_by_role("tab", name="Spectrum").wait_for()
        page.get_by_role("button", name="Snap all back").wait_for()  # the plane is drawn
        page.screenshot(path=tmp_path / "spectrum.png")
        for name in ("Rollout", "Initialisation"):
            page.get_by_role("tab", name=name).click()
            page.locator(".js-plotly-plot:visible .trace").first.wait_for()
            page.screenshot(path=tmp_path / f"{name}.png")
        title = page.locator(".js-plotly-plot:visible .gtitle")
        before = title.text_content()
        slider = page.locator(".noUi-handle:visible").nth(2)  # after the window's, the real part's
        slider.focus()
        page.keyboard.press("ArrowRight")
        changed = "([node, old]) => node.textContent !== old"
        page.wait_for_function(changed, arg=[title.element_handle(), before])
        page.get_by_role("tab", name="Film").click()  # a cart-pole is no robot that can be drawn
        page.get_by_role("alert").get_by_text("`robot` must be one of").wait_for()
        page.get_by_role("tab", name="Spectrum").click()  # the others go on working
        assert page.get_by_role("button", name="Snap all back").is_visible()
    finally:
        context.close()
    assert not [p for p in problems if SLOW not in p and ICONS not in p]
