"""How the models are fitted whose symmetries agents use."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.nn import mean_square
from toolkit.symmetry.bilinear import (
    KoopmanForward,
    forward_loss,
    reconstruction_loss,
)
from toolkit.symmetry.core import SpectralCore
from toolkit.symmetry.generators import LARGEST_CONDITION, condition_number, eigenvectors
from toolkit.symmetry.interface import AbstractKoopmanCore
from toolkit.training.learner import Metrics
from toolkit.tsymmetry.autoencoders import Part
from toolkit.tsymmetry.held_out import HeldOutLearner
from toolkit.types import Key, Scalar


class Noisy(eqx.Module):
    """Transitions, and their states with noise, both ends of each: `(2·batch, obs)`."""

    batch: Transitions
    states: Float[Array, "both obs"]


class KoopmanForwardLearner(HeldOutLearner):
    """The Koopman forward model of KFC: L_fwd + 10·L_rec, both a smooth L1 loss.

    Reconstruction is asked of noisy states, which are the target too: more states, not denoising.

    Source: arXiv:2111.01365 §3 and the code published with it.
    Deviations: states are normalised; whole episodes are held out, a tenth of them, where the
    code holds out 30 % of single transitions; and the best model by its held-out loss is kept,
    where the code compares a training loss with a test loss of another definition.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"bilinear"})

    latent_dim: int = 32
    """Latent coordinates N."""
    hidden: int = 512
    """Width of the two hidden layers of encoder and decoder."""
    reconstruction_weight: float = 10.0
    """Weight of L_rec."""
    input_noise: float = 0.06
    """Noise on the states to be reconstructed, in standard deviations."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, in updates."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int = 500
    """Updates between two looks at the held-out episodes."""
    patience: int = 8
    """Looks without a better model after which the training stops; 0 never stops."""

    def network(self, dataset: Dataset, *, key: Key) -> KoopmanForward:
        """The untrained model."""
        return KoopmanForward(
            dataset.obs_dim, dataset.action_dim, latent_dim=self.latent_dim, hidden=self.hidden,
            key=key,
        )  # fmt: skip

    def views(self, batch: Transitions, *, key: Key) -> Noisy:
        both = jnp.concatenate([batch.obs, batch.next_obs])
        return Noisy(batch, both + self.input_noise * jr.normal(key, both.shape))

    def loss(self, model: KoopmanForward, batch: Noisy, started: Scalar) -> tuple[Scalar, Metrics]:
        rows = batch.batch
        forward = jnp.mean(
            jax.vmap(lambda s, a, s2: forward_loss(model, s, a, s2))(
                rows.obs, rows.action, rows.next_obs
            )
        )
        reconstruction = jnp.mean(jax.vmap(lambda s: reconstruction_loss(model, s))(batch.states))
        total = forward + self.reconstruction_weight * reconstruction
        return total, {
            "loss/total": total, "loss/forward": forward, "loss/reconstruction": reconstruction,
        }  # fmt: skip

    def measured(self, model: KoopmanForward, rows: Transitions) -> Metrics:
        """The loss's terms, `how_well`, and `defective_share`: of how many recorded actions the
        operator has no eigenvectors that could be inverted.
        """
        operators = jax.vmap(model.operator.matrix)(rows.action)
        conditions = jax.vmap(lambda k: condition_number(*eigenvectors(k)))(operators)
        defective = jnp.mean((conditions >= LARGEST_CONDITION).astype(jnp.float32))
        return super().measured(model, rows) | how_well(model, rows) | {
            "defective_share": defective,
        }  # fmt: skip


class SpectralCoreLearner(HeldOutLearner):
    """The spectral core: one step forwards, one backwards, and the way between.

    The errors of both steps are those of the *change* that the model expects, in units of the
    data's own mean square change: a state is nearly its predecessor, so an error of the state
    itself would be mostly that of the decoder.

    Source: the step of arXiv:2306.11941 §3.1 under the losses of arXiv:2306.04220 (Eq. 3, 4, 6) in
    the form that an exact inverse leaves them; ours.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"diagonal"})

    modes: int = 32
    """Complex latent coordinates m; the real latent has twice as many."""
    hidden: int = 256
    """Width of the two hidden layers of encoder and decoder."""
    reconstruction_weight: float = 1.0
    """Weight of the reconstruction of states."""
    consistency_weight: float = 0.1
    """Weight of the latent step's distance from the encoded next state."""
    reverse_weight: float = 1.0
    """Weight of the step backwards."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 1e-3
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, in updates."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int = 500
    """Updates between two looks at the held-out episodes."""
    patience: int = 8
    """Looks without a better model after which the training stops; 0 never stops."""

    def network(self, dataset: Dataset, *, key: Key) -> SpectralCore:
        """The untrained model."""
        return SpectralCore(
            dataset.obs_dim, dataset.action_dim, modes=self.modes, hidden=self.hidden, key=key
        )

    def loss(
        self, model: SpectralCore, batch: Transitions, started: Scalar
    ) -> tuple[Scalar, Metrics]:
        each = jax.vmap(lambda s, a, s2: core_terms(model, s, a, s2))
        forward, reverse, consistency, reconstruction = map(
            jnp.mean, each(batch.obs, batch.action, batch.next_obs)
        )
        change = jnp.maximum(mean_square(batch.next_obs - batch.obs), 1e-6)
        forward, reverse = forward / change, reverse / change
        total = (
            forward
            + self.reverse_weight * reverse
            + self.consistency_weight * consistency
            + self.reconstruction_weight * reconstruction
        )
        return total, {
            "loss/total": total, "loss/forward": forward, "loss/reverse": reverse,
            "loss/consistency": consistency, "loss/reconstruction": reconstruction,
        }  # fmt: skip

    def measured(self, model: SpectralCore, rows: Transitions) -> Metrics:
        """The loss's terms, `how_well`, and the mean round trip over the squared latent length."""
        latent = jax.vmap(model.encode)(rows.obs)
        trips = jax.vmap(model.round_trip)(latent, rows.action)
        share = jnp.mean(trips) / jnp.mean(jnp.sum(jnp.square(latent), axis=1))
        return super().measured(model, rows) | how_well(model, rows) | {"round_trip_share": share}


