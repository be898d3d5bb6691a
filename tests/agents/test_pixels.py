"""Encoder, random shift and stacks against NumPy, and the losses on features against theirs."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.dots import SIZE, SMALL, Dot
from tests.agents.float64 import as_float64, q_values
from toolkit.agents import pixel_losses
from toolkit.agents.acting import act, initial_memories, restart_memories
from toolkit.agents.networks import GaussianActor, TwinCritic
from toolkit.agents.pixel_replay import PixelReplay
from toolkit.agents.pixel_sac import SACPixels
from toolkit.agents.pixels import ConvEncoder, random_shift, stacked
from toolkit.errors import UserError


def images_of(count, channels=6, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, channels), np.uint8)


def encode(encoder, images):
    """The encoder in float64, convolution by convolution from its definition."""
    encoder, x = as_float64(encoder), np.asarray(images, np.float64) / 255
    for kernel, bias, stride in zip(encoder.kernels, encoder.biases, (2, 1, 1, 1), strict=True):
        height, width = ((n - 3) // stride + 1 for n in x.shape[1:3])
        y = np.zeros((len(x), height, width, kernel.shape[3])) + bias
        for i in range(3):
            for j in range(3):
                seen = x[:, i : i + stride * height : stride, j : j + stride * width : stride]
                y += seen[:, :height, :width] @ kernel[i, j]
        x = np.maximum(y, 0)
    y = x.reshape(len(x), -1) @ encoder.last.weight + encoder.last.bias
    y = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + encoder.norm.eps)
    return np.tanh(y * encoder.norm.weight + encoder.norm.bias)


@pytest.mark.parametrize("size", [16, 21])
def test_the_encoder_is_four_convolutions_linear_norm_tanh(size):
    encoder = eqx.filter_jit(ConvEncoder)(size, 6, 7, 5, key=jr.key(0))
    noisy = lambda x: x + 0.1 * jr.normal(jr.key(1), x.shape) if eqx.is_array(x) else x
    encoder = jax.tree.map(noisy, encoder)  # beyond delta kernels and zero biases
    images = images_of(3, size=size)
    found = eqx.filter_jit(encoder)(jnp.asarray(images))
    np.testing.assert_allclose(found, encode(encoder, images), rtol=1e-3, atol=1e-4)


def test_at_84_pixels_the_linear_layer_sees_35_by_35():
    shapes = eqx.filter_eval_shape(ConvEncoder, 84, 9, 32, 50, key=jr.key(0))
    assert shapes.last.weight.shape == (35 * 35 * 32, 50)


def test_kernels_begin_at_their_centre_and_keep_lengths():
    encoder = eqx.filter_jit(ConvEncoder)(16, 6, 8, 5, key=jr.key(0))
    kernel = np.asarray(encoder.kernels[1], np.float64)
    np.testing.assert_allclose(kernel[1, 1] @ kernel[1, 1].T, 2 * np.eye(8), atol=1e-5)
    kernel[1, 1] = 0
    assert not kernel.any()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [((14, 6, 8, 5), "`image_size` must be at least 15, got 14"),
     ((16, 9, 8, 5), "`filters` must be at least the 9 channels of a stack, got 8")],
)  # fmt: skip
def test_an_encoder_that_cannot_be(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        ConvEncoder(*arguments, key=jr.key(0))


def test_a_shift_is_a_crop_of_the_padded_image_and_all_are_drawn():
    images, pad = images_of(300, channels=2, size=5), 1
    found = np.asarray(jax.jit(random_shift, static_argnums=1)(images, pad, key=jr.key(0)))
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="edge")
    crops = [padded[:, i : i + 5, j : j + 5] for i in range(3) for j in range(3)]
    equal = np.array([(found == crop).all(axis=(1, 2, 3)) for crop in crops])
    assert equal.any(axis=0).all()
    assert (equal.sum(axis=1) > 15).all()


def test_acting_sees_the_stacks_that_the_replay_gives():
    """Two copies over the ends of episodes: the policy's memory against windows of the replay."""
    envs, replay = Dot(), PixelReplay(300, 2, 1, stack=2)
    agent = SACPixels(**SMALL)
    policy = agent.policy(eqx.filter_jit(agent.init)(envs.spec, key=jr.key(0)), explore=True)
    memory, known = initial_memories(policy, 2), set()
    for step in range(20):
        action, memory = act(policy, jnp.asarray(envs.obs), memory, jr.key(step))
        known |= {np.asarray(image).tobytes() for image in jax.vmap(lambda m: m.image)(memory)}
        steps = envs.step(np.asarray(action))
        replay.add([steps])
        memory = restart_memories(policy, memory, jnp.asarray(steps.ended))
    first = np.asarray(stacked(replay.sample(60, 1, key=jr.key(0)).frames, 2))[0]
    drawn = {image.tobytes() for image in first}
    assert drawn <= known and len(drawn) > 20


FEATURES = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32)  # time 3, batch 4
VALID = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 1]], bool)


def test_the_distance_of_features():
    predicted, target = FEATURES.astype(np.float64)
    each = np.square(predicted - target).mean(-1) * VALID
    found = pixel_losses.feature_loss(*jnp.asarray(FEATURES), jnp.asarray(VALID))
    assert float(found) == pytest.approx(each.sum(0).mean(), rel=1e-5)


def test_the_distance_of_normalised_features_is_twice_one_minus_the_cosine():
    predicted, target = FEATURES.astype(np.float64)
    norms = np.linalg.norm(predicted, axis=-1) * np.linalg.norm(target, axis=-1)
    each = (2 - 2 * (predicted * target).sum(-1) / norms) * VALID
    found = pixel_losses.normalised_loss(*jnp.asarray(FEATURES), jnp.asarray(VALID))
    assert float(found) == pytest.approx(each.sum(0).mean(), rel=1e-5)
    slope = jax.grad(pixel_losses.normalised_loss)(
        jnp.zeros((3, 4, 5)), jnp.asarray(FEATURES[1]), jnp.asarray(VALID)
    )
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("loss", [pixel_losses.feature_loss, pixel_losses.normalised_loss])
def test_what_is_not_valid_has_no_gradient(loss):
    slope = np.asarray(jax.grad(loss)(*jnp.asarray(FEATURES), jnp.asarray(VALID)))
    assert not slope[~VALID].any() and np.abs(slope[VALID]).max(axis=-1).min() > 1e-4


def test_the_soft_target_gives_actor_and_critics_their_own_features():
    keys = jr.split(jr.key(0), 4)
    actor, target = GaussianActor(3, 2, 4, 1, key=keys[0]), TwinCritic(3, 2, 4, 1, key=keys[1])
    seen, valued = jr.normal(keys[2], (2, 5, 3))
    reward, terminal = jr.normal(keys[3], (5,)), jnp.array([False, True, False, False, True])
    found = eqx.filter_jit(pixel_losses.soft_target)(
        actor, target, reward, terminal, seen, valued, jnp.float32(0.3), 0.9, key=jr.key(7)
    )
    draw = lambda o, k: actor(o).sample_with_log_prob(key=k)
    action, log_prob = jax.vmap(draw)(seen, jr.split(jr.key(7), 5))
    value = q_values(target, valued, action).min(0) - 0.3 * np.asarray(log_prob, np.float64)
    expected = np.asarray(reward) + 0.9 * np.where(terminal, 0, value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
