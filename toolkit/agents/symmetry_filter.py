"""Latent noise of TSRL, and the T-symmetry of a TDM as the judge of what it makes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.agents.augmentation import AbstractAugmentation, Accepted
from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.tsymmetry import TDM, Latent, symmetry_violation
from toolkit.types import Key, Scalar

#: Rows over which the spread of a latent and the quantile of a violation are taken, at most.
STATISTICS_ROWS = 20_000


class SymmetryFilter(AbstractAugmentation):
    """(z_s + ε, z_a) → z_s′ + ε′, kept where the model's forward and reverse dynamics agree.

    ε is drawn with a standard deviation per coordinate, and f says where it has gone one step
    later: ε′ = ε + f(z_s + ε, z_a) − f(z_s, z_a). A sample is kept if ℓ_Tsym(z_s + ε, z_a) is at
    most the threshold.

    Algorithm 1 has z_s′ + ε′ = z_s + ε + f(z_s + ε, z_a), where z_s′ is the model's; taken from
    the model's own next state, ε′ does not carry the error of one step into the target.

    Source: arXiv:2306.04220 §4 (Eq. 12), Algorithm 1.
    """

    model: TDM
    noise: Float[Array, " obs"]
    threshold: Scalar

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        epsilon = self.noise[None] * jr.normal(key, batch.obs.shape)
        moved = jax.vmap(Latent)(batch.obs + epsilon, batch.action)
        rate = jax.vmap(self.model.forward_rate)(jax.vmap(Latent)(batch.obs, batch.action))
        moved_rate = jax.vmap(self.model.forward_rate)(moved)
        back = jax.vmap(self.model.reverse_rate)(jax.vmap(Latent.moved)(moved, moved_rate))
        violation = jnp.sum(jnp.square(moved_rate + back), axis=1)
        made = Transitions(
            moved.state, batch.action, batch.reward,
            batch.next_obs + epsilon + moved_rate - rate, batch.terminal,
        )  # fmt: skip
        return made, violation <= self.threshold


def mean_violation(model: TDM, latent: Latent) -> Scalar:
    """ℓ_Tsym (arXiv:2306.04220 Eq. 7) of latent points, a mean over batch and coordinates."""
    each = jax.vmap(lambda point: symmetry_violation(model, point))(latent)
    return jnp.mean(each) / latent.state.shape[1]


@eqx.filter_jit
def latent_statistics(
    model: TDM, dataset: Dataset, *, noise_share: float, quantile: float
) -> tuple[Float[Array, " obs"], Scalar]:
    """Standard deviation of ε, and the quantile of ℓ_Tsym over the data, of normalised states."""
    rows = dataset.observations.shape[0]
    at = jnp.linspace(0, rows - 1, min(rows, STATISTICS_ROWS)).astype(jnp.int32)
    latent = jax.vmap(model.encode)(dataset.observations[at], dataset.actions[at])
    violation = jax.vmap(lambda point: symmetry_violation(model, point))(latent)
    return noise_share * jnp.std(latent.state, axis=0), jnp.quantile(violation, quantile)
