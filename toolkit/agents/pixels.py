"""What agents that learn from pixels share: encoder, random shift, and stacks of frames."""

from __future__ import annotations

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from toolkit.agents.interface import AbstractPolicy, Memory
from toolkit.agents.networks import GaussianActor, TwinCritic
from toolkit.agents.world_model import orthogonal
from toolkit.errors import UserError
from toolkit.nn import Linear
from toolkit.types import Action, Key

Images = UInt8[Array, "batch height width channels"]
Frame = UInt8[Array, "height width 3"]

_STRIDES = (2, 1, 1, 1)
SMALLEST = 15  # pixels, of which one is left behind four convolutions


class ConvEncoder(eqx.Module):
    """h_θ: four convolutions of 3 × 3 with ReLU, strides 2, 1, 1, 1, without padding, then linear,
    LayerNorm and tanh. 84 × 84 pixels become 35 × 35 before the linear layer.

    Kernels start delta-orthogonal, the linear layer orthogonal, biases at 0.

    Source: arXiv:1910.01741 App. B; what follows the convolutions is one part there for the
            actor and one for the critics, and one for all here, as in arXiv:2306.11941 App. C.2.

    Raises:
        UserError: `image_size` or `filters` is too small.
    """

    kernels: tuple[Float[Array, "3 3 in out"], ...]
    biases: tuple[Float[Array, " out"], ...]
    last: Linear
    norm: eqx.nn.LayerNorm

    def __init__(self, size: int, channels: int, filters: int, features: int, *, key: Key):
        """For square images of `size` pixels.

        Raises:
            UserError: nothing is left of so small an image, or there are too few filters.
        """
        if size < SMALLEST:
            raise UserError(f"`image_size` must be at least {SMALLEST}, got {size}.")
        if filters < channels:
            raise UserError(
                f"`filters` must be at least the {channels} channels of a stack, got {filters}."
            )
        keys = jr.split(key, len(_STRIDES) + 2)
        start = jax.nn.initializers.delta_orthogonal(scale=math.sqrt(2.0))
        widths = (channels, *[filters] * (len(_STRIDES) - 1))
        self.kernels = tuple(
            start(k, (3, 3, width, filters)) for k, width in zip(keys, widths, strict=False)
        )
        self.biases = tuple(jnp.zeros(filters) for _ in _STRIDES)
        left = (size - 3) // 2 + 1 - 2 * (len(_STRIDES) - 1)
        linear = Linear(left * left * filters, features, key=keys[-1])
        self.last = orthogonal(linear, key=keys[-2])
        self.norm = eqx.nn.LayerNorm(features)

    def __call__(self, images: Images) -> Float[Array, "batch features"]:
        """The features of a batch."""
        x = images.astype(jnp.float32) / 255.0
        for kernel, bias, stride in zip(self.kernels, self.biases, _STRIDES, strict=True):
            x = lax.conv_general_dilated(
                x, kernel, (stride, stride), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + bias[None, None, None])
        flat = x.reshape(len(x), -1)
        return jnp.tanh(jax.vmap(lambda row: self.norm(self.last(row)))(flat))


class PixelModel(eqx.Module):
    """What the critics' loss and the one beside it train: the encoder, the critics, and `head`,
    which is what the second loss has for itself.
    """

    encoder: ConvEncoder
    critic: TwinCritic
    head: Any


class PixelState(eqx.Module):
    """Model, targets, actor, temperature, an optimiser for each, and the number of updates.

    `slow` is the targets' own encoder, where they have one.
    """

    model: PixelModel
    target: TwinCritic
    slow: ConvEncoder | None
    actor: GaussianActor
    log_temperature: Float[Array, ""]
    opt_states: tuple[Any, Any, Any]
    update_count: Int[Array, ""]


def random_shift(images: Images, pad: int, *, key: Key) -> Images:
    """Each image moved by up to `pad` pixels in both directions, its edge repeated behind it.

    Source: arXiv:2004.13649 §3.1 (pad by repetition, then a random crop of the old size).
    """
    size = images.shape[1:3]
    offsets = jr.randint(key, (len(images), 2), -pad, pad + 1)

    def shift(image: Array, offset: Array) -> Array:
        rows, columns = (
            jnp.clip(jnp.arange(n) + by, 0, n - 1) for n, by in zip(size, offset, strict=True)
        )
        return image[rows][:, columns]

    return jax.vmap(shift)(images, offsets)


def stacked(
    frames: UInt8[Array, "batch frames height width 3"], stack: int
) -> UInt8[Array, "states batch height width channels"]:
    """Every `stack` frames in a row as one image, its channels oldest first."""
    states = frames.shape[1] - stack + 1
    return jnp.stack([
        jnp.concatenate([frames[:, first + n] for n in range(stack)], axis=-1)
        for first in range(states)
    ])  # fmt: skip


class FrameStack(eqx.Module):
    """What a policy remembers of an episode: its last frames, and how many it has seen."""

    frames: UInt8[Array, "stack height width 3"]
    seen: Int[Array, ""]

    def after(self, frame: Frame) -> FrameStack:
        """The stack with one frame more; the first one counts for those before it too."""
        stack = len(self.frames)
        first = jnp.broadcast_to(frame[None], self.frames.shape)
        later = jnp.concatenate([self.frames[1:], frame[None]])
        frames = jnp.where(self.seen == 0, first, later)
        return FrameStack(frames, jnp.minimum(self.seen + 1, stack))

    @property
    def image(self) -> UInt8[Array, "height width channels"]:
        """The frames as one image, its channels oldest first."""
        return jnp.concatenate(list(self.frames), axis=-1)


class PixelPolicy(AbstractPolicy):
    """A Gaussian actor on the features of the last frames, its memory; it samples when it explores
    and takes the mode when it is scored.
    """

    encoder: ConvEncoder
    actor: GaussianActor
    image_size: int = eqx.field(static=True)
    stack: int = eqx.field(static=True)
    explore: bool = eqx.field(static=True)

    def sees(self) -> int | None:
        return self.image_size

    def memory(self) -> Memory:
        shape = (self.stack, self.image_size, self.image_size, 3)
        return FrameStack(jnp.zeros(shape, jnp.uint8), jnp.zeros((), jnp.int32))

    def __call__(self, obs: Frame, memory: Memory, *, key: Key) -> tuple[Action, Memory]:
        memory = memory.after(obs)
        distribution = self.actor(self.encoder(memory.image[None])[0])
        return (distribution.sample(key=key) if self.explore else distribution.mode), memory
