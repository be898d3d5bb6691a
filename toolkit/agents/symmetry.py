"""Symmetry shifts of transitions as augmentations, and the agents whose critics see them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.agents.augmentation import AbstractAugmentation, Accepted, StateNoise, select
from toolkit.agents.cql import CQL
from toolkit.agents.td3_bc import TD3BC
from toolkit.data.dataset import Dataset
from toolkit.data.normaliser import Normaliser
from toolkit.data.samplers import Transitions
from toolkit.errors import UserError
from toolkit.symmetry.interface import AbstractKoopmanCore
from toolkit.symmetry.learners import KoopmanForwardLearner, SpectralCoreLearner
from toolkit.training.learner import State
from toolkit.types import Key, Scalar

_MODEL = 1 << 16  # beyond the keys that an agent splits its own into: the second is fold_in(…, 1)

GeneratorName = Literal["eigenspace", "commutator", "polynomial", "sylvester", "random", "spectral"]


class SymmetryShift(AbstractAugmentation):
    """s̃ = D(E(s) + ε·σE(s)) and s̃′ alike, with one random symmetry σ of the dynamics for the pair.

    With `gauge` the decoder's error at ε = 0 is taken off, s̃ + (s − D(E(s))): a shift of size zero
    then gives back the transition, which the published code does not.

    Source: arXiv:2111.01365 §4.
    """

    model: AbstractKoopmanCore
    generator: str = eqx.field(static=True)
    size: float | Scalar
    gauge: bool = eqx.field(static=True, default=True)

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        rows = len(batch.reward)
        obs, next_obs = jax.vmap(self._pair)(
            batch.obs, batch.action, batch.next_obs, jr.split(key, rows)
        )
        moved = Transitions(obs, batch.action, batch.reward, next_obs, batch.terminal)
        return moved, jnp.ones(rows, bool)

    def _pair(
        self,
        obs: Float[Array, " obs"],
        action: Float[Array, " action"],
        next_obs: Float[Array, " obs"],
        key: Key,
    ) -> tuple[Float[Array, " obs"], Float[Array, " obs"]]:
        model = self.model
        latent, after = model.encode(obs), model.encode(next_obs)
        here, there = model.displacements(latent, after, action, self.generator, key=key)
        moved = model.decode(latent + self.size * here)
        moved_after = model.decode(after + self.size * there)
        if self.gauge:
            moved = moved + obs - model.decode(latent)
            moved_after = moved_after + next_obs - model.decode(after)
        return moved, moved_after


class Mixture(AbstractAugmentation):
    """The first augmentation with a probability, else the second; drawn for each transition.

    With `per_batch` one draw decides for the whole batch, as in the code published with
    arXiv:2111.01365.
    """

    first: AbstractAugmentation
    second: AbstractAugmentation
    probability: float = eqx.field(static=True)
    per_batch: bool = eqx.field(static=True, default=False)

    def __call__(self, batch: Transitions, *, key: Key) -> tuple[Transitions, Accepted]:
        choice_key, first_key, second_key = jr.split(key, 3)
        rows = len(batch.reward)
        chosen = jr.bernoulli(choice_key, self.probability, (1 if self.per_batch else rows,))
        chosen = jnp.broadcast_to(chosen, (rows,))
        first, accepted = self.first(batch, key=first_key)
        second, also = self.second(batch, key=second_key)
        return select(chosen, first, second), jnp.where(chosen, accepted, also)


class SymmetryShifts(eqx.Module):
    """Mixed in before an agent: its critics see transitions shifted along a model's symmetries.

    A share `probability` of the transitions is shifted; the others get S4RL's noise.

    Source: arXiv:2111.01365 §4–5; on other agents than CQL, and with a diagonal spectrum, ours.
    """

    representation: str = ""
    """Folder of a run that trained a Koopman model on the same data; without it, one is trained
    first: `spectral-core` for the spectral generator, else `koopman-forward`."""
    generator: GeneratorName = "polynomial"
    """Which operators that commute with the dynamics: the paper's commutator (KFC) or eigenspace
    (KFC++), random polynomials, the published Sylvester solution, a diagonal one (spectral); or
    random ones that do not commute, as a control."""
    shift: float = 3e-3
    """Size ε of a shift, as a share of the latent state's own."""
    probability: float = 0.8
    """Share of the transitions that are shifted."""
    state_noise: float = 3e-3
    """Noise on the states of the others (S4RL), in standard deviations."""
    per_batch: bool = False
    """Decide between shift and noise once for a batch, as in the published code."""
    gauge: bool = True
    """Take the decoder's error off, so that a shift of size zero changes nothing."""
    model_updates: int = 20_000
    """Longest training of the model that is trained first, in updates."""
    model_size: int = 32
    """Latent coordinates of a bilinear model, or modes of a spectral core, that is trained first;
    those of a named one are its own."""
    model_hidden: int | None = None
    """Width of a model that is trained first, without it its usual one; that of a named one is its
    own."""

    def foundation(self) -> KoopmanForwardLearner | SpectralCoreLearner:
        """What is trained first where no `representation` is named."""
        size, updates = self.model_size, self.model_updates
        learner: KoopmanForwardLearner | SpectralCoreLearner
        if self.generator == "spectral":
            learner = SpectralCoreLearner(modes=size, num_updates=updates)
        else:
            learner = KoopmanForwardLearner(latent_dim=size, num_updates=updates)
        return learner if self.model_hidden is None else replace(learner, hidden=self.model_hidden)

    def fitted_to_model(self, settings: dict[str, Any]) -> SymmetryShifts:
        """With the sizes of the model that it builds on."""
        size = settings["modes" if self.generator == "spectral" else "latent_dim"]
        return replace(self, model_size=size, model_hidden=settings["hidden"])

    def check_foundation(self, trained: str, parts: frozenset[str]) -> None:
        """Refuse a model that has not the symmetries of the `generator`.

        Raises:
            UserError: the model has no symmetries for the `generator`.
        """
        wanted = "diagonal" if self.generator == "spectral" else "bilinear"
        if wanted not in parts:
            name = "spectral-core" if self.generator == "spectral" else "koopman-forward"
            raise UserError(
                f"{trained}, which has no symmetries for `generator` {self.generator!r}; "
                f"`toolkit train {name}` trains a model that has."
            )

    def prepare(self, dataset: Dataset) -> Any:
        """What the agent draws batches from, once the settings of the shifts are checked.

        Raises:
            UserError: `probability` or `shift` is out of its range, or the agent refuses.
        """
        if not 0 <= self.probability <= 1:
            raise UserError(f"`probability` must lie in 0..1, got {self.probability}.")
        if not self.shift >= 0:
            raise UserError(f"`shift` must not be negative, got {self.shift}.")
        agent: Any = super()
        return agent.prepare(dataset)

    def init(self, dataset: Dataset, *, key: Key) -> State:
        """The state before the first update, with an untrained model: see `build_on`."""
        model = self.foundation().network(dataset, key=jr.fold_in(key, _MODEL))
        agent: Any = super()
        return replace(agent.init(dataset, key=key), model=model)

    def build_on(
        self,
        state: State,
        model: AbstractKoopmanCore,
        dataset: Dataset,
        normaliser: Normaliser | None = None,
    ) -> State:
        """The state with a trained model."""
        del dataset, normaliser  # agent and model share their units
        return replace(state, model=model)

    def augmentation(self, state: State) -> AbstractAugmentation:
        """Shifts along symmetries, and noise."""
        shift = SymmetryShift(state.model, self.generator, self.shift, self.gauge)
        return Mixture(shift, StateNoise(self.state_noise), self.probability, self.per_batch)


class KFC(SymmetryShifts, CQL):
    """Koopman forward conservative Q-learning: one commuting operator for each action.

    Source: arXiv:2111.01365.
    """

    generator: GeneratorName = "commutator"
    """Which operators that commute with the dynamics."""


class KFCPlusPlus(SymmetryShifts, CQL):
    """KFC++: independent shifts along every eigenvector of the operator.

    Source: arXiv:2111.01365.
    """

    generator: GeneratorName = "eigenspace"
    """Which operators that commute with the dynamics."""


class SpectralCQL(SymmetryShifts, CQL):
    """CQL with shifts along the symmetries of a diagonal Koopman model; ours."""

    generator: GeneratorName = "spectral"
    """Which operators that commute with the dynamics."""


class SymmetryTD3BC(SymmetryShifts, TD3BC):
    """TD3+BC with shifts along symmetries of a Koopman model, the cheaper probe; ours."""

    generator: GeneratorName = "spectral"
    """Which operators that commute with the dynamics."""
