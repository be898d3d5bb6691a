"""Self-prediction alone: windows in episodes, one update by hand, what is left unexplained."""

from __future__ import annotations

import dataclasses
import itertools

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.dots import KOOPMAN, SMALL, SPEC, SPR as SPR_SIZES
from tests.agents.float64 import assert_polyak, assert_same
from toolkit.agents.self_prediction import (
    PictureEpisodes,
    SelfPrediction,
    encode,
    unexplained,
)
from toolkit.agents.spr import SPR, KoopmanSPR
from toolkit.errors import UserError

STILL = {"augment": False}
KOOPMAN_AGENT = KoopmanSPR(**SMALL | KOOPMAN | STILL)
SPR_AGENT = SPR(**SMALL | SPR_SIZES | STILL)
EPISODES, STATES = 4, 9


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (EPISODES, STATES, 16, 16, 3)).astype(np.uint8)
    frames[..., 0, 0, 0] = 10 * np.arange(EPISODES)[:, None] + np.arange(STATES)
    action = np.linspace(-1, 1, EPISODES * (STATES - 1)).reshape(EPISODES, STATES - 1, 1)
    return PictureEpisodes(jnp.asarray(frames), jnp.asarray(action, jnp.float32))


@eqx.filter_jit
def update_once(learner, state, batch, key):
    return learner.update(state, batch, key=key)


def begun(agent, pace=1.0):
    learner = SelfPrediction(agent, encoder_pace=pace)
    return learner, learner.init(SPEC, key=jr.key(0))


def features_of(encoder, batch):
    """Features of each stack of two frames of the windows."""
    frames = np.moveaxis(np.asarray(batch.frames), 1, 0)
    pairs = itertools.pairwise(frames)
    return [encode(encoder, jnp.asarray(np.concatenate(pair, axis=-1))) for pair in pairs]


def test_windows_lie_inside_an_episode_with_the_actions_between_their_frames(source):
    batch = source.sample(200, 2, 3, key=jr.key(1))
    names = np.asarray(batch.frames[:, :, 0, 0, 0])  # ten times the episode, and the state
    episode, state = np.divmod(names, 10)
    assert (episode == episode[:, :1]).all() and (np.diff(state) == 1).all()
    assert set(state[:, 0]) == set(range(STATES - 5 + 1))  # every start, the first and the last
    for step in range(3):
        taken = source.action[episode[:, 0], state[:, 1 + step]]
        np.testing.assert_array_equal(batch.action[step], taken)
    assert batch.valid.all() and batch.valid.shape == (3, 200)


@pytest.mark.parametrize("agent", [KOOPMAN_AGENT, SPR_AGENT])
def test_an_update_is_the_agents_loss_on_features_of_the_stacks(agent, source):
    learner, state = begun(agent)
    batch = learner.sample(source, key=jr.key(2))
    seen = features_of(state.model.encoder, batch)
    _, expected = agent.beside(state.model.head, seen[0], jnp.stack(seen[1:]), batch)
    after, metrics = update_once(learner, state, batch, jr.key(3))
    assert float(metrics["loss/prediction"]) == pytest.approx(
        float(expected["loss/prediction"]), rel=1e-4
    )
    assert int(after.update_count) == 1 and after.slow is None


def test_the_encoder_goes_a_share_of_the_way(source):
    """Adam's first step is the rate; the head takes it whole."""
    learner, state = begun(KOOPMAN_AGENT, pace=0.25)
    batch = learner.sample(source, key=jr.key(2))
    after, _ = update_once(learner, state, batch, jr.key(3))
    whole, _ = update_once(SelfPrediction(KOOPMAN_AGENT), state, batch, jr.key(3))
    assert_polyak(state.model.encoder, after.model.encoder, whole.model.encoder, 0.25)
    assert_same(after.model.head, whole.model.head)


def test_a_slow_copy_follows_and_is_what_targets_are_made_of(source):
    agent = dataclasses.replace(KOOPMAN_AGENT, encoder_rate=0.2)
    learner, state = begun(agent)
    batch = learner.sample(source, key=jr.key(2))
    after, _ = update_once(learner, state, batch, jr.key(3))
    assert_polyak(state.slow, after.slow, after.model.encoder, 0.2)
    far = eqx.tree_at(lambda s: s.slow, state, SelfPrediction(agent).init(SPEC, key=jr.key(9)).slow)
    _, metrics = update_once(learner, far, batch, jr.key(3))
    _, usual = update_once(learner, state, batch, jr.key(3))
    assert float(metrics["loss/prediction"]) != pytest.approx(float(usual["loss/prediction"]))


@pytest.mark.parametrize("agent", [KOOPMAN_AGENT, SPR_AGENT])
def test_without_stop_gradient_the_encoder_gets_another_slope(agent, source):
    learner, state = begun(agent)
    batch = learner.sample(source, key=jr.key(2))
    loose = SelfPrediction(dataclasses.replace(agent, stop_gradient=False))
    usual, metrics = update_once(learner, state, batch, jr.key(3))
    other, found = update_once(loose, state, batch, jr.key(3))
    assert float(found["loss/prediction"]) == pytest.approx(
        float(metrics["loss/prediction"]), rel=1e-5
    )
    change = jnp.abs(usual.model.encoder.last.weight - other.model.encoder.last.weight)
    assert float(change.max()) > 1e-3


@pytest.mark.parametrize("agent", [KOOPMAN_AGENT, SPR_AGENT])
def test_what_is_unexplained_is_a_share_of_the_variance(agent, source):
    _, state = begun(agent)
    batch = source.sample(50, 2, 3, key=jr.key(4))
    found, persistence = unexplained(agent, state.model, batch)
    y = features_of(state.model.encoder, batch)
    predicted, aims = (
        np.asarray(x, np.float64)
        for x in agent.compared(state.model.head, y[0], jnp.stack(y[1:]), batch.action)
    )
    now = np.asarray(agent.compared(state.model.head, y[0], y[0][None], batch.action[:1])[1])
    for step in range(3):
        variance = aims[step].var(axis=0).sum()
        for share, guess in ((found, predicted[step]), (persistence, now[0])):
            expected = np.square(guess - aims[step]).sum(-1).mean() / variance
            assert float(share[step]) == pytest.approx(expected, rel=1e-3)


def test_features_of_many_pictures_do_not_depend_on_how_many(source):
    _, state = begun(KOOPMAN_AGENT)
    images = jnp.asarray(
        np.random.default_rng(1).integers(0, 255, (260, 16, 16, 6)).astype(np.uint8)
    )
    found = encode(state.model.encoder, images)
    assert found.shape == (260, 5)
    np.testing.assert_allclose(found[255:], state.model.encoder(images[255:]), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"horizon": 8}, "make a window of 10 frames, and an episode has 9"),
        ({"encoder_rate": 1.5}, "`encoder_rate` must be at most 1"),
        ({"encoder_rate": 0.5, "stop_gradient": False}, "where `stop_gradient` is off"),
    ],
)
def test_settings_that_cannot_be_meant(changes, sentence):
    learner = SelfPrediction(dataclasses.replace(KOOPMAN_AGENT, **changes))
    with pytest.raises(UserError, match=sentence):
        learner.init(SPEC, key=jr.key(0))
