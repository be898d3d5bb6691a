"""Every window's own prediction, where a mean over windows hides too much."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from toolkit.data import Window
from toolkit.errors import UserError
from toolkit.evaluation.prediction import TrainedDynamics

#: Windows that go through the model at once.
_BATCH = 64


def predict_windows(
    trained: TrainedDynamics, window: Window
) -> Float[np.ndarray, "windows states obs"]:
    """What a model predicts from each window's start and actions, in raw units.

    Shapes: windows lead here, `states` = time + 1, the start included; `window` has time first.
    """
    count = window.action.shape[1]
    size = min(_BATCH, count)
    at = np.resize(np.arange(count), (-(-count // size), size))
    predicted = _predict(trained, window.obs[0], window.action, jnp.asarray(at))
    return np.asarray(predicted).reshape(at.size, *predicted.shape[2:])[:count]


@eqx.filter_jit
def _predict(
    trained: TrainedDynamics,
    obs: Float[Array, "windows obs"],
    actions: Float[Array, "time windows action"],
    at: Array,
) -> Float[Array, "batches batch states obs"]:
    one = lambda start, actions: trained.predict(start, actions).obs
    batch = lambda i: jax.vmap(one, in_axes=(0, 1))(obs[i], actions[:, i])
    return lax.map(batch, at)


def reach(
    errors: Float[np.ndarray, "windows horizon"], threshold: float, patience: int = 5
) -> Int[np.ndarray, " windows"]:
    """How many steps ahead each prediction is good: up to `patience` steps in a row that are not.

    A step is bad where its error is above `threshold` or not a number. A prediction that is never
    lost reaches as far as it goes, `horizon`.

    Raises:
        UserError: `patience` is not between 1 and the horizon.
    """
    horizon = errors.shape[1]
    if not 1 <= patience <= horizon:
        raise UserError(f"`patience` must lie in 1..{horizon}, got {patience}.")
    bad = ~(errors <= threshold)
    runs = np.lib.stride_tricks.sliding_window_view(bad, patience, axis=1).all(axis=2)
    return np.where(runs.any(axis=1), runs.argmax(axis=1), horizon)
