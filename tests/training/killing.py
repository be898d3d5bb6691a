"""What the killed processes run: a small Koopman run that saves at every chunk."""

from __future__ import annotations

import jax

from toolkit.spectral.learner import Koopman
from toolkit.training.driver import fit, start_or_continue
from toolkit.training.experiment import prepare


def train_in_child(folder: str, cache: str, num_updates: int) -> None:
    """Start or continue the run in `folder`; compiled programs are shared through `cache`."""
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    learner = Koopman(
        modes=2, hidden=4, action_hidden=4, horizon=4, decoded_steps=2, reencode_every=2,
        batch_size=2, num_updates=num_updates,
    )  # fmt: skip
    experiment = prepare("koopman", learner, "toolkit/pendulum", seeds=(0, 1), chunk_updates=50)
    run, state = start_or_continue(folder, experiment, resume=True)
    fit(run, experiment, state, checkpoint_seconds=0.0)
