"""T-symmetry violation where there are data and where there are none, and what it goes with."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial import cKDTree

from toolkit.data.samplers import Transitions
from toolkit.tsymmetry import TDM, symmetry_violation


@eqx.filter_jit
def violations(
    model: TDM, obs: Float[Array, "rows obs"], action: Float[Array, "rows action"]
) -> Float[Array, " rows"]:
    """ℓ_Tsym (arXiv:2306.04220 Eq. 7) of normalised states and actions, recorded or not."""
    return jax.vmap(lambda s, a: symmetry_violation(model, model.encode(s, a)))(obs, action)


@eqx.filter_jit
def rate_errors(
    model: TDM,
    obs: Float[Array, "rows obs"],
    action: Float[Array, "rows action"],
    next_obs: Float[Array, "rows obs"],
) -> Float[Array, " rows"]:
    """|ṡ − ψ_s(f(φ(s, a)), 1)|²: how wrong the model's step is, in normalised units squared."""

    def one(s: Array, a: Array, s2: Array) -> Array:
        rate = model.decode_state(model.forward_rate(model.encode(s, a)), is_rate=True)
        return jnp.sum(jnp.square(s2 - s - rate))

    return jax.vmap(one)(obs, action, next_obs)


class Neighbours:
    """The recorded transitions, to be asked for the one nearest to a state and action.

    Distances are Euclidean over normalised states and actions as they are.
    """

    def __init__(self, rows: Transitions):
        self._tree = cKDTree(np.concatenate([rows.obs, rows.action], axis=1))

    def nearest(
        self, obs: Float[Array, "places obs"], action: Float[Array, "places action"]
    ) -> tuple[Float[np.ndarray, " places"], Int[np.ndarray, " places"]]:
        """Distance to the nearest transition, and which row it is."""
        distance, row = self._tree.query(np.concatenate([obs, action], axis=1))
        return distance, row


def share_larger(values: np.ndarray, reference: np.ndarray) -> float:
    """How often a random one of `values` is larger than a random one of `reference`.

    A half if the two cannot be told apart; ties count half (the area under the ROC curve).
    """
    reference = np.sort(np.asarray(reference).ravel())
    values = np.asarray(values).ravel()
    below = np.searchsorted(reference, values, side="left")
    up_to = np.searchsorted(reference, values, side="right")
    return float((below + up_to).mean() / (2 * reference.size))
