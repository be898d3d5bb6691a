"""The agents that learn from pixels: predictions, one update, the loop, and a task they learn."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.dots import KOOPMAN, SMALL, SPEC, SPR as SPR_SIZES, Dot
from tests.agents.float64 import assert_polyak, assert_same
from tests.agents.test_pixels import encode
from toolkit.agents.pixel_losses import feature_loss, normalised_loss
from toolkit.agents.pixel_sac import SACPixels
from toolkit.agents.spr import SPR, KoopmanSPR
from toolkit.errors import UserError
from toolkit.registry import MODELS
from toolkit.training import load_checkpoint, save_checkpoint
from toolkit.training.experience import update_once
from toolkit.training.online import init_online, train_online

AGENTS = {
    "sac-pixels": SACPixels(**SMALL),
    "spr": SPR(**SMALL, **SPR_SIZES),
    "koopman-spr": KoopmanSPR(**SMALL, **KOOPMAN),
}


@pytest.fixture(params=AGENTS, scope="module")
def agent(request):
    return AGENTS[request.param]


@pytest.fixture(scope="module")
def batch():
    agent, envs = AGENTS["spr"], Dot()
    replay, rng = agent.empty_replay(SPEC, 64), np.random.default_rng(0)
    replay.add([envs.step(rng.uniform(-1, 1, (2, 1))) for _ in range(40)])
    return agent.sample(replay, key=jr.key(1))


def start(agent, key=0):
    return agent.init(SPEC, key=jr.key(key))


def numbers(tree):
    return jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))


def moved(before, after):
    return [
        float(jnp.abs(a - b).max()) for a, b in zip(*map(numbers, (before, after)), strict=True)
    ]


def elu(mlp, x):
    for number, layer in enumerate(mlp.layers):
        x = x @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)
        if number < len(mlp.layers) - 1:
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return x


def linear(layer, x):
    return x @ np.asarray(layer.weight, np.float64) + np.asarray(layer.bias, np.float64)


def test_names_of_the_registry():
    assert {name: MODELS[name].load() for name in AGENTS} == {
        name: type(agent) for name, agent in AGENTS.items()
    }


def test_koopman_predictions_are_the_recurrence_decoded(batch):
    """d(x̂), x̂_{k+1} = λ̄·x̂_k + b·f(a_k) from x̂_0 = p(y), in float64."""
    head = AGENTS["koopman-spr"].head(SPEC, key=jr.key(3))
    y = np.random.default_rng(0).normal(size=(6, 5))
    dynamics, modes = head.dynamics, 3
    multipliers = np.asarray(dynamics.spectrum.multipliers, np.complex128)
    gain = np.asarray(dynamics.spectrum.input_gain, np.complex128)
    gain = gain / np.abs(gain).mean()
    join = lambda v: v[:, :modes] + 1j * v[:, modes:]
    x, expected = join(elu(head.projector, y)), []
    for action in np.asarray(batch.action, np.float64):
        x = multipliers * x + gain * join(elu(dynamics.action_encoder, action))
        expected.append(elu(head.decoder, np.concatenate([x.real, x.imag], axis=1)))
    found = head.predicted(jnp.asarray(y, jnp.float32), batch.action)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_spr_predictions_are_rolled_out_and_projected(batch):
    head = AGENTS["spr"].head(SPEC, key=jr.key(3))
    y, expected = np.random.default_rng(0).normal(size=(6, 5)), []
    found = head.predicted(jnp.asarray(y, jnp.float32), batch.action)
    for action in np.asarray(batch.action, np.float64):
        y = elu(head.dynamics.net, np.concatenate([y, action], axis=1))
        expected.append(linear(head.predictor, linear(head.projection, y)))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    targets = np.random.default_rng(1).normal(size=(3, 6, 5)).astype(np.float32)
    np.testing.assert_allclose(
        head.projected(jnp.asarray(targets)), linear(head.projection, targets), rtol=1e-3, atol=1e-4
    )


def test_targets_of_spr_teach_its_projection_only_without_stop_gradient(batch):
    """Of the loss itself, whatever the targets are made of."""
    targets = jr.normal(jr.key(6), (3, 6, 5))
    for stop in (True, False):
        agent = dataclasses.replace(AGENTS["spr"], stop_gradient=stop)
        head, features = agent.head(SPEC, key=jr.key(3)), jr.normal(jr.key(5), (6, 5))
        slope = jax.grad(
            lambda t, agent=agent, head=head, y=features: agent.beside(head, y, t, batch)[0]
        )
        assert (float(jnp.abs(slope(targets)).max()) == 0) == stop


@pytest.mark.parametrize("name", ["spr", "koopman-spr"])
def test_without_stop_gradient_targets_move_the_encoder_too(name, batch):
    """The loss has the same value, and another slope."""
    agent = dataclasses.replace(AGENTS[name], augment=False, stop_gradient=False)
    state = start(agent)
    usual = dataclasses.replace(agent, stop_gradient=True)
    other, found = update_once(usual, state, batch, jr.key(2))
    same = found["loss/prediction"]
    after, metrics = update_once(agent, state, batch, jr.key(2))
    assert max(moved(after.model.encoder, other.model.encoder)) > 1e-4
    assert float(metrics["loss/prediction"]) == pytest.approx(float(same), rel=1e-5)


@pytest.mark.parametrize(("name", "weight"), [("spr", 2.0), ("koopman-spr", 0.5)])
def test_the_loss_beside_the_critics_is_weighted_and_starts_at_the_features(name, weight, batch):
    agent = dataclasses.replace(AGENTS[name], prediction_weight=weight)
    head = agent.head(SPEC, key=jr.key(3))
    targets = jr.normal(jr.key(4), (3, 6, 5))
    features = jr.normal(jr.key(5), (6, 5))
    total, metrics = agent.beside(head, features, targets, batch)
    predicted = head.predicted(features, batch.action)
    expected = (
        feature_loss(predicted, targets, batch.valid) if name == "koopman-spr"
        else normalised_loss(predicted, head.projected(targets), batch.valid)
    )  # fmt: skip
    assert float(metrics["loss/prediction"]) == pytest.approx(float(expected), rel=1e-5)
    assert float(total) == pytest.approx(weight * float(expected), rel=1e-5)
    slope = jax.grad(lambda y: agent.beside(head, y, targets, batch)[0])(features)
    assert float(jnp.abs(slope).max()) > 1e-4  # it teaches the encoder


def test_an_update_moves_each_part_by_its_own_loss(agent, batch):
    """Adam's first step is the rate."""
    state = start(agent)
    after, metrics = update_once(agent, state, batch, jr.key(2))
    assert int(after.update_count) == 1 and all(map(np.isfinite, metrics.values()))
    for before, now in [(state.model, after.model), (state.actor, after.actor)]:
        assert max(moved(before, now)) == pytest.approx(agent.learning_rate, rel=0.01)
    assert max(moved(state.model.encoder, after.model.encoder)) > 0
    assert abs(float(after.log_temperature - state.log_temperature)) == pytest.approx(
        agent.temperature_rate, rel=0.01
    )
    assert_polyak(state.target, after.target, after.model.critic, agent.target_rate)
    assert state.slow is None and after.slow is None


