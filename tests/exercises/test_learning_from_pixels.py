"""Checks of the notebook on pixels: right answers, and typical wrong ones told apart."""

from __future__ import annotations

import re
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from toolkit.exercises.learning_from_pixels import (
    check_cropped,
    check_effective_rank,
    check_num_windows,
    check_prediction_loss,
)


def pad_and_crop(image, pad, top, left, mode="edge"):
    height, width = image.shape[:2]
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode=mode)
    return padded[top : top + height, left : left + width]


def windows(frames, stack, horizon):
    return np.maximum(frames - stack - horizon + 1, 0).sum()


def unit(x, axis=-1):
    return x / jnp.linalg.norm(x, axis=axis, keepdims=True)


def distance(predicted, target):
    return jnp.sum(jnp.square(predicted - target), axis=(0, 2)).mean()


def loss(predicted, target):
    return distance(unit(predicted), lax.stop_gradient(unit(target)))


def rank(features, power=1, centre=lambda x: x.mean(axis=0)):
    values = np.linalg.svd(features - centre(features), compute_uv=False) ** power
    shares = values / values.sum()
    return np.exp(-np.sum(shares * np.log(shares)))


SOLVED: list[tuple[Callable, Callable]] = [
    (check_cropped, pad_and_crop),
    (check_num_windows, windows),
    (check_prediction_loss, loss),
    (check_prediction_loss, lambda p, t: jnp.sum(
        2 - 2 * jnp.sum(unit(p) * lax.stop_gradient(unit(t)), -1), axis=0).mean()),
    (check_effective_rank, rank),
]  # fmt: skip
WRONG: list[tuple[Callable, Callable, str]] = [
    (check_cropped, lambda i, p, t, c: pad_and_crop(i, p, c, t), "swapped"),
    (check_cropped, lambda *a: pad_and_crop(*a, mode="constant"), "there are zeros"),
    (check_cropped, lambda *a: pad_and_crop(*a, mode="reflect"), "mirrors"),
    (check_cropped, lambda *a: pad_and_crop(*a, mode="wrap"), "comes back"),
    (check_cropped, lambda i, p, t, c: np.roll(i, (p - t, p - c), axis=(0, 1)), "comes back"),
    (check_cropped, lambda i, p, t, c: pad_and_crop(i, p, 2 * p - t, 2 * p - c), "wrong way"),
    (check_cropped, lambda i, p, t, c: i, "takes the middle"),
    (check_cropped, lambda i, p, t, c: np.pad(i, ((p, p), (p, p), (0, 0)), mode="edge"), "Crop it"),
    (check_num_windows, lambda n, s, h: np.maximum(n - s - h, 0).sum(), "one too few"),
    (check_num_windows, lambda n, s, h: (n - s - h + 1).sum(), "Cut off at 0"),
    (check_num_windows, lambda n, s, h: n.sum() - s - h + 1, "all episodes as one"),
    (check_num_windows, lambda n, s, h: np.maximum(n - s - h + 2, 0).sum(), "one too many"),
    (check_num_windows, lambda n, s, h: np.maximum(n - h, 0).sum(), "stack are forgotten"),
    (check_num_windows, lambda n, s, h: np.maximum(n - s + 1, 0).sum(), "ahead are forgotten"),
    (check_num_windows, lambda n, s, h: (n // (s + h)).sum(), "may overlap"),
    (check_num_windows, lambda n, s, h: np.maximum(n - s - h + 1, 0), "Add them up"),
    (check_prediction_loss, lambda p, t: distance(p, lax.stop_gradient(t)), "their lengths first"),
    (check_prediction_loss, lambda p, t: loss(p, t) / len(p), "this is their mean"),
    (check_prediction_loss, lambda p, t: loss(p, t) * p.shape[1], "this adds it up"),
    (check_prediction_loss, lambda p, t: jnp.square(unit(p) - unit(t)).mean(), "over all numbers"),
    (check_prediction_loss, lambda p, t: loss(p, t) / 2, "half of it"),
    (check_prediction_loss, lambda p, t: jnp.sum(unit(p) * unit(t), -1).sum(0).mean(), "the sign"),
    (check_prediction_loss, lambda p, t: -2 * jnp.sum(unit(p) * unit(t), -1).sum(0).mean(),
     "must be 0"),
    (check_prediction_loss, lambda p, t: distance(unit(p, 1), unit(t, 1)), "over the batch"),
    (check_prediction_loss, lambda p, t: distance(unit(p), unit(t)), "still has a gradient"),
    (check_prediction_loss, lambda p, t: distance(lax.stop_gradient(unit(p)), unit(t)),
     "no gradient reaches the prediction"),
    (check_prediction_loss, lambda p, t: distance(
        p / lax.stop_gradient(jnp.linalg.norm(p, axis=-1, keepdims=True)),
        lax.stop_gradient(unit(t))), "do lengths count as constants"),
    (check_effective_rank, lambda f: rank(f, centre=lambda x: 0), "centre the features"),
    (check_effective_rank, lambda f: rank(f, centre=lambda x: x.mean(1, keepdims=True)),
     "each row's own"),
    (check_effective_rank, lambda f: rank(f, centre=np.mean), "one mean for all"),
    (check_effective_rank, lambda f: rank(f, 2), "the squares"),
    (check_effective_rank, lambda f: np.log(rank(f)), "this is the entropy"),
    (check_effective_rank, lambda f: 1 / rank(f), "the sign"),
    (check_effective_rank, np.linalg.matrix_rank, "however little"),
    (check_effective_rank, lambda f: rank(f) if f.std() > 0.1 else 0.0, "made small"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "answer"), SOLVED)
def test_right_answers_pass(check: Callable, answer: Callable):
    assert check(answer), check(answer)


@pytest.mark.parametrize(("check", "answer", "words"), WRONG)
def test_wrong_answers_are_told_what_is_wrong(check: Callable, answer: Callable, words: str):
    verdict = check(answer)
    assert not verdict
    assert re.search(re.escape(words), verdict.message), verdict.message
