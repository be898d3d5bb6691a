"""How a TDM is fitted (arXiv:2306.04220 §3): reconstruction alone first, then the whole loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from toolkit.data.dataset import Dataset
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.training.learner import Metrics
from toolkit.tsymmetry.autoencoders import Part
from toolkit.tsymmetry.held_out import HeldOut, HeldOutLearner, check_share
from toolkit.tsymmetry.losses import TDMTerms, l1_penalty, published_terms, tdm_terms
from toolkit.tsymmetry.tdm import TDM
from toolkit.types import Key, Scalar

Terms = TypeVar("Terms", bound=eqx.Module)
Activation = Literal["relu", "silu", "tanh"]
ACTIVATIONS = {"relu": jax.nn.relu, "silu": jax.nn.silu, "tanh": jnp.tanh}


class RepresentationLearner(HeldOutLearner):
    """A TDM, or a part of one: the first `pretrain_share` of the run trains a part of the loss."""

    activation: eqx.AbstractVar[Activation]
    pretrain_share: eqx.AbstractVar[float]

    @property
    def num_pretraining(self) -> int:
        return round(self.pretrain_share * self.num_updates)

    def prepare(self, dataset: Dataset) -> HeldOut:
        check_share("pretrain_share", self.pretrain_share)
        return super().prepare(dataset)


class TDMLearner(RepresentationLearner):
    """The T-symmetry enforced dynamics model: Eq. 8, after some reconstruction alone.

    The weights are those of the paper's Table 6; its Table 3 has 1 for the symmetry term, and the
    published code 0.1. `variant="published"` is that code: decoding by the decoder's Jacobian,
    symmetry about the encoded next state, Eq. 13 always on, and pre-training with everything but
    the chain-rule terms.

    Source: arXiv:2306.04220 §3, App. A, Tables 2, 3 and 6.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"encoder", "decoders", "forward", "reverse"})

    variant: Literal["paper", "published"] = "paper"
    """The paper's terms, or those of the code published with it."""
    enhanced: bool = False
    """Add the term of Eq. 13, for data on which the reverse model degenerates."""
    chain_weight: float = 0.1
    """Weight of ℓ_fwd and ℓ_rvs (Eq. 4 and 6)."""
    symmetry_weight: float = 0.1
    """Weight of ℓ_Tsym (Eq. 7), and of what Eq. 13 adds."""
    l1_weight: float = 1e-5
    """λ_L1 on the numbers of f and g (Eq. 8)."""
    activation: Activation = "relu"
    """Between the layers of every network."""
    width: int = 512
    """Units of the widest layers: of the dynamics, and the encoder's first (Table 3)."""
    batch_size: int = 256
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, pre-training included, in updates."""
    pretrain_share: float = 0.1
    """Share of the run that trains the reconstruction alone (Table 2: 200 of 2000 epochs)."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int = 500
    """Updates between two looks at the held-out episodes."""
    patience: int = 8
    """Looks without a better model after which the training stops; 0 never stops."""

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        """The untrained model: the proportions of Table 3 at this width.

        Raises:
            UserError: the width is too small to be quartered.
        """
        return TDM(
            dataset.obs_dim, dataset.action_dim, encoder_widths=encoder_widths(self.width),
            dynamics_widths=(self.width,) * 3, activation=ACTIVATIONS[self.activation], key=key,
        )  # fmt: skip

    def loss(self, model: TDM, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """Eq. 8 (13 where `enhanced`) with its weights."""
        terms = self.terms(model, batch)
        published = self.variant == "published"
        symmetry = terms.symmetry
        if self.enhanced or published:
            symmetry = symmetry + terms.at_next
        decoded, symmetry = terms.decoded_rate, self.symmetry_weight * symmetry
        chain = self.chain_weight * (terms.forward + terms.reverse)
        penalty = self.l1_weight * l1_penalty(model)
        later = chain if published else chain + decoded + symmetry + penalty
        always = decoded + symmetry + penalty if published else jnp.zeros(())
        total = terms.reconstruction + always + started * later
        return total, {"loss/total": total} | named(terms)

    def terms(self, model: TDM, batch: Transitions) -> TDMTerms:
        """Each term's mean over a batch of transitions."""
        return mean_terms(
            published_terms if self.variant == "published" else tdm_terms, model, batch
        )

    def measured(self, model: TDM, rows: Transitions) -> Metrics:
        """The paper's terms, also of the published variant, so that the two can be compared."""
        return named(mean_terms(tdm_terms, model, rows))


def encoder_widths(width: int) -> tuple[int, ...]:
    """Hidden widths of an encoder with the proportions of Table 3.

    Raises:
        UserError: the width is too small to be quartered.
    """
    if width < 4:
        raise UserError(f"`width` must be at least 4, got {width}.")
    return width, width // 2, width // 4


def mean_terms(terms: Callable[..., Terms], model: eqx.Module, batch: Transitions) -> Terms:
    """The mean over a batch of what `terms(model, obs, action, next_obs)` gives of each row."""
    each = jax.vmap(lambda s, a, s2: terms(model, s, a, s2))
    return jax.tree.map(jnp.mean, each(batch.obs, batch.action, batch.next_obs))


def named(terms: eqx.Module) -> Metrics:
    """Every term under the name that metrics have for it."""
    return {f"loss/{name}": value for name, value in vars(terms).items()}
