"""What a score must say about where it was made: versions, device, commit, environment."""

from __future__ import annotations

import functools
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import jax

from toolkit.errors import UserError

_PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy")


def versions() -> dict[str, str | None]:
    """Versions of Python, this toolkit and what computes, and JAX's matrix-product precision."""
    import toolkit

    found = {name: installed_version(name) for name in _PACKAGES}
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    return {
        "python": platform.python_version(),
        "toolkit": toolkit.__version__,
        **found,
        "matmul_precision": precision or "default",
    }


def installed_version(package: str) -> str | None:
    """The version of an installed package, else none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def device() -> str:
    """Platform and kind of the device that JAX computes on, such as `gpu: NVIDIA H100`."""
    first = jax.devices()[0]
    return f"{first.platform}: {first.device_kind}"


@functools.cache  # a checkpoint asks for it every few seconds
def commit() -> str | None:
    """The git commit of the source tree, with `-dirty` where files differ from it.

    None where the toolkit is installed without its source tree, or git does not answer.
    """
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def environment(env_id: str) -> dict[str, str | None]:
    """Id of an environment and the versions that decide its physics.

    Raises:
        UserError: Gymnasium, or dm_control for an id that begins with `dmc/`, is not installed or
            does not know the id.
    """
    from toolkit.envs import dmc

    if env_id.startswith(dmc.PREFIX):
        dmc.parse(env_id)
        names = ("mujoco", "dm_control")
        return {"id": env_id, **{name: installed_version(name) for name in names}}
    try:
        import gymnasium
    except ImportError:
        raise UserError(
            f"`env` is {env_id!r}, but Gymnasium is not installed: "
            "pip install 'koopman-toolkit[mujoco]'."
        ) from None
    try:
        gymnasium.spec(env_id)
    except gymnasium.error.Error as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"`env` must be an id of Gymnasium, got {env_id!r} ({reason}).") from None
    return {
        "id": env_id,
        "mujoco": installed_version("mujoco"),
        "gymnasium": installed_version("gymnasium"),
    }
