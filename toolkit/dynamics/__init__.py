"""The interface every dynamics model meets, its losses, and how one is fitted."""

from toolkit.dynamics.interface import (
    AbstractDynamics as AbstractDynamics,
)
from toolkit.dynamics.interface import (
    Heads as Heads,
)
from toolkit.dynamics.interface import (
    Prediction as Prediction,
)
from toolkit.dynamics.learner import (
    AbstractDynamicsLearner as AbstractDynamicsLearner,
)
from toolkit.dynamics.learner import (
    DynamicsState as DynamicsState,
)
from toolkit.dynamics.losses import (
    DynamicsTerms as DynamicsTerms,
)
from toolkit.dynamics.losses import (
    Unrolled as Unrolled,
)
from toolkit.dynamics.losses import (
    consistency_loss as consistency_loss,
)
from toolkit.dynamics.losses import (
    dynamics_terms as dynamics_terms,
)
from toolkit.dynamics.losses import (
    prediction_loss as prediction_loss,
)
from toolkit.dynamics.losses import (
    reward_loss as reward_loss,
)
from toolkit.dynamics.losses import (
    unroll as unroll,
)
