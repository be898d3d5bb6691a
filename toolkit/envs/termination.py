"""When a robot has fallen, as a function of its observation that runs in compiled code."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from toolkit.envs.robots import ROBOTS

#: Where an observation has the torso's height (m) and its angle (rad).
_HEIGHT, _ANGLE = 0, 1


def has_fallen(robot: str, obs: Float[Array, "*leading obs"]) -> Bool[Array, "*leading"]:
    """Which raw observations end an episode of `robot` for good; of robots that cannot fall none.

    The state is healthy as long as torso height and angle lie in their intervals and, for hopper,
    every other coordinate is below a limit in absolute value. Observations lack the horizontal
    position alone, which no condition looks at. A number that is not finite counts as a fall.

    Source: `is_healthy` of Gymnasium's Hopper-v4 and Walker2d-v4. Observed velocities are clipped
    to ±10 there, so that hopper's limit on them shows in the simulator alone.
    """
    body = ROBOTS[robot]
    if body.height is None or body.angle is None:
        return jnp.zeros(obs.shape[:-1], bool)
    low, high = body.height
    height, angle = obs[..., _HEIGHT], obs[..., _ANGLE]
    stands = (low < height) & (height < high) & (jnp.abs(angle) < body.angle)
    if body.state_limit is not None:
        stands &= jnp.all(jnp.abs(obs[..., 1:]) < body.state_limit, axis=-1)
    return ~stands
