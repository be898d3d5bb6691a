"""Symmetry shifts as augmentations, and the agents whose critics see them."""

from __future__ import annotations

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.agents.float64 import ACTION, OBS, assert_same, random_batch, random_dataset
from toolkit.agents.augmentation import NoAugmentation, StateNoise
from toolkit.agents.symmetry import (
    KFC,
    KFCPlusPlus,
    Mixture,
    SpectralCQL,
    SymmetryShift,
    SymmetryTD3BC,
)
from toolkit.agents.td3_bc import TD3BC
from toolkit.errors import UserError
from toolkit.symmetry import KoopmanForward, SpectralCore
from toolkit.symmetry.learners import KoopmanForwardLearner, SpectralCoreLearner

BILINEAR = KoopmanForward(OBS, ACTION, latent_dim=6, hidden=8, key=jr.key(0))
CORE = SpectralCore(OBS, ACTION, modes=3, hidden=8, key=jr.key(0))
ALL = [(BILINEAR, name) for name in BILINEAR.symmetries] + [(CORE, n) for n in CORE.symmetries]


@pytest.mark.parametrize(("model", "generator"), ALL)
def test_a_shift_of_size_zero_gives_back_the_transition_exactly(model, generator):
    batch = random_batch()
    made, accepted = SymmetryShift(model, generator, 0.0)(batch, key=jr.key(1))
    assert accepted.all()
    np.testing.assert_allclose(made.obs, batch.obs, atol=1e-6)
    np.testing.assert_allclose(made.next_obs, batch.next_obs, atol=1e-6)


def test_without_the_gauge_even_a_shift_of_size_zero_carries_the_decoder_s_error():
    batch = random_batch()
    made, _ = SymmetryShift(BILINEAR, "polynomial", 0.0, gauge=False)(batch, key=jr.key(1))
    decoded = np.stack([BILINEAR.decode(BILINEAR.encode(s)) for s in batch.obs])
    np.testing.assert_allclose(made.obs, decoded, atol=1e-5)
    assert np.abs(decoded - np.asarray(batch.obs)).max() > 0.1


@pytest.mark.parametrize(("model", "generator"), ALL)
def test_a_shift_moves_both_states_and_nothing_else(model, generator):
    batch = random_batch()
    made, _ = SymmetryShift(model, generator, 0.3)(batch, key=jr.key(1))
    size = 1e-3 if generator != "sylvester" else 1e-7
    assert np.abs(made.obs - batch.obs).max() > size
    assert np.abs(made.next_obs - batch.next_obs).max() > size
    for name in ("action", "reward", "terminal"):
        np.testing.assert_array_equal(getattr(made, name), getattr(batch, name))


def test_one_generator_moves_both_states_of_a_pair():
    """(1 + εσ) with the same σ: the displacement of z′ follows from that of z through K(a)."""
    latent = jr.normal(jr.key(3), (6,))
    action = jr.normal(jr.key(4), (ACTION,))
    after = BILINEAR.step(latent, action)
    for name in ("eigenspace", "polynomial"):
        here, there = BILINEAR.displacements(latent, after, action, name, key=jr.key(5))
        np.testing.assert_allclose(BILINEAR.step(here, action), there, atol=1e-4)


def test_equal_rows_are_shifted_differently():
    batch = random_batch()
    same = dataclasses.replace(
        batch, obs=jnp.broadcast_to(batch.obs[:1], batch.obs.shape),
        next_obs=jnp.broadcast_to(batch.next_obs[:1], batch.next_obs.shape),
        action=jnp.broadcast_to(batch.action[:1], batch.action.shape),
    )  # fmt: skip
    made, _ = SymmetryShift(CORE, "spectral", 0.1)(same, key=jr.key(1))
    assert len(np.unique(np.asarray(made.obs)[:, 0])) == len(made.reward)


def many(batch, times):
    return eqx.tree_at(
        lambda b: (b.obs, b.action, b.reward, b.next_obs, b.terminal), batch,
        tuple(jnp.concatenate([getattr(batch, n)] * times)
              for n in ("obs", "action", "reward", "next_obs", "terminal")),
    )  # fmt: skip


