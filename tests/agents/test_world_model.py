"""TD-MPC's networks in NumPy, and both dynamics: known actions at once as one by one."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.agents.world_model import (
    KoopmanLatentDynamics,
    LatentPolicy,
    LiftedLatentDynamics,
    TOLDDynamics,
    WorldModel,
    with_noise,
)
from toolkit.bench.products import products_of

OBS, ACTION, LATENT, MODES, HIDDEN, TIME, BATCH = 5, 2, 6, 4, 8, 7, 3


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def forward(mlp, x):
    """An MLP with ELU, in float64."""
    for number, layer in enumerate(mlp.layers):
        x = x @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
        if number < len(mlp.layers) - 1:
            x = elu(x)
    return x


def value_of(head, x):
    """Q of rows, in float64."""
    x = x @ np.asarray(head.first.weight, float) + np.asarray(head.first.bias, float)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    x = x * np.asarray(head.norm.weight, float) + np.asarray(head.norm.bias, float)
    return forward(head.rest, np.tanh(x))[..., 0]


def dynamics_of(kind, key):
    if kind == "told":
        return TOLDDynamics(LATENT, ACTION, HIDDEN, key=key)
    if kind == "koopman":
        return KoopmanLatentDynamics(LATENT // 2, ACTION, HIDDEN, key=key)
    modes = KoopmanLatentDynamics(MODES, ACTION, HIDDEN, real_part="spread", key=key)
    return LiftedLatentDynamics(LATENT, modes, HIDDEN, key=jr.fold_in(key, 1))


def multipliers_and_gain(spectrum):
    """λ̄, and the gain of zero-order hold over its mean size, in float64."""
    step = np.asarray(spectrum.step, float)
    eigenvalues = np.asarray(spectrum.eigenvalues, complex)
    gain = np.expm1(eigenvalues * step) / eigenvalues
    return np.exp(eigenvalues * step), gain / np.abs(gain).mean()


def modes_after(dynamics, z, action):
    """z' = λ̄·z + b·f(a) of rows whose first half is real and second imaginary."""
    multipliers, gain = multipliers_and_gain(dynamics.spectrum)
    as_complex = lambda x: x[:, : len(gain)] + 1j * x[:, len(gain) :]
    control = as_complex(forward(dynamics.action_encoder, action))
    z = multipliers * as_complex(z) + gain * control
    return np.concatenate([z.real, z.imag], 1)


def stirred(tree, key, size=0.1):
    """The same with random numbers added, so that nothing that starts at 0 stays hidden."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jr.split(key, len(leaves))
    moved = [
        leaf + size * jr.normal(k, leaf.shape) if eqx.is_inexact_array(leaf) else leaf
        for leaf, k in zip(leaves, keys, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def model_of(kind, key):
    keys = jr.split(key, 3)
    model = WorldModel(
        OBS, ACTION, LATENT, dynamics_of(kind, keys[0]), hidden=HIDDEN, encoder_hidden=HIDDEN,
        key=keys[1],
    )  # fmt: skip
    return stirred(model, keys[2])


@pytest.fixture(params=["told", "koopman", "lifted"])
def kind(request):
    return request.param


def test_known_actions_at_once_are_known_actions_one_by_one(kind):
    """In NumPy and float64; lifted, z_k = z_0 + d(x_k) − d(x_0) over the modes x_0 = p(z_0)."""
    dynamics = stirred(dynamics_of(kind, jr.key(0)), jr.key(1))
    start = np.asarray(jr.normal(jr.key(2), (BATCH, LATENT)), float)
    actions = np.asarray(jnp.tanh(jr.normal(jr.key(3), (TIME, BATCH, ACTION))), float)
    found = eqx.filter_jit(dynamics.rollout)(
        *(jnp.asarray(x, jnp.float32) for x in (start, actions))
    )
    z = first = forward(dynamics.lift, start) if kind == "lifted" else start
    for time in range(TIME):
        if kind == "told":
            expected = z = forward(dynamics.net, np.concatenate([z, actions[time]], 1))
        elif kind == "koopman":
            expected = z = modes_after(dynamics, z, actions[time])
        else:
            z = modes_after(dynamics.modes, z, actions[time])
            expected = start + forward(dynamics.decoder, z) - forward(dynamics.decoder, first)
        np.testing.assert_allclose(found[time], expected, rtol=1e-4, atol=1e-5)
    one = jax.vmap(dynamics.step)(
        jnp.asarray(start, jnp.float32), jnp.asarray(actions[0], jnp.float32)
    )
    np.testing.assert_allclose(one, found[0], rtol=1e-5, atol=1e-6)


def test_koopman_dynamics_make_no_product_for_each_step():
    """Every product is over all steps at once, or over the start; TOLD's are made once per step."""
    rows = {}
    for name in ("told", "koopman", "lifted"):
        jaxpr = eqx.filter_make_jaxpr(dynamics_of(name, jr.key(0)).rollout)(
            jnp.zeros((BATCH, LATENT)), jnp.zeros((20, BATCH, ACTION))
        )[0]
        rows[name] = {count: times for (count, _, _), times in products_of(jaxpr).items()}
    assert set(rows["koopman"]) == {20 * BATCH} and set(rows["told"]) == {BATCH}
    assert set(rows["lifted"]) == {BATCH, 20 * BATCH} and max(rows["lifted"].values()) < 20


