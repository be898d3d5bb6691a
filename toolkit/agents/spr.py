"""SAC from pixels that also predicts its own features: SPR (arXiv:2007.05929) with MLP dynamics,
and with a diagonal complex spectrum (arXiv:2306.11941 §4.2.2).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float

from toolkit.agents.pixel_losses import Features, feature_loss, normalised, normalised_loss
from toolkit.agents.pixel_replay import PixelWindows
from toolkit.agents.pixel_sac import AbstractPixelAgent
from toolkit.agents.world_model import KoopmanLatentDynamics, TOLDDynamics, elu_net
from toolkit.envs.interface import EnvSpec
from toolkit.nn import MLP, Linear
from toolkit.training.learner import Metrics
from toolkit.types import Key, Scalar

Compared = Float[Array, "time batch compared"]


class AbstractPredictingAgent(AbstractPixelAgent):
    """Soft actor-critic whose encoder also learns from predicting what it will make of the next
    observations, under the actions that were taken: L = L_TD + w·L_aux (arXiv:2306.11941 Eq. 11).
    """

    horizon: int = 5
    """K: steps that are predicted (arXiv:2007.05929; arXiv:2306.11941 §4.2.2)."""
    prediction_weight: float = 1.0
    """w of L_aux; neither arXiv:2306.11941 nor a code of its authors says which."""
    dynamics_hidden: int = 512
    """Width of the dynamics, or of what lies before and behind them; no source says which."""

    stop_gradient: bool = True
    """Whether targets are taken as they are. Without, the loss also moves what is to be predicted
    towards the prediction, and an encoder that sees nothing is a solution: for teaching."""

    @abstractmethod
    def compared(
        self,
        head: Any,
        features: Float[Array, "batch features"],
        targets: Features,
        actions: Float[Array, "time batch action"],
    ) -> tuple[Compared, Compared]:
        """What the loss compares at each step: the prediction, and what it should have been."""

    def window(self) -> int:
        return self.horizon

    def moves_targets(self) -> bool:
        return not self.stop_gradient

    def remedy_for_memory(self) -> str:
        return f"{super().remedy_for_memory()}, or `horizon` {self.horizon}"


class SPRHead(eqx.Module):
    """MLP dynamics on the features, the projection P of what is compared, and the predictor q."""

    dynamics: TOLDDynamics
    projection: Linear
    predictor: Linear

    def predicted(
        self, features: Float[Array, "batch features"], actions: Float[Array, "time batch action"]
    ) -> Float[Array, "time batch projection"]:
        """q(P(ŷ_{t+k})), ŷ_{t+k} from ŷ_t = y_t step after step."""
        project = lambda y: self.predictor(self.projection(y))
        return jax.vmap(jax.vmap(project))(self.dynamics.rollout(features, actions))

    def projected(self, targets: Features) -> Float[Array, "time batch projection"]:
        """P(ȳ_{t+k})."""
        return jax.vmap(jax.vmap(self.projection))(targets)


class SPR(AbstractPredictingAgent):
    """SPR with MLP dynamics in place of convolutions, on SAC: the baseline of arXiv:2306.11941.

    Deviations from arXiv:2007.05929: dynamics are an MLP of two hidden layers (arXiv:2306.11941
    §4.2.2; their width is not given there), and the projection is a layer of its own, for SAC's
    critics take actions too. With `encoder_rate` below 1 the targets have a slow encoder, as
    published for observations without augmentation (0.01), but no slow projection.
    """

    projection: int = 512
    """Numbers that features are compared in (arXiv:2007.05929: the first layer of the Q-head)."""

    def head(self, spec: EnvSpec, *, key: Key) -> SPRHead:
        keys = jr.split(key, 3)
        return SPRHead(
            TOLDDynamics(self.features, spec.action_dim, self.dynamics_hidden, key=keys[0]),
            Linear(self.features, self.projection, key=keys[1]),
            Linear(self.projection, self.projection, key=keys[2]),
        )

    def beside(
        self,
        head: SPRHead,
        features: Float[Array, "batch features"],
        targets: Features,
        batch: PixelWindows,
    ) -> tuple[Scalar, Metrics]:
        loss = normalised_loss(*self.compared(head, features, targets, batch.action), batch.valid)
        return self.prediction_weight * loss, {"loss/prediction": loss}

    def compared(
        self,
        head: SPRHead,
        features: Float[Array, "batch features"],
        targets: Features,
        actions: Float[Array, "time batch action"],
    ) -> tuple[Compared, Compared]:
        """Directions of projections."""
        aims = head.projected(targets)
        if self.stop_gradient:
            aims = lax.stop_gradient(aims)
        return normalised(head.predicted(features, actions)), normalised(aims)


class KoopmanHead(eqx.Module):
    """The projector p into Koopman observables, their diagonal dynamics, and the decoder d."""

    projector: MLP
    dynamics: KoopmanLatentDynamics
    decoder: MLP

    def predicted(
        self, features: Float[Array, "batch features"], actions: Float[Array, "time batch action"]
    ) -> Features:
        """d(x̂_{t+k}): all steps in one propagation of x_t = p(y_t)."""
        latents = self.dynamics.rollout(jax.vmap(self.projector)(features), actions)
        return jax.vmap(jax.vmap(self.decoder))(latents)


class KoopmanSPR(AbstractPredictingAgent):
    """Predictions by a diagonal complex spectrum, one propagation over the known actions.

    Predictions are compared as features y, and not as Koopman observables x: both together
    collapsed (arXiv:2306.11941 App. C.2). Targets have no slow encoder there. Not said there: the
    number of modes, the widths, the weight, and whether features are compared by their distance,
    as here, or normalised, as in SPR.
    """

    modes: int = 64
    """Complex Koopman observables."""
    action_hidden: int = 64
    """Width of the action encoder."""
    frequency_scale: float = 1.0
    """The spectrum's first frequencies as shares of the paper's, whose fastest mode turns by half a
    turn in a step."""

    def head(self, spec: EnvSpec, *, key: Key) -> KoopmanHead:
        keys = jr.split(key, 3)
        dynamics = KoopmanLatentDynamics(
            self.modes, spec.action_dim, self.action_hidden,
            frequency_scale=self.frequency_scale, key=keys[1],
        )  # fmt: skip
        width, size = self.dynamics_hidden, 2 * self.modes
        return KoopmanHead(
            elu_net((self.features, width, size), key=keys[0]), dynamics,
            elu_net((size, width, self.features), key=keys[2]),
        )  # fmt: skip

    def beside(
        self,
        head: KoopmanHead,
        features: Float[Array, "batch features"],
        targets: Features,
        batch: PixelWindows,
    ) -> tuple[Scalar, Metrics]:
        loss = feature_loss(*self.compared(head, features, targets, batch.action), batch.valid)
        return self.prediction_weight * loss, {"loss/prediction": loss}

    def compared(
        self,
        head: KoopmanHead,
        features: Float[Array, "batch features"],
        targets: Features,
        actions: Float[Array, "time batch action"],
    ) -> tuple[Compared, Compared]:
        """Features."""
        return head.predicted(features, actions), targets
