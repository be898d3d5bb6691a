"""What an independent check of an agent needs: its networks and gradients in NumPy, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from toolkit.data import Dataset, Transitions
from toolkit.data.dataset import Source

OBS, ACTION, BATCH = 3, 2, 6


def as_float64(tree: Any) -> Any:
    """The same tree with NumPy arrays in double precision."""
    return jax.tree.map(lambda x: np.asarray(x, np.float64) if eqx.is_inexact_array(x) else x, tree)


def forward(mlp: Any, x: NDArray, index: Any = ()) -> NDArray:
    """An MLP with ReLU; `index` chooses one of several that share their arrays."""
    for number, layer in enumerate(mlp.layers):
        weight, bias = np.asarray(layer.weight, np.float64), np.asarray(layer.bias, np.float64)
        x = x @ weight[index] + bias[index]
        if number < len(mlp.layers) - 1:
            x = np.maximum(x, 0)
    return x


def policy(actor: Any, obs: NDArray) -> NDArray:
    """π(s) = tanh(net(s)) without dropout."""
    return np.tanh(forward(actor.net, np.asarray(obs, np.float64)))


def q_values(critic: Any, obs: NDArray, action: NDArray) -> NDArray:
    """Q₁ and Q₂: `(2, batch)`."""
    x = np.concatenate([np.asarray(obs, np.float64), np.asarray(action, np.float64)], axis=1)
    return np.stack([forward(critic.nets, x, j)[:, 0] for j in range(2)])


def numeric_gradient(loss: Callable[[Any], float], params: Any, step: float = 1e-6) -> Any:
    """The gradient by central differences, leaf by leaf; `loss` is given float64 parameters."""
    leaves, structure = jax.tree.flatten(as_float64(params))
    grads = []
    for leaf in leaves:
        grad = np.zeros_like(leaf)
        for at in np.ndindex(leaf.shape):
            kept = leaf[at]
            leaf[at] = kept + step
            above = loss(jax.tree.unflatten(structure, leaves))
            leaf[at] = kept - step
            below = loss(jax.tree.unflatten(structure, leaves))
            leaf[at] = kept
            grad[at] = (above - below) / (2 * step)
        grads.append(grad)
    return jax.tree.unflatten(structure, grads)


def assert_descended(
    before: Any, after: Any, loss: Callable[[Any], float], rate: float = 1.0
) -> None:
    """That `after` is one step of plain gradient descent behind `before`."""
    grads = jax.tree.leaves(numeric_gradient(loss, before))
    assert max(np.abs(g).max() for g in grads) > 1e-3  # there is something to see
    for old, new, grad in zip(*map(jax.tree.leaves, (before, after)), grads, strict=True):
        moved = np.asarray(old, np.float64) - np.asarray(new, np.float64)
        np.testing.assert_allclose(moved, rate * grad, rtol=2e-3, atol=1e-5)


def assert_same(first: Any, second: Any) -> None:
    """That two trees hold the same bits."""
    for a, b in zip(*(jax.tree.leaves(eqx.filter(t, eqx.is_array)) for t in (first, second)),
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


def assert_polyak(before: Any, after: Any, online: Any, rate: float) -> None:
    """That a target went the share `rate` of the way to `online`."""
    for old, new, towards in zip(*map(jax.tree.leaves, (before, after, online)), strict=True):
        expected = (1 - rate) * np.asarray(old, np.float64) + rate * np.asarray(towards, np.float64)
        np.testing.assert_allclose(new, expected, rtol=1e-5, atol=1e-7)


def numbers(transitions: Transitions) -> Any:
    """The batch in float64."""
    return as_float64(transitions)


def random_batch(seed: int = 0, rows: int = BATCH) -> Transitions:
    """Transitions of which the second and the last end in a terminal."""
    rng = np.random.default_rng(seed)
    return Transitions(
        jnp.asarray(rng.normal(size=(rows, OBS)), jnp.float32),
        jnp.asarray(rng.uniform(-1, 1, (rows, ACTION)), jnp.float32),
        jnp.asarray(rng.normal(size=rows), jnp.float32),
        jnp.asarray(rng.normal(size=(rows, OBS)), jnp.float32),
        jnp.asarray(np.isin(np.arange(rows), [1, rows - 1])),
    )


def random_dataset(rows: int = 60, *, seed: int = 0, name: str = "arrays", **changes: Any):
    """Episodes of 20 rows, the first of which ends in a terminal; keywords replace columns."""
    rng = np.random.default_rng(seed)
    columns = {
        "observations": rng.normal(size=(rows, OBS)),
        "actions": rng.uniform(-1, 1, (rows, ACTION)),
        "rewards": rng.normal(size=rows),
        "next_observations": rng.normal(size=(rows, OBS)),
        "terminal": np.arange(rows) == 19,
        "timeout": np.arange(rows) % 20 == 19,
        "source": Source(name),
    } | changes
    return Dataset.from_arrays(**columns)