def test_an_action_does_the_same_in_every_state_of_modes_and_not_where_they_are_read():
    here, there = jnp.zeros(LATENT), jnp.ones(LATENT)
    apart = {}
    for kind in ("koopman", "lifted"):
        dynamics = stirred(dynamics_of(kind, jr.key(0)), jr.key(1), size=0.5)
        one, other = jnp.full(ACTION, -0.9), jnp.full(ACTION, 0.9)
        change = [dynamics.step(z, other) - dynamics.step(z, one) for z in (here, there)]
        apart[kind] = np.abs(change[0] - change[1]).max() / np.abs(change[0]).max()
    assert apart["koopman"] < 1e-4 and apart["lifted"] > 0.1


def test_reward_and_values_are_these_networks(kind):
    model = model_of(kind, jr.key(4))
    latent, action = (
        np.asarray(jr.normal(jr.key(i), (n,)), float) for i, n in ((5, LATENT), (6, ACTION))
    )
    x, given = (
        np.concatenate([latent, action]),
        [jnp.asarray(v, jnp.float32) for v in (latent, action)],
    )
    assert float(model.reward(*given)) == pytest.approx(forward(model.reward_head, x)[0], rel=1e-4)
    expected = [value_of(head, x) for head in model.values]
    np.testing.assert_allclose(model.both_values(*given), expected, rtol=1e-4, atol=1e-6)
    assert abs(expected[0] - expected[1]) > 1e-3
    obs = np.arange(OBS, dtype=float)
    np.testing.assert_allclose(
        model.encode(jnp.asarray(obs, jnp.float32)),
        forward(model.encoder, obs),
        rtol=1e-4,
        atol=1e-5,
    )


def test_networks_start_orthogonal_and_reward_and_values_at_zero(kind):
    model = WorldModel(
        OBS, ACTION, LATENT, dynamics_of(kind, jr.key(0)), hidden=HIDDEN, encoder_hidden=HIDDEN,
        key=jr.key(1),
    )  # fmt: skip
    weight = np.asarray(model.reward_head.layers[1].weight, float)
    np.testing.assert_allclose(weight.T @ weight, np.eye(HIDDEN), atol=1e-5)
    for layer in model.encoder.layers:
        np.testing.assert_array_equal(layer.bias, 0.0)
    given = jnp.ones(LATENT), jnp.ones(ACTION)
    assert float(model.reward(*given)) == 0.0
    np.testing.assert_array_equal(model.both_values(*given), 0.0)


def test_the_policy_and_its_clipped_noise():
    policy = LatentPolicy(LATENT, ACTION, HIDDEN, key=jr.key(0))
    latent = jnp.linspace(-1.0, 1.0, LATENT)
    expected = np.tanh(forward(policy.net, np.asarray(latent, float)))
    np.testing.assert_allclose(policy(latent), expected, rtol=1e-4)
    noise = with_noise(jnp.zeros(20_000), 0.2, key=jr.key(1))
    assert float(jnp.abs(noise).max()) == pytest.approx(0.3)
    assert float(jnp.mean(jnp.abs(noise) > 0.299)) == pytest.approx(0.134, abs=0.01)  # beyond 1.5 σ
    assert float(with_noise(jnp.full(1000, 0.95), 0.2, key=jr.key(2)).max()) == 1.0
    slope = jax.grad(lambda a: with_noise(a, 0.2, key=jr.key(2)).sum())(jnp.full(1000, 0.95))
    np.testing.assert_array_equal(slope, 1.0)  # at the bound too
