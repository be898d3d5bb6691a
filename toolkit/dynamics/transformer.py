"""The Transformer baseline: causal attention over the start and the actions."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.dynamics.interface import AbstractDynamics, Heads, two_layers
from toolkit.dynamics.learner import AbstractDynamicsLearner
from toolkit.errors import UserError
from toolkit.nn import MLP, Linear
from toolkit.types import Key


class Block(eqx.Module):
    """Causal self-attention and an MLP, each after a layer norm and around a skip.

    The norms have no scale and shift of their own: the linear layer after each holds them.
    """

    query_key_value: Linear
    out: Linear
    mlp: MLP
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, *, key: Key):
        keys = jr.split(key, 3)
        self.query_key_value = Linear(width, 3 * width, key=keys[0])
        self.out = Linear(width, width, key=keys[1])
        self.mlp = MLP((width, 4 * width, width), activation=jax.nn.gelu, key=keys[2])
        self.heads = heads

    def __call__(self, x: Float[Array, "tokens width"]) -> Float[Array, "tokens width"]:
        q, k, v = self._project(x)
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return self._finish(x, mixed.reshape(x.shape))

    def step(self, x: Float[Array, " width"], cache: Cache) -> tuple[Float[Array, " width"], Cache]:
        """One token more, given the keys and values of those before it."""
        q, k, v = self._project(x[None])
        at = cache.count
        keys, values = cache.keys.at[at].set(k[0]), cache.values.at[at].set(v[0])
        visible = jnp.arange(len(keys)) <= at
        mixed = jax.nn.dot_product_attention(q, keys, values, mask=visible[None, None])
        return self._finish(x[None], mixed.reshape(1, -1))[0], Cache(keys, values, at + 1)

    def _project(self, x: Array) -> list[Array]:
        joint = jax.vmap(self.query_key_value)(jax.nn.standardize(x))
        return [part.reshape(len(x), self.heads, -1) for part in jnp.split(joint, 3, axis=1)]

    def _finish(self, x: Array, mixed: Array) -> Array:
        x = x + jax.vmap(self.out)(mixed)
        return x + jax.vmap(self.mlp)(jax.nn.standardize(x))


class Cache(eqx.Module):
    """Keys and values `(tokens, heads, size)` of one block, of which `count` are filled."""

    keys: Float[Array, "tokens heads size"]
    values: Float[Array, "tokens heads size"]
    count: Array

    @classmethod
    def empty(cls, tokens: int, block: Block) -> Cache:
        """Room for `tokens` tokens."""
        width = block.out.bias.shape[0]
        room = jnp.zeros((tokens, block.heads, width // block.heads))
        return cls(room, room, jnp.zeros((), jnp.int32))


class TransformerDynamics(AbstractDynamics):
    """Tokens are the encoded start and the actions; the output at action k is state k + 1.

    Attention is causal, and sees the start and all actions up to its own: later states are not
    among the tokens. Positions are sines and cosines. `drive` computes all outputs in one pass,
    `decode_steps` one after the other with cached keys and values; they agree.

    Shapes: latent `(width,)`.
    Source: arXiv:1706.03762 with the norms in front; the baseline of arXiv:2306.11941 §4.1.

    Raises:
        UserError: the width is not a multiple of twice the heads.
    """

    heads: Heads
    memory: Float[Array, " obs"]
    action_encoder: MLP
    blocks: tuple[Block, ...]
    reencode_every: int = eqx.field(static=True)

    def __init__(
        self,
        heads: Heads,
        obs_dim: int,
        action_dim: int,
        width: int,
        *,
        layers: int,
        attention_heads: int,
        action_hidden: int = 64,
        reencode_every: int = 0,
        key: Key,
    ):
        if width % (2 * attention_heads):
            raise UserError(
                f"`width` must be a multiple of 2 × `attention_heads` {attention_heads}, "
                f"got {width}."
            )
        keys = jr.split(key, layers + 1)
        self.heads, self.memory = heads, jnp.full(obs_dim, -3.0)
        self.action_encoder = two_layers(action_dim, action_hidden, width, key=keys[0])
        self.blocks = tuple(Block(width, attention_heads, key=k) for k in keys[1:])
        self.reencode_every = reencode_every

    def controls(self, actions: Float[Array, "time action"]) -> Float[Array, "time width"]:
        """The tokens of the actions, without their positions."""
        return jax.vmap(self.action_encoder)(actions)

    def drive(
        self, latent: Float[Array, " latent"], controls: Float[Array, "time width"]
    ) -> Float[Array, "time latent"]:
        """Latent states after each control, in one pass over all tokens."""
        x = _tokens(latent, controls)
        for block in self.blocks:
            x = block(x)
        return jax.nn.standardize(x)[1:]

    def decode_steps(
        self, latent: Float[Array, " latent"], actions: Float[Array, "time action"]
    ) -> Float[Array, "time latent"]:
        """The same states token by token, as when actions become known one at a time."""
        tokens = _tokens(latent, self.controls(actions))

        def step(caches: tuple[Cache, ...], x: Array) -> tuple[tuple[Cache, ...], Array]:
            after = []
            for block, cache in zip(self.blocks, caches, strict=True):
                x, cache = block.step(x, cache)
                after.append(cache)
            return tuple(after), x

        empty = tuple(Cache.empty(len(tokens), block) for block in self.blocks)
        return jax.nn.standardize(jax.lax.scan(step, empty, tokens)[1])[1:]


def _tokens(latent: Array, controls: Array) -> Float[Array, "tokens width"]:
    x = jnp.concatenate([latent[None], controls])
    return x + _positions(*x.shape)


def _positions(tokens: int, width: int) -> Float[Array, "tokens width"]:
    """Sines and cosines of wave lengths from 2π to 2π·1000 tokens (arXiv:1706.03762 §3.5)."""
    rate = 1000.0 ** (-jnp.arange(width // 2) / (width // 2))
    angle = jnp.arange(tokens, dtype=jnp.float32)[:, None] * rate[None]
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=1)


class Transformer(AbstractDynamicsLearner):
    """The Transformer baseline of arXiv:2306.11941: whole windows in one pass, as there."""

    width: int = 104
    """Size of a token, and of the latent state."""
    layers: int = 2
    """Blocks of attention and MLP."""
    attention_heads: int = 4
    """Heads of each attention (App. F)."""
    reencode_every: int = 0
    """Encode the decoded state again after so many steps, in training and prediction; 0 never."""
    learning_rate: float = 1e-3
    """Peak rate of Adam; it warms up, then falls to 1 % along a cosine."""
    consistency_weight: float = 0.0
    """Weight of L_cons in Eq. 7; outputs are no states to be encoded to, so there is none."""

    def build(
        self, heads_of: Any, obs_dim: int, action_dim: int, *, key: Key
    ) -> TransformerDynamics:
        heads_key, model_key = jr.split(key)
        return TransformerDynamics(
            heads_of(self.width, self.hidden, heads_key), obs_dim, action_dim, self.width,
            layers=self.layers, attention_heads=self.attention_heads,
            action_hidden=self.action_hidden, reencode_every=self.reencode_every, key=model_key,
        )  # fmt: skip
