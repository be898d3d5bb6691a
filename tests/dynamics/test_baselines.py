"""The baselines against their equations, written again in NumPy with float64."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest
from scipy.special import expit

from toolkit.data import load
from toolkit.dynamics.bilinear import Bilinear
from toolkit.dynamics.gru import GRU
from toolkit.dynamics.mlp import MLPModel
from toolkit.dynamics.state_space import StateSpace
from toolkit.dynamics.transformer import Transformer
from toolkit.errors import UserError
from toolkit.nn import num_parameters
from toolkit.registry import MODELS
from toolkit.spectral import Koopman
from toolkit.studies.prediction import MODELS as COMPARED

OBS, ACTION, TIME = 3, 2, 7
SMALL = {
    "koopman": Koopman(modes=4, hidden=8, action_hidden=5),
    "mlp": MLPModel(latent=6, width=9, hidden=8, action_hidden=5),
    "gru": GRU(units=6, hidden=8, action_hidden=5),
    "transformer": Transformer(width=8, attention_heads=2, hidden=8, action_hidden=5),
    "state-space": StateSpace(width=6, modes=4, hidden=8, action_hidden=5),
    "bilinear": Bilinear(latent=6, hidden=8),
}
BASELINES = [name for name in SMALL if name != "koopman"]


def build(name, **changes):
    """A small model with every parameter moved off its start."""
    learner = dataclasses.replace(SMALL[name], **changes)

    def heads_of(latent, hidden, key):
        from toolkit.dynamics import Heads

        return Heads(OBS, latent, hidden=hidden, key=key)

    model = learner.build(heads_of, OBS, ACTION, key=jr.key(0))
    leaves, tree = jax.tree.flatten(eqx.filter(model, eqx.is_inexact_array))
    keys = jr.split(jr.key(1), len(leaves))
    moved = [x + 0.1 * jr.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return eqx.combine(jax.tree.unflatten(tree, moved), model)


@pytest.fixture(scope="module")
def sample():
    """A latent of up to 8 numbers, and actions."""
    return jr.normal(jr.key(2), (8,)), jr.normal(jr.key(3), (TIME, ACTION))


def exact(x):
    return np.asarray(x, np.float64)


def linear(layer, x):
    return x @ exact(layer.weight) + exact(layer.bias)


def silu(x):
    return x * expit(x)


def encode_actions(model, actions):
    first, second = model.action_encoder.layers
    return linear(second, silu(linear(first, exact(actions))))


def advance(model, latent, actions):
    return exact(eqx.filter_jit(lambda m, z, a: m.advance(z, a))(model, latent, actions))


def test_the_bilinear_model(sample):
    model, z = build("bilinear"), exact(sample[0][:6])
    found, matrices = advance(model, sample[0][:6], sample[1]), exact(model.operator.matrices)
    for step, action in enumerate(exact(sample[1])):
        z = (matrices[0] + np.tensordot(action, matrices[1:], axes=1)) @ z
        np.testing.assert_allclose(found[step], z, rtol=1e-4, atol=1e-5)


def test_the_bilinear_model_starts_near_the_identity():
    from toolkit.dynamics import Heads

    heads = Heads(OBS, 6, hidden=8, key=jr.key(1))
    model = Bilinear(latent=6).build(lambda *_: heads, OBS, ACTION, key=jr.key(0))
    assert np.abs(exact(model.operator.matrices[0]) - np.eye(6)).max() < 0.1
    assert np.abs(exact(model.operator.matrices[1:])).max() < 0.1


def test_the_mlp(sample):
    model, z = build("mlp"), exact(sample[0][:6])
    found, controls = advance(model, sample[0][:6], sample[1]), encode_actions(model, sample[1])
    for k in range(TIME):
        z = z + linear(model.outer, silu(linear(model.inner, z) + controls[k]))
        z = (z - z.mean()) / np.sqrt(z.var() + 1e-5)
        np.testing.assert_allclose(found[k], z, rtol=1e-4, atol=1e-5)


def test_the_gru(sample):
    model, z = build("gru"), exact(sample[0][:6])
    found, controls = advance(model, sample[0][:6], sample[1]), encode_actions(model, sample[1])
    for k in range(TIME):
        r_z, u_z, n_z = np.split(linear(model.recurrent, z), 3)
        r_a, u_a, n_a = np.split(controls[k], 3)
        reset, update = expit(r_z + r_a), expit(u_z + u_a)
        z = (1 - update) * np.tanh(n_a + reset * n_z) + update * z
        np.testing.assert_allclose(found[k], z, rtol=1e-4, atol=1e-5)


def attend(block, x):
    """Causal attention of every head by an explicit loop over tokens."""

    def norm(y):
        return (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-5)

    q, k, v = np.split(linear(block.query_key_value, norm(x)), 3, axis=1)
    size = x.shape[1] // block.heads
    mixed = np.zeros_like(x)
    for head in range(block.heads):
        part = slice(head * size, (head + 1) * size)
        for t in range(len(x)):
            score = k[: t + 1, part] @ q[t, part] / np.sqrt(size)
            weight = np.exp(score - score.max())
            mixed[t, part] = weight @ v[: t + 1, part] / weight.sum()
    x = x + linear(block.out, mixed)
    first, second = block.mlp.layers
    inner = linear(first, norm(x))
    gelu = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
    return x + linear(second, gelu)


def test_the_transformer(sample):
    model, latent = build("transformer"), exact(sample[0])
    tokens = np.concatenate([latent[None], encode_actions(model, sample[1])])
    rate = 1000.0 ** (-np.arange(4) / 4)
    angle = np.arange(TIME + 1)[:, None] * rate
    x = tokens + np.concatenate([np.sin(angle), np.cos(angle)], 1)
    for block in model.blocks:
        x = attend(block, x)
    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(advance(model, *sample), x[1:], rtol=1e-3, atol=1e-4)


def test_the_transformer_decodes_token_by_token_with_its_cache(sample):
    model = build("transformer")
    cached = eqx.filter_jit(lambda m, z, a: m.decode_steps(z, a))(model, *sample)
    np.testing.assert_allclose(cached, advance(model, *sample), rtol=1e-4, atol=1e-5)


def test_a_width_that_the_heads_cannot_share_is_refused():
    with pytest.raises(UserError, match="`width` must be a multiple of 2 × `attention_heads` 3"):
        build("transformer", attention_heads=3)


def test_the_state_space_layers(sample):
    model, latent = build("state-space"), exact(sample[0][:6])
    u = encode_actions(model, sample[1])
    for layer in model.layers:
        rate = -np.exp(exact(layer.log_decay)) + 1j * exact(layer.frequency)
        multiplier = np.exp(np.exp(exact(layer.log_step)) * rate)
        as_complex = lambda y: y[..., :4] + 1j * y[..., 4:]
        x, inward = as_complex(linear(layer.start, latent)), as_complex(linear(layer.inward, u))
        after = []
        for k in range(TIME):
            x = multiplier * x + (multiplier - 1) / rate * inward[k]
            y = linear(layer.outward, np.concatenate([x.real, x.imag])) + exact(layer.direct) * u[k]
            gelu = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y**3)))
            value, gate = np.split(linear(layer.gate, gelu), 2)
            after.append(u[k] + value * expit(gate))
        u = np.stack(after)
    np.testing.assert_allclose(advance(model, sample[0][:6], sample[1]), u, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("every", [0, 3])
def test_every_model_is_causal_and_keeps_its_start(name, every):
    model = build(name, reencode_every=every)
    predict = eqx.filter_jit(lambda m, s, a: m.predict(s, a))
    obs, actions = jr.normal(jr.key(4), (OBS,)), jr.normal(jr.key(5), (TIME, ACTION))
    before, after = predict(model, obs, actions), predict(model, obs, actions.at[4].add(1.0))
    np.testing.assert_array_equal(before.obs[0], obs)
    np.testing.assert_allclose(before.obs[:5], after.obs[:5], atol=1e-6)
    assert np.abs(np.asarray(before.obs[5:] - after.obs[5:])).max(1).min() > 1e-5
    assert before.obs.shape == (TIME + 1, OBS) and before.reward.shape == (TIME,)


@pytest.mark.parametrize("data", ["toolkit/hopper-medium", "toolkit/walker2d-medium"])
def test_all_models_have_equally_many_parameters(data):
    dataset = load(data)
    counts = {}
    for name in COMPARED:
        counts[name] = num_parameters(MODELS[name].load()().init(dataset, key=jr.key(0)).model)
    for name, count in counts.items():
        assert count == pytest.approx(counts["koopman"], rel=0.1), (name, counts)


@pytest.mark.parametrize("name", BASELINES)
def test_training_lowers_the_error(name):
    learner = dataclasses.replace(
        SMALL[name],
        hidden=32,
        horizon=8,
        decoded_steps=4,
        batch_size=16,
        num_updates=300,
        learning_rate=1e-2,
    )
    dataset = load("toolkit/pendulum").take_episodes(np.arange(20), "the first twenty")
    state = learner.init(dataset, key=jr.key(0))
    sampler = learner.prepare(dataset)

    @eqx.filter_jit
    def fit(state):
        arrays, static = eqx.partition(state, eqx.is_array)

        def body(arrays, key):
            draw, update = jr.split(key)
            batch = learner.sample(sampler, key=draw)
            after, metrics = learner.update(eqx.combine(arrays, static), batch, key=update)
            return eqx.filter(after, eqx.is_array), metrics["loss/prediction"]

        return jax.lax.scan(body, arrays, jr.split(jr.key(1), 300))[1]

    losses = np.asarray(fit(state))
    assert losses[-30:].mean() < 0.5 * losses[:30].mean()
