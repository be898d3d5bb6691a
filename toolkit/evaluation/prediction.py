"""Prediction error by horizon, beside what costs nothing: persistence and the mean."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from toolkit.data import Dataset, Normaliser, Window, WindowSampler
from toolkit.dynamics import AbstractDynamics, Prediction
from toolkit.errors import UserError
from toolkit.types import Obs

#: Windows that go through the model at once.
_BATCH = 64


class TrainedDynamics(eqx.Module):
    """A model and the normaliser it was trained with: raw observations in, raw out."""

    model: AbstractDynamics
    normaliser: Normaliser

    def predict(
        self, obs: Obs, actions: Float[Array, "time action"], *, reencode_every: int | None = None
    ) -> Prediction:
        """States (start included) and rewards under known actions, in the data's own units.

        One sample; `vmap` for more. See `AbstractDynamics.predict` for `reencode_every`.
        """
        start = self.normaliser.normalise(obs)
        predicted = self.model.predict(start, actions, reencode_every=reencode_every)
        states = self.normaliser.denormalise(predicted.obs[1:])
        return Prediction(jnp.concatenate([obs[None], states]), predicted.reward)


class PredictionErrors(eqx.Module):
    """Mean squared errors k = 1…horizon steps ahead, averaged over windows and coordinates.

    Shapes: `(horizon,)`; `state*` in squared standard deviations, `state_raw` in squared raw
    units, `reward` in squared reward. `persistence` predicts the start for ever, `mean` the mean
    of the training data.
    """

    state: Float[np.ndarray, " horizon"]
    state_raw: Float[np.ndarray, " horizon"]
    reward: Float[np.ndarray, " horizon"]
    persistence: Float[np.ndarray, " horizon"]
    mean: Float[np.ndarray, " horizon"]
    num_windows: int
    num_episodes: int  # that the windows are of

    @property
    def state_vs_persistence(self) -> float:
        """Error over all horizons and windows as a share of persistence's."""
        return float(self.state.mean() / self.persistence.mean())


def normalised(dataset: Dataset, normaliser: Normaliser) -> Dataset:
    """The dataset with z-scored observations, which is what models are trained on."""
    return eqx.tree_at(
        lambda data: (data.observations, data.next_observations),
        dataset,
        replace_fn=normaliser.normalise,
    )


def prediction_errors(
    trained: TrainedDynamics,
    dataset: Dataset,
    *,
    horizon: int = 100,
    max_windows: int = 50_000,
    reencode_every: int | None = None,
    seed: int = 0,
) -> PredictionErrors:
    """Errors over every window of a (raw) dataset, or over `max_windows` random ones.

    Source: the protocol of arXiv:2306.11941 §4.1 (50,000 windows of length 100), windows never
    crossing an episode.
    Raises:
        UserError: no episode is as long as `horizon`, or the dimensions differ from the model's.
    """
    expected = trained.normaliser.mean.size
    if dataset.obs_dim != expected:
        raise UserError(
            f"The model was trained on observations of {expected} numbers, but "
            f"{dataset.source.name!r} has {dataset.obs_dim}."
        )
    sampler = WindowSampler(normalised(dataset, trained.normaliser), horizon)
    starts = np.asarray(sampler.starts)
    if len(starts) > max_windows:
        starts = np.random.default_rng(seed).choice(starts, max_windows, replace=False)
    padded = np.resize(starts, -(-len(starts) // _BATCH) * _BATCH).reshape(-1, _BATCH)
    weight = (np.arange(padded.size) < len(starts)).astype(np.float32).reshape(-1, _BATCH)
    sums = _error_sums(trained, sampler, jnp.asarray(padded), jnp.asarray(weight), reencode_every)
    return PredictionErrors(
        *(np.asarray(total, np.float64) / len(starts) for total in sums),
        num_windows=len(starts), num_episodes=len(np.unique(np.asarray(dataset.episode)[starts])),
    )  # fmt: skip


@eqx.filter_jit
def _error_sums(
    trained: TrainedDynamics,
    sampler: WindowSampler,
    starts: Array,
    weight: Array,
    reencode: int | None,
) -> list[Array]:
    def one_batch(batch: tuple[Array, Array]) -> list[Array]:
        starts, weight = batch
        errors = _window_errors(trained, sampler.gather(starts), reencode)
        return [(error * weight[None]).sum(1) for error in errors]

    return [total.sum(0) for total in lax.map(one_batch, (starts, weight))]


def _window_errors(trained: TrainedDynamics, window: Window, reencode: int | None) -> list[Array]:
    """Each kind of error as `(horizon, batch)`."""

    def predict(obs: Array, actions: Array) -> Prediction:
        return trained.model.predict(obs, actions, reencode_every=reencode)

    predicted = jax.vmap(predict, in_axes=(0, 1), out_axes=1)(window.obs[0], window.action)
    truth = window.obs[1:]
    difference = predicted.obs[1:] - truth
    std = trained.normaliser.std[None, None]
    return [
        jnp.square(difference).mean(-1),
        jnp.square(difference * std).mean(-1),
        jnp.square(predicted.reward - window.reward),
        jnp.square(window.obs[:1] - truth).mean(-1),
        jnp.square(truth).mean(-1),
    ]
