"""What the environments need beyond the core, and one sentence where it is missing."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from toolkit.errors import UserError

_HINT = "install the extra: pip install 'koopman-toolkit[mujoco]'"


def import_mujoco() -> ModuleType:
    """MuJoCo with its batched roll-outs.

    Raises:
        UserError: it is not installed, or `MUJOCO_GL` names a way to draw that is not here.
    """
    try:
        import mujoco
        import mujoco.rollout
    except ImportError as error:
        raise UserError(f"MuJoCo cannot be imported ({error}); {_HINT}.") from None
    except (AttributeError, OSError, RuntimeError) as error:  # it loads its OpenGL when imported
        chosen = os.environ.get("MUJOCO_GL", "")
        raise UserError(
            f"MuJoCo cannot be imported with MUJOCO_GL={chosen} ({error}); unset MUJOCO_GL or "
            "install what it names (Debian: libegl1 libgl1 libgles2 for egl, libosmesa6 otherwise)."
        ) from None
    return mujoco


@contextlib.contextmanager
def quiet_mujoco() -> Iterator[None]:
    """Without MuJoCo's remarks on old models, which it appends to a log file in this folder."""
    try:
        mujoco = import_mujoco()
    except UserError:  # not everything that Gymnasium makes needs it
        yield
        return
    before = mujoco.get_mju_user_warning()  # dm_control has one of its own
    mujoco.set_mju_user_warning(lambda message: None)
    try:
        yield
    finally:
        mujoco.set_mju_user_warning(before)


def import_gymnasium() -> ModuleType:
    """Gymnasium.

    Raises:
        UserError: it is not installed.
    """
    try:
        import gymnasium
    except ImportError as error:
        raise UserError(f"Gymnasium cannot be imported ({error}); {_HINT}.") from None
    return gymnasium


def make_gymnasium(env_id: str, refusal: Callable[[str], str], **settings: Any) -> Any:
    """`gymnasium.make` with these settings, without remarks on old versions and models.

    `refusal` makes the sentence for an environment that cannot be made, from Gymnasium's reason.

    Raises:
        UserError: Gymnasium is not installed, or cannot make the environment.
    """
    gymnasium = import_gymnasium()
    with warnings.catch_warnings(), quiet_mujoco():
        warnings.filterwarnings("ignore", r"[\s\S]*is out of date", DeprecationWarning)
        try:
            return gymnasium.make(env_id, **settings)
        except (gymnasium.error.Error, ImportError) as error:
            reason = str(error).strip().splitlines()[0].rstrip(".?")
            raise UserError(refusal(reason)) from None
