"""One z-score for training, evaluation and notebooks alike."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from toolkit.errors import UserError


class Normaliser(eqx.Module):
    """Z-score of observations, fitted once and stored with whatever was trained on it.

    `std` already contains the small constant that keeps a constant dimension finite, so that
    `normalise` and `denormalise` are exact inverses and nobody adds it a second time.

    Shapes: `mean`, `std` are `(obs,)`; methods accept any leading axes.
    """

    mean: Float[Array, " obs"]
    std: Float[Array, " obs"]

    @classmethod
    def fit(cls, observations: Any, epsilon: float = 1e-3) -> Normaliser:
        """Mean and standard deviation over all rows of `(rows, obs)`, in float64 then rounded.

        Raises:
            UserError: there are no rows, or the array has another shape.
        """
        rows = np.asarray(observations, np.float64)
        if rows.ndim != 2 or rows.shape[0] < 1:
            raise UserError(
                f"`observations` must be a non-empty (rows, obs) array, got shape {rows.shape}."
            )
        return cls(
            jnp.asarray(rows.mean(0), jnp.float32),
            jnp.asarray(rows.std(0) + epsilon, jnp.float32),
        )

    @classmethod
    def identity(cls, obs_dim: int) -> Normaliser:
        """Leaves every observation as it is."""
        return cls(jnp.zeros(obs_dim), jnp.ones(obs_dim))

    def normalise(self, obs: Float[Array, "*leading obs"]) -> Float[Array, "*leading obs"]:
        """(obs − mean) / std: raw units in, multiples of the standard deviation out."""
        shape = (1,) * (obs.ndim - 1) + self.mean.shape
        return (obs - self.mean.reshape(shape)) / self.std.reshape(shape)

    def denormalise(self, obs: Float[Array, "*leading obs"]) -> Float[Array, "*leading obs"]:
        """The inverse of `normalise`."""
        shape = (1,) * (obs.ndim - 1) + self.mean.shape
        return obs * self.std.reshape(shape) + self.mean.reshape(shape)

    def to_json(self) -> dict[str, list[float]]:
        """Lists of floats; float32 survives the round trip exactly."""
        return {"mean": np.asarray(self.mean).tolist(), "std": np.asarray(self.std).tolist()}

    @classmethod
    def from_json(cls, values: dict[str, list[float]]) -> Normaliser:
        """The inverse of `to_json`."""
        return cls(
            jnp.asarray(values["mean"], jnp.float32), jnp.asarray(values["std"], jnp.float32)
        )
