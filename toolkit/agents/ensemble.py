"""A probabilistic ensemble of one-step models, and its training (arXiv:2005.13239)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax.lax import stop_gradient
from jaxtyping import Array, Bool, Float, Int

from toolkit.agents.interface import check_is_fitted
from toolkit.data.dataset import Dataset
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.nn import MLP
from toolkit.training.learner import Metrics
from toolkit.tsymmetry.autoencoders import Part
from toolkit.tsymmetry.held_out import HeldOut, HeldOutLearner
from toolkit.types import Action, Key, Obs, Scalar

#: Decay of the weights of each layer, the last one included.
WEIGHT_DECAY = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)
#: Where the soft bounds of the log-variance begin.
FIRST_BOUNDS = (-10.0, 0.5)
#: Fewest updates between two checks where `check_every` is left to the data.
FEWEST_UPDATES = 100


class GaussianStep(eqx.Module):
    """(s, a) → mean and log-variance of (s′ − s, r), independent Gaussians.

    The log-variance is held between two learned bounds by softplus functions. Actions are
    z-scored by the data's statistics; states come normalised.

    Shapes: `outcome` is obs + 1, the reward last.
    """

    net: MLP
    lowest: Float[Array, " outcome"]
    highest: Float[Array, " outcome"]
    actions: Normaliser

    def __init__(self, obs_dim: int, actions: Normaliser, hidden: int, *, key: Key):
        outcome = obs_dim + 1
        widths = [hidden] * (len(WEIGHT_DECAY) - 1)
        sizes = (obs_dim + actions.mean.size, *widths, 2 * outcome)
        self.net = MLP(sizes, activation=jax.nn.silu, key=key)
        low, high = FIRST_BOUNDS
        self.lowest, self.highest = jnp.full(outcome, low), jnp.full(outcome, high)
        self.actions = actions

    def __call__(
        self, obs: Obs, action: Action
    ) -> tuple[Float[Array, " outcome"], Float[Array, " outcome"]]:
        scaled = stop_gradient(self.actions).normalise(action)
        mean, free = jnp.split(self.net(jnp.concatenate([obs, scaled])), 2)
        below = self.highest - jax.nn.softplus(self.highest - free)
        return mean, self.lowest + jax.nn.softplus(below - self.lowest)

    def decay(self) -> Scalar:
        """Σ over layers of decay/2 · Σ W²."""
        squares = [jnp.sum(jnp.square(layer.weight)) for layer in self.net.layers]
        return sum((0.5 * d * s for d, s in zip(WEIGHT_DECAY, squares, strict=True)), jnp.zeros(()))


class Ensemble(eqx.Module):
    """Members of equal shape in one program; the elites are the best by their held-out errors.

    Shapes: every array leads with the members.
    """

    members: GaussianStep
    order: Int[Array, " members"]  # the best member first
    num_elites: int = eqx.field(static=True)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Members, elites, and the width of the hidden layers."""
        return len(self.order), self.num_elites, self.members.net.layers[0].weight.shape[-1]

    def elites(self) -> GaussianStep:
        """The best members, stacked like all of them."""
        best = self.order[: self.num_elites]
        return jax.tree.map(lambda x: x[best] if eqx.is_array(x) else x, self.members)


def outcomes(
    members: GaussianStep, obs: Float[Array, "batch obs"], action: Float[Array, "batch action"]
) -> tuple[Float[Array, "members batch outcome"], Float[Array, "members batch outcome"]]:
    """Means and log-variances by every one of some stacked members for the same batch."""
    return eqx.filter_vmap(lambda member: jax.vmap(member)(obs, action))(members)


def observed(batch: Transitions) -> Float[Array, "batch outcome"]:
    """What a step is to predict: (s′ − s, r)."""
    return jnp.concatenate([batch.next_obs - batch.obs, batch.reward[:, None]], axis=1)


def member_loss(
    member: GaussianStep, batch: Transitions, bound_weight: float
) -> tuple[Scalar, Metrics]:
    """mean (μ − y)²·e^(−logvar) + mean logvar + w·(Σ highest − Σ lowest) + decay, and its terms.

    Source: the code published with arXiv:2005.13239, there with one pair of bounds for all
    members; here each has its own.
    """
    mean, log_var = jax.vmap(member)(batch.obs, batch.action)
    squared = jnp.square(mean - observed(batch))
    likelihood = jnp.mean(squared * jnp.exp(-log_var)) + jnp.mean(log_var)
    bounds = bound_weight * (jnp.sum(member.highest) - jnp.sum(member.lowest))
    total = likelihood + bounds + member.decay()
    return total, {
        "loss/total": total, "loss/likelihood": likelihood, "loss/error": jnp.mean(squared),
    }  # fmt: skip


