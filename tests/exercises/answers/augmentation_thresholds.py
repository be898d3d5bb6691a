"""Wrong answers to the exercises of `06_augmentation_thresholds`, and what each is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toolkit.data import Transitions
from toolkit.exercises.augmentation_thresholds import (
    check_keep,
    check_kept_error,
    check_plain_noise,
    check_shift_after,
)


def noise(
    draw: Callable[..., Any] = lambda key, shape: jax.random.normal(key, shape),
    size: Callable[[float], float] = lambda scale: scale,
    keys: Callable[[Any], Any] = jax.random.split,
    shape: Callable[[Any], Any] = lambda shape: shape,
    mask: Callable[[Any], Any] = lambda rows: jnp.ones(rows, bool),
    **changed: Any,
) -> Callable[..., Any]:
    """A right answer, or one with a mistake in one place."""

    def answer(batch: Transitions, scale: float, key: Any) -> Any:
        here, after = keys(key)
        moved = replace(
            batch,
            obs=batch.obs + size(scale) * draw(here, shape(batch.obs.shape)),
            next_obs=batch.next_obs + size(scale) * draw(after, shape(batch.obs.shape)),
        )
        return replace(moved, **changed), mask(len(batch.reward))

    return answer


def without_next(batch: Transitions, scale: float, key: Any) -> Any:
    made, mask = noise()(batch, scale, key)
    return replace(made, next_obs=batch.next_obs), mask


def noisy_action(batch: Transitions, scale: float, key: Any) -> Any:
    made, mask = noise()(batch, scale, key)
    return replace(made, action=batch.action + 0.1), mask


def error(criterion: Any, error: Any, share: float) -> float:
    return error[np.argsort(criterion)[: round(share * len(error))]].mean()


WRONG: list[tuple[Callable, Callable, str]] = [
    (check_plain_noise, without_next, "s′ has not moved"),
    (check_plain_noise, noise(keys=lambda key: (key, key)), "the same noise"),
    (check_plain_noise, noise(shape=lambda shape: (1, shape[1])), "moves the whole batch"),
    (check_plain_noise, noise(shape=lambda shape: (shape[0], 1)), "all coordinates of a row"),
    (check_plain_noise, noise(size=lambda scale: scale**0.5), "not a variance"),
    (check_plain_noise, noise(size=lambda scale: scale**2), "`scale` is squared"),
    (check_plain_noise, noise(size=lambda scale: 1.0), "`scale` is forgotten"),
    (check_plain_noise, noise(jax.random.uniform), "mean 0"),
    (check_plain_noise,
     noise(lambda key, shape: 3**0.5 * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)),
     "draw normal numbers"),
    (check_plain_noise, noise(keys=lambda key: jax.random.split(jax.random.key(0))), "another key"),
    (check_plain_noise, noisy_action, "`action` must stay as recorded"),
    (check_plain_noise, noise(mask=lambda rows: jnp.arange(rows) > 9), "has no filter"),
    (check_plain_noise, noise(mask=lambda rows: jnp.ones(rows)), "one boolean per row"),
    (check_plain_noise, lambda b, s, k: noise()(b, s, k)[0], "return two things"),
    (check_keep, lambda v, d, q: v >= np.quantile(d, q), "upside down"),
    (check_keep, lambda v, d, q: v < np.quantile(d, q), "equals the threshold"),
    (check_keep, lambda v, d, q: v <= np.quantile(v, q), "over the samples"),
    (check_keep, lambda v, d, q: v <= np.quantile(d, 1 - q), "1 − τ"),
    (check_keep, lambda v, d, q: v <= q, "not τ itself"),
    (check_keep, lambda v, d, q: v <= np.percentile(d, q), "per cent"),
    (check_keep, lambda v, d, q: v <= d.mean(), "not the mean"),
    (check_keep, lambda v, d, q: v <= np.quantile((d - d.min()) / np.ptp(d), q), "scaled to 0..1"),
    (check_keep, lambda v, d, q: v.mean() <= np.quantile(d, q), "whole batch"),
    (check_keep, lambda v, d, q: (v <= np.quantile(d, q)).astype(float), "return booleans"),
    (check_keep, lambda v, d, q: np.mean(v <= np.quantile(d, q)), "Return the mask"),
    (check_shift_after, lambda f, z, e: f(z + e) - f(z), "shift itself is forgotten"),
    (check_shift_after, lambda f, z, e: z + e + f(z + e), "where the sample arrives"),
    (check_shift_after, lambda f, z, e: e + f(z + e), "f(z_s) is missing"),
    (check_shift_after, lambda f, z, e: e + f(e), "asked at z_s + ε"),
    (check_shift_after, lambda f, z, e: e + f(z) - f(z + e), "sign is wrong"),
    (check_shift_after, lambda f, z, e: e, "exactly as s did"),
    (check_kept_error, lambda c, e, s: e[np.argsort(-c)[:70]].mean(), "*largest* criterion"),
    (check_kept_error, lambda c, e, s: np.sort(e)[:70].mean(), "no filter knows them"),
    (check_kept_error, lambda c, e, s: e[:70].mean(), "the first rows"),
    (check_kept_error, lambda c, e, s: np.sort(c)[:70].mean(), "mean criterion"),
    (check_kept_error, lambda c, e, s: np.median(e[np.argsort(c)[:70]]), "the median"),
    (check_kept_error, lambda c, e, s: e[np.argsort(c)[70:]].mean(), "the *rejected*"),
    (check_kept_error, lambda c, e, s: e[np.argsort(c)[:69]].mean(), "off by one"),
    (check_kept_error, lambda c, e, s: error(c, e, 1 - s), "1 − `share`"),
    (check_kept_error, lambda c, e, s: e.mean(), "nothing is filtered"),
    (check_kept_error, lambda c, e, s: e[np.argsort(c)[:70]].mean(), "mean error of everything"),
]  # fmt: skip
