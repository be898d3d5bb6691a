"""What the killed processes run: a tiny model that saves at every chunk."""

from __future__ import annotations

import jax

from tests.training.tiny import PATH, Tiny
from toolkit import registry
from toolkit.training.driver import fit, start_or_continue
from toolkit.training.experiment import prepare


def train_in_child(folder: str, cache: str, num_updates: int) -> None:
    """Start or continue the run in `folder`; compiled programs are shared through `cache`."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    registry.MODELS["tiny"] = registry.Entry(PATH, "linear regression", "dynamics")
    learner = Tiny(num_updates=num_updates)
    experiment = prepare("tiny", learner, "toolkit/pendulum", seeds=(0, 1), chunk_updates=50)
    run, state = start_or_continue(folder, experiment, resume=True)
    fit(run, experiment, state, checkpoint_seconds=0.0)
