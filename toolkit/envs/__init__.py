"""Environments to act in: the three robots in batches, Gymnasium's others, DeepMind Control's
tasks, and pictures of the robots.

Names load when they are first used; MuJoCo, Gymnasium and dm_control are optional.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.envs.batched import BatchedRobots, Physics
    from toolkit.envs.dmc import DMCEnvs
    from toolkit.envs.gymnasium_envs import GymnasiumEnvs
    from toolkit.envs.interface import AbstractEnvs, EnvSpec, Snapshot, Steps
    from toolkit.envs.making import make_envs
    from toolkit.envs.pictures import film_strip, write_animation, write_film_strip
    from toolkit.envs.rendering import Renderer, render_episode
    from toolkit.envs.replaying import replay
    from toolkit.envs.robots import ROBOTS, Robot

_HOMES = {
    "batched": ("BatchedRobots", "Physics"),
    "dmc": ("DMCEnvs",),
    "gymnasium_envs": ("GymnasiumEnvs",),
    "interface": ("AbstractEnvs", "EnvSpec", "Snapshot", "Steps"),
    "making": ("make_envs",),
    "pictures": ("film_strip", "write_animation", "write_film_strip"),
    "rendering": ("Renderer", "render_episode"),
    "replaying": ("replay",),
    "robots": ("ROBOTS", "Robot"),
}

__all__ = [
    "ROBOTS",
    "AbstractEnvs",
    "BatchedRobots",
    "DMCEnvs",
    "EnvSpec",
    "GymnasiumEnvs",
    "Physics",
    "Renderer",
    "Robot",
    "Snapshot",
    "Steps",
    "film_strip",
    "make_envs",
    "render_episode",
    "replay",
    "write_animation",
    "write_film_strip",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"toolkit.envs.{home}"), name)
    raise AttributeError(f"module 'toolkit.envs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