class EnsembleLearner(HeldOutLearner):
    """The dynamics ensemble of MOPO, each member on batches of its own.

    Every check takes the squared error of each member's mean on held-out episodes; a member is
    kept where it gained 1 %, and training stops once none has for some checks. The published
    codes hold out 1,000 single transitions, whose neighbours are in training; here it is whole
    episodes.

    Source: arXiv:2005.13239 §4.1, App. G, and the code published with it.
    """

    parts: ClassVar[frozenset[Part]] = frozenset({"ensemble"})

    num_members: int = 7
    """Members of the ensemble."""
    num_elites: int = 5
    """Members that are used: those with the smallest held-out error."""
    hidden: int = 200
    """Width of the four hidden layers."""
    bound_weight: float = 0.01
    """Weight of the distance between the bounds of the log-variance."""
    least_gain: float = 0.01
    """Share by which a held-out error must fall to count as better."""
    batch_size: int = 256
    """Transitions per update and member."""
    learning_rate: float = 1e-3
    """Rate of Adam."""
    num_updates: int = 20_000
    """Longest run, in updates."""
    validation_share: float = 0.1
    """Share of the episodes that is held out; 0 for none, and no stopping."""
    check_every: int | None = None
    """Updates between two looks at the held-out episodes; without it, one pass over the data, at
    least 100 updates."""
    patience: int = 5
    """Looks without a better member after which the training stops; 0 never stops."""

    @property
    def pieces(self) -> tuple[int, ...]:
        return (self.num_members,)

    def fitted_to(self, dataset: Dataset) -> EnsembleLearner:
        """With one pass over the data between two checks, where that was left open."""
        if self.check_every is not None:
            return self
        one_pass = -(-dataset.num_transitions // self.batch_size)
        return replace(self, check_every=max(one_pass, FEWEST_UPDATES))

    def prepare(self, dataset: Dataset) -> HeldOut:
        if self.num_elites > self.num_members:
            raise UserError(
                f"`num_elites` must be at most `num_members` ({self.num_members}), got "
                f"{self.num_elites}."
            )
        check_is_fitted(self, "check_every")
        return super().prepare(dataset)

    def network(self, dataset: Dataset, *, key: Key) -> Ensemble:
        """The untrained ensemble."""
        actions = Normaliser.fit(dataset.actions)
        members = eqx.filter_vmap(
            lambda k: GaussianStep(dataset.obs_dim, actions, self.hidden, key=k)
        )(jr.split(key, self.num_members))
        return Ensemble(members, jnp.arange(self.num_members, dtype=jnp.int32), self.num_elites)

    def loss(self, model: Ensemble, batch: Transitions, started: Scalar) -> tuple[Scalar, Metrics]:
        """The sum of the members' losses, each on its part of the batch; metrics are means."""
        each = jax.tree.map(lambda x: x.reshape(self.num_members, -1, *x.shape[1:]), batch)
        totals, terms = eqx.filter_vmap(
            lambda member, own: member_loss(member, own, self.bound_weight)
        )(model.members, each)
        return jnp.sum(totals), jax.tree.map(jnp.mean, terms)

    def held_out_error(self, model: Ensemble, validation: Transitions) -> Float[Array, " members"]:
        """Mean squared error of each member's mean."""
        mean, _ = outcomes(model.members, validation.obs, validation.action)
        return jnp.mean(jnp.square(mean - observed(validation)[None]), axis=(1, 2))

    def is_better(
        self, error: Float[Array, " members"], best: Float[Array, " members"]
    ) -> Bool[Array, " members"]:
        return error < (1.0 - self.least_gain) * best

    def measured(self, model: Ensemble, rows: Transitions) -> Metrics:
        """How well the elites predict (s′ − s, r), as means over transitions and elites.

        `…_error_share` is the squared error of the elites' mean prediction beside that of
        predicting no change, for the state, or the mean reward. `squared_error_per_variance` is 1
        where the stated variances are right; `stated_std` and `disagreement` (the standard
        deviation of the elites' means) are over the state, in its normalised units.
        """
        mean, log_var = outcomes(model.elites(), rows.obs, rows.action)
        truth = observed(rows)
        together = jnp.square(jnp.mean(mean, axis=0) - truth)
        squared = jnp.square(mean - truth[None])
        surprise = squared * jnp.exp(-log_var)
        spread = jnp.maximum(jnp.var(rows.reward), 1e-12)
        return {
            "loss/likelihood": jnp.mean(surprise + log_var),
            "loss/error": jnp.mean(squared),
            "state_error_share": jnp.mean(together[:, :-1]) / jnp.mean(jnp.square(truth[:, :-1])),
            "reward_error_share": jnp.mean(together[:, -1]) / spread,
            "squared_error_per_variance": jnp.mean(surprise),
            "stated_std": jnp.mean(jnp.exp(0.5 * log_var[..., :-1])),
            "disagreement": jnp.mean(jnp.std(mean[..., :-1], axis=0)),
        }

    def arranged(self, best: Ensemble, best_loss: Float[Array, " members"]) -> Ensemble:
        return replace(best, order=jnp.argsort(best_loss).astype(jnp.int32))
