"""The two layers everything is built from, laid out so that `vmap` keeps rows contiguous."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from toolkit.product import row_product
from toolkit.types import Key

Net = TypeVar("Net", bound=eqx.Module)


class Linear(eqx.Module):
    """x·W + b for one sample; W is `(in, out)`, so a vmapped batch is one row-major product.

    Weights and bias start uniform in ±1/√in, PyTorch's default, which the authors' codes use.
    """

    weight: Float[Array, "in out"]
    bias: Float[Array, " out"]

    def __init__(self, in_size: int, out_size: int, *, key: Key):
        weight_key, bias_key = jr.split(key)
        bound = in_size**-0.5
        self.weight = jr.uniform(weight_key, (in_size, out_size), minval=-bound, maxval=bound)
        self.bias = jr.uniform(bias_key, (out_size,), minval=-bound, maxval=bound)

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return row_product(x, self.weight) + self.bias


class MLP(eqx.Module):
    """Linear layers of the given sizes with an activation between them, none after the last."""

    layers: tuple[Linear, ...]
    activation: Callable[[Array], Array] = eqx.field(static=True)

    def __init__(
        self,
        sizes: tuple[int, ...],
        *,
        activation: Callable[[Array], Array] = jax.nn.relu,
        key: Key,
    ):
        keys = jr.split(key, len(sizes) - 1)
        self.layers = tuple(
            Linear(i, o, key=k) for i, o, k in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )
        self.activation = activation

    def __call__(self, x: Float[Array, " in"]) -> Float[Array, " out"]:
        return self.layers[-1](self.features(x))

    def features(self, x: Float[Array, " in"]) -> Float[Array, " hidden"]:
        """What the last layer is given."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return x


def fresh_copy(net: Net) -> Net:
    """The same network in buffers of its own: how a target begins."""
    return jax.tree.map(lambda x: x.copy() if eqx.is_array(x) else x, net)


def num_parameters(model: eqx.Module) -> int:
    """How many numbers a model stores in its floating-point arrays."""
    leaves = jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array))
    return sum(leaf.size for leaf in leaves)


def mean_square(x: Float[Array, "*shape"]) -> Float[Array, ""]:
    """Mean of x² over all axes."""
    return jnp.mean(jnp.square(x))
