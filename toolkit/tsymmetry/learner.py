"""How a TDM is fitted: weights, pre-training, and the preset of the published code."""

from __future__ import annotations

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Int

from toolkit.data import Dataset
from toolkit.data.samplers import Transitions, TransitionSampler
from toolkit.errors import UserError
from toolkit.training.learner import AbstractLearner, Metrics
from toolkit.training.optimise import gradient_step
from toolkit.tsymmetry.losses import TDMTerms, l1_penalty, published_terms, tdm_terms
from toolkit.tsymmetry.tdm import TDM
from toolkit.types import Key, Scalar

Activation = Literal["relu", "silu", "tanh"]
ACTIVATIONS = {"relu": jax.nn.relu, "silu": jax.nn.silu, "tanh": jnp.tanh}


class TDMState(eqx.Module):
    """A TDM, its optimiser and the number of updates so far."""

    model: TDM
    opt_state: Any
    update_count: Int[Array, ""]


class TDMLearner(AbstractLearner):
    """Adam on Eq. 8 over random transitions of normalised data, after some reconstruction alone.

    The weights are those of the paper's Table 6; its Table 3 has 1 for the symmetry term, and the
    published code 0.1. `variant="published"` is that code: decoding by the decoder's Jacobian,
    symmetry about the encoded next state, Eq. 13 always on, and pre-training with everything but
    the chain-rule terms.

    Source: arXiv:2306.04220 §3, App. A, Tables 2, 3 and 6.
    """

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
    batch_size: int = 512
    """Transitions per update."""
    learning_rate: float = 3e-4
    """Rate of Adam."""
    num_updates: int = 20_000
    """Length of the run, pre-training included, in updates."""
    pretrain_share: float = 0.1
    """Share of the run that trains the reconstruction alone (Table 2: 200 of 2000 epochs)."""

    def prepare(self, dataset: Dataset) -> TransitionSampler:
        """Draws rows with a recorded successor; terminal rows without one teach no dynamics."""
        if self.batch_size < 1:
            raise UserError(f"`batch_size` must be at least 1, got {self.batch_size}.")
        if not 0 <= self.pretrain_share <= 1:
            raise UserError(f"`pretrain_share` must lie in 0..1, got {self.pretrain_share}.")
        return TransitionSampler(dataset, successors_only=True)

    def init(self, dataset: Dataset, *, key: Key) -> TDMState:
        model = TDM(
            dataset.obs_dim, dataset.action_dim, activation=ACTIVATIONS[self.activation], key=key
        )
        opt_state = self._adam().init(eqx.filter(model, eqx.is_inexact_array))
        return TDMState(model, opt_state, jnp.zeros((), jnp.int32))

    def sample(self, sampler: TransitionSampler, *, key: Key) -> Transitions:
        return sampler.sample(self.batch_size, key=key)

    def update(self, state: TDMState, batch: Transitions, *, key: Key) -> tuple[TDMState, Metrics]:
        started = state.update_count >= round(self.pretrain_share * self.num_updates)
        (_, metrics), grads = eqx.filter_value_and_grad(self.loss, has_aux=True)(
            state.model, batch, started.astype(jnp.float32)
        )
        model, opt_state = gradient_step(self._adam(), state.model, grads, state.opt_state)
        return TDMState(model, opt_state, state.update_count + 1), metrics

    def loss(self, model: TDM, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """Eq. 8 (13 where `enhanced`) with its weights; `started` 0 in pre-training, then 1."""
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
        return total, {"loss/total": total} | {
            f"loss/{name}": value for name, value in vars(terms).items()
        }

    def terms(self, model: TDM, batch: Transitions) -> TDMTerms:
        """Each term's mean over a batch of transitions."""
        one = published_terms if self.variant == "published" else tdm_terms
        each = jax.vmap(lambda s, a, s2: one(model, s, a, s2))
        return jax.tree.map(jnp.mean, each(batch.obs, batch.action, batch.next_obs))

    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)
