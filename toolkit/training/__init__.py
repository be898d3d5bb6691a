"""The one training loop, checkpoints that survive a kill, and the records of a run.

A run needs the rooms above, so its names load when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.training.config import RunConfig as RunConfig
    from toolkit.training.driver import fit as fit, start_or_continue as start_or_continue
    from toolkit.training.experiment import Experiment as Experiment, prepare as prepare
    from toolkit.training.run import Run as Run

from toolkit.training.checkpoint import (
    load_checkpoint as load_checkpoint,
    read_header as read_header,
    save_checkpoint as save_checkpoint,
)
from toolkit.training.learner import AbstractLearner as AbstractLearner
from toolkit.training.loop import (
    TrainingDiverged as TrainingDiverged,
    init_states as init_states,
    select_seed as select_seed,
    train as train,
)

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