class _Plus(StateNoise):
    """Adds its scale to every state: says which augmentation was chosen."""

    def __call__(self, batch, *, key):
        moved = dataclasses.replace(batch, obs=batch.obs + self.scale)
        return moved, jnp.full(len(batch.reward), self.scale > 0)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_mixture_chooses_by_transition_with_its_probability(probability):
    batch = many(random_batch(), 500)
    made, accepted = Mixture(_Plus(1.0), _Plus(-1.0), probability)(batch, key=jr.key(2))
    first = np.asarray(made.obs - batch.obs)[:, 0] > 0
    assert first.mean() == pytest.approx(probability, abs=0.05)
    np.testing.assert_array_equal(accepted, first)  # each part's own acceptance


def test_a_mixture_may_choose_once_for_a_batch():
    batch = random_batch()
    mixture = Mixture(_Plus(1.0), _Plus(-1.0), 0.5, per_batch=True)
    signs = []
    for seed in range(40):
        made, _ = mixture(batch, key=jr.key(seed))
        each = np.asarray(made.obs - batch.obs)[:, 0] > 0
        assert each.all() or not each.any()
        signs.append(each[0])
    assert 8 < sum(signs) < 32


AGENTS = [KFC, KFCPlusPlus, SpectralCQL, SymmetryTD3BC]
SIZES = {"hidden": 4, "layers": 1, "batch_size": 6}


def built(kind, **options):
    data, agent = random_dataset(), kind(**SIZES, **options)
    first = agent.foundation().init(data, key=jr.key(7)).best
    state = agent.build_on(agent.init(data, key=jr.key(8)), first, data)
    return agent, state, first


@pytest.mark.parametrize("kind", AGENTS)
def test_an_agent_shifts_along_its_model(kind):
    agent, state, model = built(kind, probability=1.0, shift=0.2)
    assert_same(state.model, model)
    batch = random_batch()
    made, _ = agent.augmentation(state)(batch, key=jr.key(3))
    shift = SymmetryShift(model, agent.generator, 0.2)
    expected, _ = shift(batch, key=jr.split(jr.key(3), 3)[1])
    np.testing.assert_allclose(made.obs, expected.obs, atol=1e-5)


def test_without_shifts_and_noise_it_is_the_agent_beneath():
    agent, state, _ = built(SymmetryTD3BC, probability=0.0, state_noise=0.0)
    plain = TD3BC(**SIZES)
    before = plain.init(random_dataset(), key=jr.key(8))
    batch = random_batch()
    after, metrics = agent.update(state, batch, key=jr.key(9))
    expected, plain_metrics = plain.update(before, batch, key=jr.key(9))
    assert isinstance(plain.augmentation(before), NoAugmentation)
    assert_same(after.critic, expected.critic)
    assert_same(after.actor, expected.actor)
    assert metrics.keys() == plain_metrics.keys()


@pytest.mark.parametrize("kind", [SpectralCQL, SymmetryTD3BC])
def test_a_shift_reaches_the_critic(kind):
    agent, state, _ = built(kind, probability=1.0, shift=20.0)
    quiet = dataclasses.replace(agent, shift=0.0)
    batch = random_batch()
    update = eqx.filter_jit(lambda agent: agent.update(state, batch, key=jr.key(9)))
    (after, moved), (_, still) = update(agent), update(quiet)
    assert abs(float(moved["loss/critic"] - still["loss/critic"])) > 1e-5
    assert_same(after.model, state.model)


def test_what_an_agent_trains_first():
    assert isinstance(KFC().foundation(), KoopmanForwardLearner)
    assert isinstance(SpectralCQL().foundation(), SpectralCoreLearner)
    assert isinstance(SymmetryTD3BC(generator="polynomial").foundation(), KoopmanForwardLearner)
    assert KFC(model_updates=7).foundation().num_updates == 7
    assert KFC().foundation() == KoopmanForwardLearner()
    assert SpectralCQL().foundation() == SpectralCoreLearner()


def test_a_model_without_the_symmetries_is_refused():
    with pytest.raises(UserError, match="no symmetries for `generator` 'spectral'"):
        SpectralCQL().check_foundation("runs/k trained koopman-forward", frozenset({"bilinear"}))
    with pytest.raises(UserError, match="toolkit train koopman-forward"):
        KFC().check_foundation("runs/t trained tdm", frozenset({"encoder", "forward"}))
    KFC().check_foundation("runs/k trained koopman-forward", frozenset({"bilinear"}))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"probability": 1.5}, "`probability` must lie in 0..1, got 1.5."),
        ({"shift": -0.1}, "`shift` must not be negative, got -0.1."),
    ],
)
def test_a_setting_out_of_range_is_one_sentence(options, sentence):
    with pytest.raises(UserError) as error:
        KFC(**SIZES, **options).prepare(random_dataset())
    assert str(error.value) == sentence