def test_the_actors_loss_does_not_reach_the_encoder(agent, batch):
    """With another actor, whose loss is another one, model and target move to the same bits where
    the targets do not depend on it: every step is terminal.
    """
    batch = eqx.tree_at(lambda b: b.terminal, batch, jnp.ones(6, bool))
    state = start(agent)
    other = eqx.tree_at(lambda s: s.actor, state, start(agent, 9).actor)
    first, second = (update_once(agent, s, batch, jr.key(2))[0] for s in (state, other))
    assert_same(first.model, second.model)
    assert max(moved(first.actor, second.actor)) > 1e-2


WEIGHTS = np.random.default_rng(3).normal(size=(4, 6, 5)).astype(np.float32)


class Spy(KoopmanSPR):
    """Tells what lies beside the critics, weighted; of targets alone it would learn."""

    def beside(self, head, features, targets, batch):
        told = {
            f"told/{k}": jnp.sum(w * y)
            for k, (w, y) in enumerate(zip(WEIGHTS, [features, *targets], strict=True))
        }
        return jnp.sum(batch.valid, dtype=jnp.float32) * jnp.sum(targets), told


def test_targets_are_the_encoders_features_without_a_gradient(batch):
    """Features and targets are h(o_t) … h(o_{t+K}), by hand; a loss of targets moves nothing."""
    spy = Spy(**SMALL | KOOPMAN | {"augment": False})
    state = start(spy)
    after, metrics = update_once(spy, state, batch, jr.key(2))
    frames = np.asarray(batch.frames)
    for step in range(4):
        image = np.concatenate([frames[:, step], frames[:, step + 1]], axis=-1)
        expected = (WEIGHTS[step] * encode(state.model.encoder, image)).sum()
        assert float(metrics[f"told/{step}"]) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    ignored = eqx.tree_at(lambda b: b.valid, batch, jnp.zeros((3, 6), bool))
    assert_same(update_once(spy, state, ignored, jr.key(2))[0].model, after.model)


