"""`toolkit doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.commands.output import left_table
from toolkit.envs.canvas import can_render

_EXTRAS = {
    "gymnasium": ("gymnasium", "mujoco", "environments to score in"),
    "mujoco": ("mujoco", "mujoco", "the simulator"),
    "dm_control": ("dm-control", "dmc", "DeepMind Control tasks"),
    "minari": ("minari", "minari", "Minari datasets"),
    "jupyterlab": ("jupyterlab", "notebooks", "notebooks in the browser"),
    "ipywidgets": ("ipywidgets", "notebooks", "sliders in notebooks"),
    "anywidget": ("anywidget", "notebooks", "draggable figures"),
    "nbclient": ("nbclient", "notebooks", "notebooks without a browser"),
    "nbconvert": ("nbconvert", "notebooks", "notebooks as HTML pages"),
    "sphinx": ("sphinx", "docs", "the documentation site"),
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Finding:
    """One line: `state` is `ok`, `missing` or `note`."""

    state: str
    subject: str
    detail: str


@dataclass(frozen=True)
class Doctor:
    """Say which versions, devices and optional parts are here, and how to get what is missing."""

    def run(self) -> int:
        """Print one line per finding; always 0."""
        findings = [*core(), *devices(), compiler(), *extras(), *rendering(), *caches(), browser()]
        print(left_table([(f.state, f.subject, f.detail) for f in findings]))
        missing = sum(finding.state == "missing" for finding in findings)
        print(f"\n{missing} parts are missing." if missing else "\nNothing is missing.")
        return 0


def core() -> Iterator[Finding]:
    """Python, the toolkit and what it cannot do without."""
    from toolkit.training.passport import versions

    for name, version in versions().items():
        state = "ok" if version else "missing"
        yield Finding(state, name, version or f"pip install {name}")


def devices() -> Iterator[Finding]:
    """What JAX computes on, and how much of a GPU's memory it takes at the start."""
    import jax

    try:
        found = ", ".join(f"{d.platform}:{d.id} {d.device_kind}" for d in jax.devices())
    except RuntimeError as error:
        yield Finding("missing", "device", f"JAX finds none: {str(error).splitlines()[0]}")
        return
    yield Finding("ok", "device", f"{found} (default backend: {jax.default_backend()})")
    choice = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "unset")
    on = choice.lower() not in ("false", "0")
    meaning = "takes most of a GPU's memory when it starts" if on else "takes GPU memory as needed"
    yield Finding("note" if on else "ok", "GPU memory", f"JAX {meaning} "
                  f"(XLA_PYTHON_CLIENT_PREALLOCATE={choice})")  # fmt: skip


def compiler() -> Finding:
    """Whether XLA multiplies and sums correctly here: on CPUs, jaxlib 0.10.2 does not."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    rows = np.zeros((32_769, 3), np.float32)
    rows[:, 0] = np.arange(len(rows))
    sizes = jax.jit(jax.vmap(lambda row: jnp.sum((jnp.eye(3) @ row) ** 2)))(rows)
    if np.allclose(sizes, np.square(rows[:, 0]), rtol=1e-5):
        return Finding("ok", "compiler", "XLA's sums agree with NumPy's")
    return Finding(
        "missing", "compiler",
        "this jaxlib computes wrong sums (github.com/jax-ml/jax/issues/39103): "
        "pip install -c constraints.txt jax jaxlib",
    )  # fmt: skip


def extras() -> Iterator[Finding]:
    """The optional packages, and how to install those that are not here."""
    from toolkit.training.passport import installed_version

    for module, (package, extra, purpose) in _EXTRAS.items():
        version = installed_version(package)
        if version and importlib.util.find_spec(module):
            yield Finding("ok", package, version)
            continue
        hint = f"pip install 'koopman-toolkit[{extra}]'"
        yield Finding("missing", package, f"{purpose}: {hint}")


def rendering() -> Iterator[Finding]:
    """Whether MuJoCo can draw without a screen, tried in a process of its own."""
    if importlib.util.find_spec("mujoco") is None:
        yield Finding("missing", "rendering", "needs mujoco: pip install 'koopman-toolkit[mujoco]'")
        return
    works = False
    for backend, packages in [("egl", "libegl1 libgles2"), ("osmesa", "libosmesa6")]:
        subject, works_before = f"rendering by {backend}", works
        works = can_render(backend)
        if works:
            yield Finding("ok", subject, f"works; MUJOCO_GL={backend} chooses it")
        else:
            remedy = f"apt-get install {packages} (Debian and Ubuntu)"
            yield Finding("note" if works_before else "missing", subject, remedy)


def caches() -> Iterator[Finding]:
    """Where downloads and compiled programs are kept."""
    from toolkit.data.catalogue import cache_folder

    folder = cache_folder()
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    size = sum(path.stat().st_size for path in files) / 1e6
    yield Finding("ok", "data cache", f"{folder}, {len(files)} files, {size:.1f} MB")
    compiled = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    if compiled:
        yield Finding("ok", "compiled programs", f"kept in {compiled}")
    else:
        hint = Path.home() / ".cache" / "jax"
        yield Finding(
            "note", "compiled programs",
            f"compiled anew in each process; JAX_COMPILATION_CACHE_DIR={hint} keeps them",
        )  # fmt: skip


def browser() -> Finding:
    """A Chromium for the tests that drive notebooks."""
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found:
        return Finding("ok", "browser", f"{found} on {platform.system()}")
    return Finding("missing", "browser", "for the browser tests: apt-get install chromium")
