"""The interface every dynamics model meets, its losses, and how one is fitted."""

from toolkit.dynamics.interface import (
    AbstractDynamics as AbstractDynamics,
    Heads as Heads,
    Prediction as Prediction,
)
from toolkit.dynamics.learner import (
    AbstractDynamicsLearner as AbstractDynamicsLearner,
    DynamicsState as DynamicsState,
)
from toolkit.dynamics.losses import (
    DynamicsTerms as DynamicsTerms,
    Unrolled as Unrolled,
    consistency_loss as consistency_loss,
    dynamics_terms as dynamics_terms,
    prediction_loss as prediction_loss,
    reward_loss as reward_loss,
    unroll as unroll,
)
from toolkit.dynamics.steps import Steps as Steps
