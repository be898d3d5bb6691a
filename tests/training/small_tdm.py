"""A TDM with narrow networks, so that states and checkpoints of it are small."""

from __future__ import annotations

from toolkit.data import Dataset
from toolkit.tsymmetry import TDM
from toolkit.tsymmetry.learner import TDMLearner
from toolkit.types import Key

PATH = "tests.training.small_tdm:SmallTDM"


class SmallTDM(TDMLearner):
    """As the paper's, with eight units a layer."""

    def network(self, dataset: Dataset, *, key: Key) -> TDM:
        return TDM(
            dataset.obs_dim, dataset.action_dim, encoder_widths=(8,), dynamics_widths=(8,), key=key
        )
