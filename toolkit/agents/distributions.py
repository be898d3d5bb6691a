"""The squashed Gaussian that continuous-control policies act with."""

from __future__ import annotations

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.types import Action, Key, Scalar


class TanhNormal(eqx.Module):
    """tanh(u) with u ~ N(mean, exp(log_std)²), independent per coordinate (arXiv:1812.05905, C).

    Densities are with respect to the action in (−1, 1), summed over coordinates.
    """

    mean: Float[Array, " action"]
    log_std: Float[Array, " action"]

    @property
    def mode(self) -> Action:
        """tanh(mean): what the policy does when it does not explore."""
        return jnp.tanh(self.mean)

    def sample(self, *, key: Key) -> Action:
        """One action."""
        return self.sample_with_log_prob(key=key)[0]

    def sample_with_log_prob(self, *, key: Key) -> tuple[Action, Scalar]:
        """One action and its log-density, from the pre-image, so that no precision is lost."""
        noise = jr.normal(key, self.mean.shape)
        u = self.mean + jnp.exp(self.log_std) * noise
        return jnp.tanh(u), self._log_prob(u, noise)

    def log_prob(self, action: Action) -> Scalar:
        """Log-density of an action; one on the boundary counts as the closest one inside."""
        limit = 1.0 - 1e-6
        u = jnp.arctanh(jnp.clip(action, -limit, limit))
        return self._log_prob(u, (u - self.mean) * jnp.exp(-self.log_std))

    def _log_prob(self, u: Array, noise: Array) -> Scalar:
        normal = -0.5 * jnp.square(noise) - self.log_std - 0.5 * math.log(2 * math.pi)
        # log(1 − tanh²u), without the cancellation that needs the usual 1e-6
        log_slope = 2.0 * (math.log(2.0) - u - jax.nn.softplus(-2.0 * u))
        return jnp.sum(normal - log_slope)
