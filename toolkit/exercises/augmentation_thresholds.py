"""Checks of `06_augmentation_thresholds`: plain noise, the filter's mask, ε′, error of the kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data.samplers import Transitions
from toolkit.exercises.verdict import NotYet, ask, check, compare, numbers
from toolkit.figures.augmentation import error_of_kept


@check
def check_plain_noise(answer: Callable[..., Any]) -> str:
    """`plain_noise(batch, scale, key)`: (new batch, mask), normal noise on s and on s′."""
    rows, obs, scale = 4096, 3, 0.3
    keys = jax.random.split(jax.random.key(7), 3)
    batch = Transitions(
        jax.random.normal(keys[0], (rows, obs)), jax.random.uniform(keys[1], (rows, 2)),
        jnp.arange(rows, dtype=jnp.float32), jax.random.normal(keys[2], (rows, obs)),
        jnp.arange(rows) % 5 == 0,
    )  # fmt: skip
    here, after = _noise(ask(answer, batch, scale, jax.random.key(0)), batch)
    for noise, name, other in ((here, "s", "obs"), (after, "s′", "next_obs")):
        if not noise.any():
            raise NotYet(f"{name} has not moved: add noise to `{other}` too.")
        if np.ptp(noise, axis=0).max() < 1e-5:
            raise NotYet(
                f"{name}: one draw moves the whole batch the same way. Draw as many numbers as "
                f"`batch.{other}` has, with its shape."
            )
        if np.ptp(noise, axis=1).max() < 1e-5:
            raise NotYet(f"{name}: all coordinates of a row move by the same amount.")
        _same_size(noise, scale, name)
    if abs(np.corrcoef(here.ravel(), after.ravel())[0, 1]) > 0.1:
        raise NotYet(
            "s and s′ get the same noise: one key gives the same numbers twice. Split it first, "
            "`here, after = jax.random.split(key)`."
        )
    again, _ = _noise(ask(answer, batch, scale, jax.random.key(1)), batch)
    if np.allclose(again, here):
        raise NotYet("another key must give other noise: draw from the `key` that you are given.")
    return "s and s′ move independently, and nothing is rejected."


def _noise(result: Any, batch: Transitions) -> tuple[np.ndarray, np.ndarray]:
    """What was added to s and s′, after everything else has been looked at."""
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Transitions)):
        raise NotYet("return two things, the new `Transitions` and the mask.")
    made, accepted = result
    for name in ("action", "reward", "terminal"):
        values, recorded = numbers(getattr(made, name), name), np.asarray(getattr(batch, name))
        if values.shape != recorded.shape or not np.array_equal(values, recorded):
            raise NotYet(f"`{name}` must stay as recorded: only states are moved.")
    mask = numbers(accepted, "the mask")
    if mask.shape != (len(batch.reward),) or mask.dtype != bool:
        raise NotYet(
            f"the mask must be one boolean per row, shape ({len(batch.reward)},), got "
            f"{mask.dtype} of shape {mask.shape}."
        )
    if not mask.all():
        raise NotYet("plain noise has no filter: every sample is accepted.")
    moved = []
    for name in ("obs", "next_obs"):
        values, recorded = numbers(getattr(made, name), name), np.asarray(getattr(batch, name))
        if values.shape != recorded.shape:
            raise NotYet(f"`{name}` must keep its shape {recorded.shape}, got {values.shape}.")
        moved.append(values - recorded)
    return moved[0], moved[1]


def _same_size(noise: np.ndarray, scale: float, name: str) -> None:
    """The mean, spread and shape of normal noise, to what this many draws can tell."""
    spread = noise.std()
    if abs(noise.mean()) > 0.1 * spread:
        raise NotYet(f"{name}: the noise must have mean 0, got {noise.mean():.3g}.")
    mistakes = [
        (scale**0.5, "`scale` is a standard deviation, not a variance: multiply without a root."),
        (scale**2, "`scale` is squared. Multiply the normal numbers by `scale` itself."),
        (1.0, "`scale` is forgotten."),
    ]
    if abs(spread / scale - 1) > 0.03:
        for wrong, sentence in mistakes:
            if abs(spread / wrong - 1) < 0.03:
                raise NotYet(f"{name}: {sentence}")
        raise NotYet(f"{name}: the noise must have standard deviation {scale}, got {spread:.3g}.")
    if np.mean((noise / spread) ** 4) < 2.4:
        raise NotYet(f"{name}: draw normal numbers, `jax.random.normal`; these are bounded.")


@check
def check_keep(answer: Callable[..., Any]) -> str:
    """`keep(violation, data_violation, quantile)`: which samples the filter keeps, (samples,)."""
    rng = np.random.default_rng(0)
    data, quantile = rng.lognormal(-5, 1, 400), 0.7
    samples = rng.lognormal(-4.4, 1, 300)
    threshold = np.quantile(data, quantile)
    samples[0] = threshold
    right = samples <= threshold
    span = np.ptp(data)
    mistakes = [
        ("upside down: a small ℓ_Tsym is a good sign, so keep what is *below* the threshold.",
         samples >= threshold),
        ("upside down: a small ℓ_Tsym is a good sign, so keep what is *below* the threshold.",
         samples > threshold),
        ("a sample that equals the threshold is kept: `<=`.", samples < threshold),
        ("the quantile is taken over the samples, so the same share is kept however bad they are. "
         "Take it over the data.", samples <= np.quantile(samples, quantile)),
        ("this keeps the share 1 − τ: the threshold is the τ-quantile.",
         samples <= np.quantile(data, 1 - quantile)),
        ("the threshold is the quantile τ of the data's values, not τ itself.",
         samples <= quantile),
        ("`np.percentile` wants per cent. Use `np.quantile` for τ between 0 and 1.",
         samples <= np.percentile(data, quantile)),
        ("the threshold is not the mean: a quantile does not care how long the tail is.",
         samples <= data.mean()),
        ("the data are scaled to 0..1 and the samples are not, so the two have other units.",
         samples <= np.quantile((data - data.min()) / span, quantile)),
        ("this is one answer for the whole batch. Ask each sample.",
         np.full(300, samples.mean() <= threshold)),
        ("this is one answer for the whole batch. Ask each sample.",
         np.asarray(samples.mean() <= threshold)),
        ("this is the share that is kept. Return the mask.", np.asarray(right.mean())),
    ]  # fmt: skip
    got = ask(answer, samples, data, quantile)
    compare(got, right, mistakes, what="the mask")
    if np.asarray(got).dtype != bool:
        raise NotYet("return booleans, so that the mask can choose rows.")
    return f"{right.mean():.0%} of these are kept; of the data it would be 70 %."


@check
def check_shift_after(answer: Callable[..., Any]) -> str:
    """`shift_after(rate, latent, epsilon)`: ε′ = ε + f(z_s + ε) − f(z_s), (rows, obs)."""
    rng = np.random.default_rng(1)
    latent, epsilon = rng.normal(size=(2, 6, 4)) * [[[1.0]], [[0.3]]]
    weights = rng.normal(size=(4, 4))

    def rate(z: np.ndarray) -> np.ndarray:
        return np.tanh(z @ weights) * 0.5

    right = epsilon + rate(latent + epsilon) - rate(latent)
    mistakes = [
        ("the shift itself is forgotten: z_s + ε starts ε away, before f moves anything.",
         right - epsilon),
        ("this is where the sample arrives, z_s + ε + f(z_s + ε). ε′ is how far that is from "
         "where it would have arrived without ε.", latent + epsilon + rate(latent + epsilon)),
        ("f(z_s) is missing: without noise the state moves too, and that is no part of ε′.",
         epsilon + rate(latent + epsilon)),
        ("f has to be asked at z_s + ε, and at z_s.", epsilon + rate(epsilon)),
        ("the sign is wrong: moved minus not moved.", epsilon - rate(latent + epsilon)
         + rate(latent)),
        ("the sign is wrong: moved minus not moved.", -right),
        ("so s′ moves exactly as s did. f says how the noise grows or shrinks in between.",
         epsilon),
    ]  # fmt: skip
    compare(ask(answer, rate, latent, epsilon), right, mistakes, what="ε′")
    at_rest = ask(answer, rate, latent, np.zeros_like(epsilon))
    compare(at_rest, np.zeros_like(epsilon), what="ε′ without noise")
    return "without noise there is no shift, whatever f does."


@check
def check_kept_error(answer: Callable[..., Any]) -> str:
    """`kept_error(criterion, error, share)`: mean error of the share with the least criterion."""
    rng = np.random.default_rng(2)
    error = rng.lognormal(-3, 0.7, 200)
    criterion, share = error * rng.lognormal(0, 1, 200), 0.35
    count = 70
    order = np.argsort(criterion)
    right = float(error_of_kept(criterion, error, np.array([share]))[0])
    mistakes = [
        ("you kept the samples with the *largest* criterion.", error[order[-count:]].mean()),
        ("you sorted the errors themselves: no filter knows them. Sort by the criterion.",
         np.sort(error)[:count].mean()),
        ("these are the first rows. Sort by the criterion before you cut.", error[:count].mean()),
        ("this is the mean criterion. Average the *errors* of the samples that it keeps.",
         criterion[order[:count]].mean()),
        ("this is the median. Take the mean.", np.median(error[order[:count]])),
        ("this is the sum. Take the mean.", error[order[:count]].sum()),
        ("divide by how many are kept, not by all.", error[order[:count]].sum() / len(error)),
        ("this is the mean over all samples: nothing is filtered yet.", error.mean()),
        ("this is the mean error of the *rejected*.", error[order[count:]].mean()),
        ("off by one: keep `round(share · samples)` of them.", error[order[: count - 1]].mean()),
        ("off by one: keep `round(share · samples)` of them.", error[order[: count + 1]].mean()),
        ("the share that is rejected is 1 − `share`.", error[order[: 200 - count]].mean()),
        ("`argsort` gives the row numbers in order. Use them to choose rows.",
         error[np.argsort(order)[:count]].mean()),
    ]  # fmt: skip
    compare(ask(answer, criterion, error, share), right, mistakes, what="the mean error")
    everything = ask(answer, criterion, error, 1.0)
    compare(everything, error.mean(), what="the mean error of everything")
    return f"{right:.3f} of those kept, against {error.mean():.3f} of all."