def core_terms(
    model: SpectralCore,
    obs: Float[Array, " obs"],
    action: Float[Array, " action"],
    next_obs: Float[Array, " obs"],
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Squared errors of one transition: of the change forwards, of it backwards, of the latent
    step, and of the two states' reconstruction; means over coordinates.
    """
    here, after = model.encode(obs), model.encode(next_obs)
    decoded, decoded_after = model.decode(here), model.decode(after)
    stepped = model.step(here, action)
    change = next_obs - obs
    forward = mean_square(model.decode(stepped) - decoded - change)
    back = model.decode(model.reverse(after, action))
    reverse = mean_square(back - decoded_after + change)
    consistency = mean_square(stepped - after)
    both = jnp.stack([decoded - obs, decoded_after - next_obs])
    return forward, reverse, consistency, mean_square(both)


def how_well(model: AbstractKoopmanCore, rows: Transitions) -> Metrics:
    """`change_error_share`: squared error of one predicted step over that of predicting no change;
    `reconstruction_rms`: root mean square of s − D(E(s)), in standard deviations of the data.
    """
    predicted = jax.vmap(model.predict)(rows.obs, rows.action)
    decoded = jax.vmap(lambda s: model.decode(model.encode(s)))(rows.obs)
    still = jnp.maximum(mean_square(rows.next_obs - rows.obs), 1e-12)
    return {
        "change_error_share": mean_square(predicted - rows.next_obs) / still,
        "reconstruction_rms": jnp.sqrt(mean_square(decoded - rows.obs)),
    }