def test_a_slow_encoder_is_an_option(batch):
    agent = dataclasses.replace(AGENTS["spr"], encoder_rate=0.25)
    state = start(agent)
    after, _ = update_once(agent, state, batch, jr.key(2))
    assert_polyak(state.slow, after.slow, after.model.encoder, 0.25)
    far = eqx.tree_at(lambda s: s.slow, state, start(agent, 9).slow)
    other, _ = update_once(agent, far, batch, jr.key(2))
    assert max(moved(after.model, other.model)) > 1e-4  # its features are the targets


def run(agent, steps, envs, state=None):
    state = state or init_online(agent, envs, seed=0)
    return list(train_online(agent, state, envs, seed=0, num_env_steps=steps))[-1][0]


def test_the_loop_resumes_bit_for_bit_from_a_saved_replay(agent):
    whole = run(agent, 192, Dot())
    assert int(whole.agent.update_count) == 128 and whole.replay.num_frames == 96 * 2 + 24
    envs = Dot()
    half = run(agent, 128, envs)
    again, fresh = Dot(), init_online(agent, Dot(), seed=0)
    again.restore(envs.snapshot())
    fresh.replay.restore(half.replay.snapshot())
    half = dataclasses.replace(half, replay=fresh.replay)
    resumed = run(agent, 192, again, half)
    assert_same(whole, resumed)
    for name, values in whole.replay.snapshot().items():
        np.testing.assert_array_equal(values, resumed.replay.snapshot()[name])


def test_a_policy_is_saved_and_acts_alike(agent, tmp_path):
    state = start(agent)
    policy = agent.policy(state, explore=False)
    save_checkpoint(tmp_path / "p.ckpt", policy, {})
    template = agent.policy(start(agent, 1), explore=False)
    loaded, _ = load_checkpoint(tmp_path / "p.ckpt", template)
    assert loaded.sees() == agent.sees() == 16
    one, two = (
        p(jnp.asarray(Dot().obs[0]), p.memory(), key=jr.key(0))[0] for p in (policy, loaded)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("spr", {"horizon": 9}, "`horizon` must not exceed the 8 steps of an episode of Dot-v0"),
        ("spr", {"encoder_rate": 1.5}, "`encoder_rate` must be at most 1, got 1.5"),
        (
            "koopman-spr",
            {"encoder_rate": 0.05, "stop_gradient": False},
            "`encoder_rate` must be 1 where `stop_gradient` is off",
        ),
        (
            "koopman-spr",
            {"replay_capacity": 7},
            "`replay_capacity` must hold more than the 3 steps",
        ),
        ("sac-pixels", {"replay_capacity": 4}, "`replay_capacity` must hold a stack of 2 frames"),
    ],
)
def test_settings_that_cannot_be_meant(name, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        init_online(dataclasses.replace(AGENTS[name], **changes), Dot(), seed=0)


def test_too_little_memory_on_the_device_is_a_sentence(monkeypatch):
    from toolkit.training import experience

    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    monkeypatch.setattr(experience, "update_once", full)
    sentence = (
        "out of memory in an update: reduce `batch_size` 6 or `image_size` 16, or `horizon` 3"
    )
    with pytest.raises(UserError, match=sentence):
        run(AGENTS["spr"], 128, Dot())


def test_a_dot_learns_to_go_right():
    """From anywhere the best is to go right; going nowhere has 8·x on average, so 4."""
    agent = dataclasses.replace(
        AGENTS["koopman-spr"], num_envs=4, hidden=32, features=10, filters=8, batch_size=32,
        learning_rate=3e-3, random_steps=256, updates_per_step=0.5, initial_temperature=0.02,
        discount=0.8, target_rate=0.05, replay_capacity=4000,
    )  # fmt: skip
    state = run(agent, 1024, Dot(4))
    policy, envs, total = agent.policy(state.agent, explore=False), Dot(1, seed=5), 0.0
    memory = policy.memory()
    for step in range(8):
        action, memory = policy(jnp.asarray(envs.obs[0]), memory, key=jr.key(step))
        total += float(envs.step(np.asarray(action)[None]).reward[0])
    assert total > 6.5
