"""The representations that the TDM is compared with; agents build on them as on a TDM."""

from __future__ import annotations

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.training.learner import Metrics
from toolkit.tsymmetry.autoencoders import (
    AbstractAutoencoder,
    Autoencoder,
    ForwardAutoencoder,
    Part,
    SimSiam,
)
from toolkit.tsymmetry.learner import (
    ACTIVATIONS,
    Activation,
    RepresentationLearner,
    mean_terms,
    named,
)
from toolkit.tsymmetry.losses import (
    difference_terms,
    forward_terms,
    l1_penalty,
    reconstruction_loss,
    siamese_loss,
)
from toolkit.tsymmetry.tdm import TDM
from toolkit.types import Key, Scalar


class AbstractBaseline(RepresentationLearner):
    """The TDM's settings of optimiser, held-out episodes and stopping, with the same defaults."""

    activation: Activation = "relu"
    """Between the layers of every network."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, pre-training included, in updates."""
    pretrain_share: float = 0.1
    """Share of the run that trains the reconstruction alone."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int = 500
    """Updates between two looks at the held-out episodes."""
    patience: int = 8
    """Looks without a better model after which the training stops; 0 never stops."""


class AutoencoderLearner(AbstractBaseline):
    """Reconstruction alone, Eq. 3; nothing is learned about time.

    Source: "AE-rep" of arXiv:2306.04220 App. B.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"encoder", "decoders"})

    pretrain_share: float = 0.0
    """Share of the run before the first look at the held-out episodes; the loss is the same."""

    def network(self, dataset: Dataset, *, key: Key) -> Autoencoder:
        sizes = dataset.obs_dim, dataset.action_dim
        return Autoencoder(*sizes, activation=ACTIVATIONS[self.activation], key=key)

    def loss(
        self, model: Autoencoder, batch: Transitions, started: Scalar
    ) -> tuple[Scalar, Metrics]:
        """Eq. 3."""
        loss = mean_reconstruction(model, batch)
        return loss, {"loss/total": loss, "loss/reconstruction": loss}


class ForwardAutoencoderLearner(AbstractBaseline):
    """Reconstruction and forward dynamics that predict the encoder's difference.

    Source: "AE-fwd-rep" of arXiv:2306.04220 App. B. The paper names its terms; that they have the
    TDM's weights and pre-training is our choice.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"encoder", "decoders", "forward"})

    forward_weight: float = 0.1
    """Weight of f's distance to the encoder's difference."""

    def network(self, dataset: Dataset, *, key: Key) -> ForwardAutoencoder:
        sizes = dataset.obs_dim, dataset.action_dim
        return ForwardAutoencoder(*sizes, activation=ACTIVATIONS[self.activation], key=key)

    def loss(
        self, model: ForwardAutoencoder, batch: Transitions, started: Scalar
    ) -> tuple[Scalar, Metrics]:
        """Reconstruction, and once started the decoded rate (Eq. 5) and the latent difference."""
        terms = mean_terms(forward_terms, model, batch)
        later = terms.decoded_rate + self.forward_weight * terms.forward
        total = terms.reconstruction + started * later
        return total, {"loss/total": total} | named(terms)


class TDMNoODELearner(AbstractBaseline):
    """A TDM whose f and g predict the encoder's difference, z_s′ − z_s and its negative.

    With these targets g is the negative of f without being told so, so ℓ_Tsym is no part of the
    loss unless it is given a weight.

    Source: "TDM-no-ODE" of arXiv:2306.04220 App. B, with the weights of its Table 6. That the
    symmetry is implicit is the paper's; that this means a weight of 0 is our reading.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"encoder", "decoders", "forward", "reverse"})

    difference_weight: float = 0.1
    """Weight of the distances of f and g to the encoder's difference."""
    symmetry_weight: float = 0.0
    """Weight of ℓ_Tsym (Eq. 7); the TDM has 0.1."""
    l1_weight: float = 1e-5
    """λ_L1 on the numbers of f and g (Eq. 8)."""

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        sizes = dataset.obs_dim, dataset.action_dim
        return TDM(*sizes, activation=ACTIVATIONS[self.activation], key=key)

    def loss(self, model: TDM, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """Eq. 8 with other targets for f and g."""
        terms = mean_terms(difference_terms, model, batch)
        later = (
            terms.decoded_rate
            + self.difference_weight * (terms.forward + terms.reverse)
            + self.symmetry_weight * terms.symmetry
            + self.l1_weight * l1_penalty(model)
        )
        total = terms.reconstruction + started * later
        return total, {"loss/total": total} | named(terms)


class Views(eqx.Module):
    """Transitions, and two noisy copies of their states and actions, one behind the other."""

    transitions: Transitions
    first: Float[Array, "batch both"]
    second: Float[Array, "batch both"]


class SimSiamLearner(AbstractBaseline):
    """Reconstruction, and an encoder that finds two noisy views of a sample alike.

    Source: SimSiam, arXiv:2011.10566, on an autoencoder as in arXiv:2306.04220 App. B.
    Deviation: what a view of a state and action is, is published nowhere. Ours are two copies of
    (s, a) with independent noise on every number, in units in which states have a standard
    deviation of 1. Ours too: the networks behind the encoder (see `SimSiam`), Adam at the TDM's
    rate where images had SGD, the weight of 1, and the TDM's pre-training.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"encoder", "decoders"})

    noise: float = 0.1
    """Standard deviation of the noise that makes a view."""
    similarity_weight: float = 1.0
    """Weight of the views' negative cosine beside the reconstruction."""

    def network(self, dataset: Dataset, *, key: Key) -> SimSiam:
        sizes = dataset.obs_dim, dataset.action_dim
        return SimSiam(*sizes, activation=ACTIVATIONS[self.activation], key=key)

    def views(self, batch: Transitions, *, key: Key) -> Views:
        clean = jnp.concatenate([batch.obs, batch.action], axis=1)
        first, second = self.noise * jr.normal(key, (2, *clean.shape))
        return Views(batch, clean + first, clean + second)

    def loss(self, model: SimSiam, batch: Views, started: Scalar) -> tuple[Scalar, Metrics]:
        """Reconstruction of the samples as they are, and once started the likeness of views."""
        reconstruction = mean_reconstruction(model, batch.transitions)
        alike = jax.vmap(lambda one, two: siamese_loss(model, one, two))
        siamese = jnp.mean(alike(batch.first, batch.second))
        total = reconstruction + started * self.similarity_weight * siamese
        return total, {
            "loss/total": total, "loss/reconstruction": reconstruction, "loss/siamese": siamese,
        }  # fmt: skip


def mean_reconstruction(model: AbstractAutoencoder, batch: Transitions) -> Scalar:
    """arXiv:2306.04220 Eq. 3 as a mean over a batch."""
    each = jax.vmap(lambda s, a: reconstruction_loss(model, s, a))
    return jnp.mean(each(batch.obs, batch.action))
