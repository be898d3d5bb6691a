"""The one training loop, checkpoints that survive a kill, and the records of a run.

A run needs the rooms above, so its names load when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from toolkit.training.checkpoint import load_checkpoint, read_header, save_checkpoint
from toolkit.training.learner import AbstractLearner
from toolkit.training.loop import TrainingDiverged, init_states, select_seed, train
from toolkit.training.turns import take_turns

if TYPE_CHECKING:
    from toolkit.training.config import RunConfig
    from toolkit.training.driver import fit, start_or_continue
    from toolkit.training.experiment import Experiment, prepare
    from toolkit.training.run import Run

__all__ = [
    "AbstractLearner",
    "Experiment",
    "Run",
    "RunConfig",
    "TrainingDiverged",
    "fit",
    "init_states",
    "load_checkpoint",
    "prepare",
    "read_header",
    "save_checkpoint",
    "select_seed",
    "start_or_continue",
    "take_turns",
    "train",
]

_LATER = {
    "Experiment": "experiment",
    "Run": "run",
    "RunConfig": "config",
    "fit": "driver",
    "prepare": "experiment",
    "start_or_continue": "driver",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"toolkit.training.{_LATER[name]}"), name)
    raise AttributeError(f"module 'toolkit.training' has no attribute {name!r}")
