"""Checks of `10_learning_from_pixels`: a shift, windows in episodes, a loss, an effective rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from toolkit.agents.pixel_losses import normalised_loss
from toolkit.evaluation.probes import effective_rank
from toolkit.exercises.verdict import NotYet, agree, ask, check, compare


@check
def check_cropped(answer: Callable[..., Any]) -> str:
    """`cropped(image, pad, top, left)`: edges repeated, then the old size from (top, left)."""
    rng = np.random.default_rng(0)
    image, pad, top, left = rng.integers(0, 255, (6, 9, 3)).astype(np.uint8), 2, 4, 1
    around = ((pad, pad), (pad, pad), (0, 0))
    crop = lambda padded, row, column: padded[row : row + 6, column : column + 9]
    padded = np.pad(image, around, mode="edge")
    right = crop(padded, top, left)
    mistakes = [
        ("`top` counts rows, the first axis, and `left` columns. They are swapped.",
         crop(padded, left, top)),
        ("behind the edge there are zeros. Repeat the edge: `mode=\"edge\"`.",
         crop(np.pad(image, around), top, left)),
        ("this mirrors the picture at its edge. Repeat the edge: `mode=\"edge\"`.",
         crop(np.pad(image, around, mode="reflect"), top, left)),
        ("this mirrors the picture at its edge. Repeat the edge: `mode=\"edge\"`.",
         crop(np.pad(image, around, mode="symmetric"), top, left)),
        ("what leaves on one side comes back on the other. Repeat the edge instead.",
         crop(np.pad(image, around, mode="wrap"), top, left)),
        ("what leaves on one side comes back on the other. Pad, then crop.",
         np.roll(image, (pad - top, pad - left), axis=(0, 1))),
        ("the wrong way: `top` and `left` are where the crop begins in the padded picture.",
         crop(padded, 2 * pad - top, 2 * pad - left)),
        ("this always takes the middle, where the picture was.", image),
        ("this is the padded picture. Crop it to the old size.", padded),
        ("the crop is one pixel too large: `top + height` is not part of it.",
         padded[top : top + 7, left : left + 10]),
    ]  # fmt: skip
    compare(ask(answer, image, pad, top, left), right, mistakes, what="the picture")
    return "every shift of up to `pad` pixels has the same chance: (2·pad + 1)² of them."


@check
def check_num_windows(answer: Callable[..., Any]) -> str:
    """`num_windows(frames, stack, horizon)`: Σ max(0, n − stack − horizon + 1) over episodes."""
    frames, stack, horizon = np.array([10, 7, 2, 25]), 3, 4
    window = stack + horizon
    right = np.maximum(frames - window + 1, 0).sum()
    mistakes = [
        ("one too few in each episode: a window of all its frames is one window.",
         np.maximum(frames - window, 0).sum()),
        ("an episode that is too short has no window; here it takes some off. Cut off at 0.",
         (frames - window + 1).sum()),
        ("this takes all episodes as one: windows would cross from one into the next.",
         frames.sum() - window + 1),
        ("a stack of one frame is already the state: stack and horizon together are a window of "
         "`stack + horizon` frames, so this counts one too many in each episode.",
         np.maximum(frames - window + 2, 0).sum()),
        ("the frames of the stack are forgotten: they come before the start.",
         np.maximum(frames - horizon + 1, 0).sum()),
        ("the frames of the stack are forgotten: they come before the start.",
         np.maximum(frames - horizon, 0).sum()),
        ("the steps ahead are forgotten.", np.maximum(frames - stack + 1, 0).sum()),
        ("windows may overlap: one begins at every frame that has enough behind it.",
         (frames // window).sum()),
        ("this is how many windows each episode has. Add them up.",
         np.maximum(frames - window + 1, 0)),
    ]  # fmt: skip
    compare(ask(answer, frames, stack, horizon), right, mistakes, what="the number of windows")
    return "longer predictions leave fewer windows, and none in short episodes."


@check
def check_prediction_loss(answer: Callable[..., Any]) -> str:
    """`prediction_loss(predicted, target)`: Σ_k ‖p/‖p‖ − t/‖t‖‖², mean over the batch, sg(t)."""
    rng = np.random.default_rng(1)
    predicted, target = (
        jnp.asarray(rng.normal(size=(3, 5, 4)) + 0.5, jnp.float32) for _ in range(2)
    )
    valid = jnp.ones((3, 5), bool)
    right = float(normalised_loss(predicted, target, valid))
    unit = lambda x, axis=-1: np.asarray(x) / np.linalg.norm(x, axis=axis, keepdims=True)
    squares = np.square(unit(predicted) - unit(target))
    cosines = np.sum(unit(predicted) * unit(target), axis=-1)
    raw = np.square(np.asarray(predicted - target))
    mistakes = [
        ("divide both by their lengths first.", raw.sum(axis=(0, 2)).mean()),
        ("add the steps up: this is their mean.", right / 3),
        ("take the mean over the batch: this adds it up.", right * 5),
        ("this is a mean over all numbers. Add up coordinates and steps, and take the mean over "
         "the batch.", squares.mean()),
        ("this is half of it: a squared distance of unit vectors is 2 − 2·cosine.", right / 2),
        ("the sign: larger cosines are better, so they lower the loss.", cosines.sum(0).mean()),
        ("the right slope, but the loss of a perfect prediction must be 0.",
         -cosines.sum(axis=0).mean()),
        ("the right slope, but the loss of a perfect prediction must be 0.",
         -2 * cosines.sum(axis=0).mean()),
        ("these are distances. Take their squares.", np.sqrt(squares.sum(-1)).sum(0).mean()),
        ("lengths are taken over the batch. Take them over coordinates, the last axis.",
         np.square(unit(predicted, 1) - unit(target, 1)).sum(axis=(0, 2)).mean()),
        ("one length for the whole array. Each vector has its own: `axis=-1, keepdims=True`.",
         np.square(np.asarray(predicted) / np.linalg.norm(predicted)
                   - np.asarray(target) / np.linalg.norm(target)).sum(axis=(0, 2)).mean()),
    ]  # fmt: skip
    compare(ask(answer, predicted, target), right, mistakes, what="the loss", tolerance=1e-4)
    slopes = ask(jax.grad(answer, argnums=(0, 1)), predicted, target)
    wanted = jax.grad(normalised_loss)(predicted, target, valid)
    into_prediction, into_target = (np.asarray(slope) for slope in slopes)
    if not into_prediction.any():
        raise NotYet(
            "the value is right, but no gradient reaches the prediction. Stop that of the target."
        )
    if into_target.any():
        raise NotYet(
            "the value is right, but the target still has a gradient: `jax.lax.stop_gradient`."
        )
    if not agree(into_prediction, np.asarray(wanted), 1e-3):
        raise NotYet(
            "the value is right, but the gradient is not: do lengths count as constants here?"
        )
    return "the prediction is moved towards the target, and the target stays where it is."


@check
def check_effective_rank(answer: Callable[..., Any]) -> str:
    """`effective_rank(features)`: exp(−Σ p log p), p the centred singular values over their sum."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(40, 5)) * np.array([3.0, 1.0, 0.5, 0.1, 0.02]) + np.arange(5.0)
    right = effective_rank(features)
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    raw = np.linalg.svd(features, compute_uv=False)
    across = np.linalg.svd(features - features.mean(axis=1, keepdims=True), compute_uv=False)
    overall = np.linalg.svd(features - features.mean(), compute_uv=False)

    def entropy(x: np.ndarray) -> float:
        shares = x / x.sum()
        return float(-np.sum(shares * np.log(shares + 1e-300)))

    mistakes = [
        ("centre the features first: their mean is no direction that they use.",
         np.exp(entropy(raw))),
        ("this takes off each row's own mean. Take off the mean of each feature: `axis=0`.",
         np.exp(entropy(across))),
        ("this takes off one mean for all. Each feature has its own: `axis=0`.",
         np.exp(entropy(overall))),
        ("these are the squares of the singular values. Take the values themselves.",
         np.exp(entropy(values**2))),
        ("this is the entropy. Take its exponential.", entropy(values)),
        ("the sign: entropy is −Σ p·log p.", np.exp(-entropy(values))),
        ("the logarithm is to base 2 here and the exponential to base e.",
         np.exp(entropy(values) / np.log(2))),
        ("divide by their sum, so that the shares sum to 1; this divides by the largest.",
         np.exp(-np.sum(values / values[0] * np.log(values / values[0])))),
        ("this counts directions that are not 0, however little they are used.", 5.0),
        ("this is the participation ratio, (Σ s²)²/Σ s⁴, another measure of the same.",
         np.sum(values**2) ** 2 / np.sum(values**4)),
    ]  # fmt: skip
    compare(ask(answer, features), right, mistakes, what="the effective rank")
    small = ask(answer, 1e-4 * features)
    compare(small, right, what="of the same features made small, the effective rank")
    return "it does not notice when all features shrink alike. Remember that below."
