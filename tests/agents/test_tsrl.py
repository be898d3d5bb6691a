"""TSRL against NumPy in float64: Eq. 9, 11 and 12, Algorithm 1, its ablations and its defaults."""

from __future__ import annotations

import functools
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest

from tests.agents.float64 import (
    ACTION,
    BATCH,
    OBS,
    as_float64,
    assert_descended,
    assert_polyak,
    assert_same,
    forward,
    numbers,
    policy,
    q_values,
    random_batch,
    random_dataset,
)
from toolkit.agents.augmentation import join
from toolkit.agents.networks import TanhActor
from toolkit.agents.symmetry_filter import SymmetryFilter, latent_statistics
from toolkit.agents.td3_bc import TD3BC
from toolkit.agents.tsrl import TSRL
from toolkit.data import Transitions
from toolkit.data.dataset import Source
from toolkit.errors import UserError
from toolkit.tsymmetry import TDM
from toolkit.tsymmetry.learner import TDMLearner

SIZES = {"hidden": 4, "layers": 2, "batch_size": BATCH, "policy_noise": 0.0, "dropout": 0.0}
#: Weights at which every term of Eq. 11 counts.
WEIGHTS = {"action_weight": 1.5, "symmetry_weight": 0.8, "quantile": 0.6}


class Descending(TSRL):
    """With plain gradient descent, so that a step is the gradient itself."""

    def _adam(self):
        return optax.sgd(1.0)


@functools.cache
def small_model():
    return TDM(OBS, ACTION, encoder_widths=(8,), dynamics_widths=(8,), key=jr.key(7))


def started(agent):
    """At the second update, so that the actor is due; on a small model, targets elsewhere."""
    data = random_dataset()
    state, other = (agent.init(data, key=jr.key(seed)) for seed in (0, 1))
    model = small_model()
    noise, threshold = statistics(model, data, agent.noise_share, agent.quantile)
    return replace(
        state, model=model, target_actor=other.actor, target_critic=other.critic,
        noise=jnp.asarray(noise, jnp.float32), threshold=jnp.asarray(threshold, jnp.float32),
        update_count=jnp.ones((), jnp.int32),
    )  # fmt: skip


def encode(model, obs, action):
    """z_s and z_a of a batch."""
    x = np.concatenate([np.asarray(obs, np.float64), np.asarray(action, np.float64)], axis=1)
    return np.split(forward(model.encoder, x), [OBS], axis=1)


def rate(model, z_s, z_a):
    return forward(model.forward, np.concatenate([z_s, z_a], axis=1))


def symmetry(model, z_s, z_a):
    """ℓ_Tsym (Eq. 7), a squared norm for each row."""
    f = rate(model, z_s, z_a)
    g = forward(model.reverse, np.concatenate([z_s + f, z_a], axis=1))
    return np.sum((f + g) ** 2, axis=1)


def statistics(model, data, share, quantile):
    z_s, z_a = encode(model, data.observations, data.actions)
    return share * z_s.std(0), np.quantile(symmetry(model, z_s, z_a), quantile)


def augmented(state, batch, key):
    """ε of Algorithm 1 with this key, ε′ by the model's own next state, and who is kept."""
    z_s, z_a = encode(state.model, batch.obs, batch.action)
    epsilon = np.asarray(state.noise, np.float64) * np.asarray(jr.normal(key, z_s.shape))
    moved = z_s + epsilon
    # z_s' + ε' = z_s + ε + f(z_s + ε, z_a), and z_s' = z_s + f(z_s, z_a)
    after = moved + rate(state.model, moved, z_a) - (z_s + rate(state.model, z_s, z_a))
    return epsilon, after, symmetry(state.model, moved, z_a) <= float(state.threshold)


def td_target(state, batch, shift=0.0, discount=0.9):
    action = policy(state.target_actor, batch.next_obs)
    z_s, z_a = encode(state.model, batch.next_obs, action)
    value = q_values(state.target_critic, z_s + shift, z_a).min(0)
    return batch.reward + discount * np.where(batch.terminal, 0.0, value)


def eq_11(state, actor, critic, batch, drawn, *, scale=None):
    """−α₀·mean Q / mean |Q| + λ₁·|z_a^π − z_a|² + λ₂·ℓ_Tsym, penalties as means over coordinates.

    `drawn` has ε and who is kept, or is None; `scale` is mean |Q|, which gradients take as
    constant. Returns the loss and the scale.
    """
    action = policy(actor, batch.obs)
    z_s, z_a = encode(state.model, batch.obs, action)
    q = q_values(critic, z_s, z_a).min(0)
    if drawn is not None:
        epsilon, kept = drawn
        q = np.concatenate([q, q_values(critic, z_s + epsilon, z_a).min(0)[kept]])
    scale = np.abs(q).mean() if scale is None else scale
    _, recorded = encode(state.model, batch.obs, batch.action)
    distance = np.mean((z_a - recorded) ** 2)
    violation = np.mean(symmetry(state.model, z_s, z_a)) / OBS
    return -2.5 * q.mean() / scale + 1.5 * distance + 0.8 * violation, scale


def updated(agent, state, key=0):
    """One update on a random batch: the batch in float64, the state after it, the metrics."""
    batch = random_batch(2)
    after, metrics = eqx.filter_jit(agent.update)(state, batch, key=jr.key(key))
    return numbers(batch), after, {name: float(value) for name, value in metrics.items()}


@pytest.fixture(scope="module")
def run():
    """An update in which critics, actor and targets move, with noise that moves the latent."""
    agent = Descending(**SIZES, **WEIGHTS, noise_share=0.5, discount=0.9, target_rate=0.25)
    state = started(agent)
    return state, *updated(agent, state)


@pytest.fixture(scope="module")
def drawn(run):
    """ε, ε′ and who is kept in `run`."""
    state, batch, *_ = run
    return augmented(state, batch, jr.split(jr.key(0), 3)[1])


def test_some_are_kept_and_some_are_not(run, drawn):
    kept = drawn[2]
    assert 0 < kept.sum() < BATCH
    assert run[3]["accepted"] == pytest.approx(kept.mean())


def test_the_critics_descend_eq_9_on_recorded_and_kept_samples(run, drawn):
    state, batch, after, metrics = run
    epsilon, epsilon_after, kept = drawn
    z_s, z_a = encode(state.model, batch.obs, batch.action)
    y, y_made = td_target(state, batch), td_target(state, batch, epsilon_after)
    for values in (y, y_made):  # terminals
        np.testing.assert_array_equal(values[[1, -1]], batch.reward[[1, -1]])

    def loss(critic):
        recorded = (q_values(critic, z_s, z_a) - y) ** 2
        made = (q_values(critic, z_s + epsilon, z_a) - y_made)[:, kept] ** 2
        return np.concatenate([recorded, made], axis=1).mean(1).sum()

    assert metrics["loss/critic"] == pytest.approx(loss(state.critic), rel=1e-4)
    assert_descended(state.critic, after.critic, loss)


def test_the_actor_descends_eq_11_with_kept_samples_and_a_constant_scale(run, drawn):
    state, batch, after, metrics = run
    samples = drawn[0], drawn[2]
    expected, scale = eq_11(state, state.actor, after.critic, batch, samples)
    assert metrics["loss/actor"] == pytest.approx(expected, rel=1e-4)
    assert_descended(
        state.actor, after.actor,
        lambda actor: eq_11(state, actor, after.critic, batch, samples, scale=scale)[0],
    )  # fmt: skip


def test_the_penalties_are_reported_without_their_weights(run):
    state, batch, _, metrics = run
    z_s, z_a = encode(state.model, batch.obs, policy(state.actor, batch.obs))
    _, recorded = encode(state.model, batch.obs, batch.action)
    assert metrics["loss/latent_action"] == pytest.approx(np.mean((z_a - recorded) ** 2), rel=1e-4)
    violation = np.mean(symmetry(state.model, z_s, z_a)) / OBS
    assert metrics["loss/symmetry"] == pytest.approx(violation, rel=1e-4)


def test_targets_follow_when_the_actor_moves_and_the_model_never_does(run):
    state, _, after, _ = run
    assert_polyak(state.target_actor, after.target_actor, after.actor, 0.25)
    assert_polyak(state.target_critic, after.target_critic, after.critic, 0.25)
    for name in ("model", "noise", "threshold"):
        assert_same(getattr(state, name), getattr(after, name))


def test_between_two_steps_of_the_actor_only_the_critics_move(run):
    agent = Descending(**SIZES, **WEIGHTS, noise_share=0.5, discount=0.9, target_rate=0.25)
    state = replace(run[0], update_count=jnp.zeros((), jnp.int32))
    _, after, metrics = updated(agent, state)
    for name in ("actor", "target_actor", "target_critic", "opt_actor", "model"):
        assert_same(getattr(state, name), getattr(after, name))
    assert_same(after.critic, run[2].critic)  # the same step as when the actor was due
    assert metrics["loss/actor"] == 0.0


@pytest.fixture(scope="module")
def many():
    """A filter of a model, and 400 latent rows with what it makes of them."""
    rows = random_batch(3, rows=400)
    noise = [0.1, 0.2, 0.3]
    threshold = np.median(symmetry(small_model(), numbers(rows).obs, numbers(rows).action))
    made_by = SymmetryFilter(
        small_model(), jnp.asarray(noise, jnp.float32), jnp.asarray(threshold, jnp.float32)
    )
    made, accepted = eqx.filter_jit(lambda f, b: f(b, key=jr.key(0)))(made_by, rows)
    return made_by, numbers(rows), numbers(made), np.asarray(accepted)


def test_the_filter_accepts_exactly_what_violates_the_symmetry_by_the_threshold_at_most(many):
    made_by, _, made, accepted = many
    violation = symmetry(made_by.model, made.obs, made.action)
    clear = np.abs(violation / float(made_by.threshold) - 1) > 1e-4
    np.testing.assert_array_equal(accepted[clear], (violation <= float(made_by.threshold))[clear])
    assert 50 < accepted.sum() < 350 and clear.sum() > 390


def test_a_violation_equal_to_the_threshold_is_accepted(many):
    made_by, rows, _, _ = many
    one = jax.tree.map(lambda x: jnp.asarray(x[:1], jnp.float32), rows)
    one = replace(one, terminal=jnp.zeros(1, bool))
    still = replace(made_by, noise=jnp.zeros(OBS))
    smallest = float(symmetry(made_by.model, rows.obs[:1], rows.action[:1])[0])
    for factor, expected in [(1.001, True), (0.999, False)]:
        bound = replace(still, threshold=jnp.float32(factor * smallest))
        assert bool(eqx.filter_jit(bound)(one, key=jr.key(0))[1][0]) is expected
    exact = replace(made_by, noise=jnp.zeros(OBS), threshold=jnp.zeros(()))
    nothing = jax.tree.map(jnp.zeros_like, exact.model)  # f = g = 0: no violation at all
    assert eqx.filter_jit(replace(exact, model=nothing))(one, key=jr.key(0))[1].all()


def test_the_noise_has_the_given_deviation_and_no_mean(many):
    made_by, rows, made, _ = many
    epsilon = (made.obs - rows.obs) / np.asarray(made_by.noise)
    assert abs(epsilon.mean()) < 0.1
    np.testing.assert_allclose(epsilon.std(0), 1, atol=0.12)
    assert np.abs(np.corrcoef(epsilon.T) - np.eye(OBS)).max() < 0.2
    assert len(np.unique(epsilon[:, 0])) == len(epsilon)  # every row has its own


def test_the_next_latent_moves_as_the_forward_dynamics_say(many):
    made_by, rows, made, _ = many
    expected = rows.next_obs + (
        made.obs + rate(made_by.model, made.obs, rows.action)
        - rows.obs - rate(made_by.model, rows.obs, rows.action)
    )  # fmt: skip
    np.testing.assert_allclose(made.next_obs, expected, rtol=1e-4, atol=1e-5)
    for name in ("action", "reward", "terminal"):
        np.testing.assert_array_equal(getattr(made, name), getattr(rows, name))


@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.7, 1.0])
def test_the_threshold_is_the_quantile_of_the_same_measure_over_the_data(quantile):
    data = random_dataset(200)
    noise, threshold = latent_statistics(small_model(), data, noise_share=0.01, quantile=quantile)
    expected_noise, expected = statistics(small_model(), data, 0.01, quantile)
    np.testing.assert_allclose(noise, expected_noise, rtol=1e-4)
    assert float(threshold) == pytest.approx(expected, rel=1e-4)


def test_without_noise_the_share_of_recorded_samples_that_pass_is_the_quantile():
    data = random_dataset(200)
    agent = TSRL(**SIZES, quantile=0.7, noise_share=0.0)
    state = agent.build_on(agent.init(data, key=jr.key(0)), small_model(), data)
    encoded = jax.jit(jax.vmap(small_model().encode))(data.observations, data.actions)
    batch = Transitions(encoded.state, encoded.action, data.rewards, encoded.state, data.terminal)
    _, kept = eqx.filter_jit(agent.augmentation(state))(batch, key=jr.key(0))
    assert float(kept.mean()) == pytest.approx(0.7, abs=0.01)


def test_built_on_a_model_the_state_has_its_statistics():
    data, agent = random_dataset(), TSRL(**SIZES, noise_share=0.02)
    fresh = agent.init(data, key=jr.key(0))
    built = agent.build_on(fresh, small_model(), data)
    assert_same(built.model, small_model())
    noise, threshold = statistics(small_model(), data, 0.02, 0.7)  # of no robot we know
    np.testing.assert_allclose(built.noise, noise, rtol=1e-4)
    assert float(built.threshold) == pytest.approx(threshold, rel=1e-4)
    assert_same(built.actor, fresh.actor)


def test_no_augmentation_leaves_the_recorded_samples():
    agent = Descending(**SIZES, **WEIGHTS, augment=False, discount=0.9)
    state = started(agent)
    batch, after, metrics = updated(agent, state)
    assert "accepted" not in metrics
    z_s, z_a = encode(state.model, batch.obs, batch.action)
    y = td_target(state, batch)
    expected = ((q_values(state.critic, z_s, z_a) - y) ** 2).mean(1).sum()
    assert metrics["loss/critic"] == pytest.approx(expected, rel=1e-4)
    assert metrics["value"] == pytest.approx(y.mean(), rel=1e-4)
    found, _ = eq_11(state, state.actor, after.critic, batch, None)
    assert metrics["loss/actor"] == pytest.approx(found, rel=1e-4)


def test_no_representation_has_critics_of_states_and_actions():
    agent = Descending(**SIZES, **WEIGHTS, augment=False, latent_critic=False, discount=0.9)
    state = started(agent)
    batch, after, metrics = updated(agent, state)
    value = q_values(
        state.target_critic, batch.next_obs, policy(state.target_actor, batch.next_obs)
    )
    y = batch.reward + 0.9 * np.where(batch.terminal, 0.0, value.min(0))
    expected = ((q_values(state.critic, batch.obs, batch.action) - y) ** 2).mean(1).sum()
    assert metrics["loss/critic"] == pytest.approx(expected, rel=1e-4)
    action = policy(state.actor, batch.obs)
    q = q_values(after.critic, batch.obs, action).min(0)
    z_s, z_a = encode(state.model, batch.obs, action)
    _, recorded = encode(state.model, batch.obs, batch.action)
    penalties = 1.5 * np.mean((z_a - recorded) ** 2)
    penalties += 0.8 * np.mean(symmetry(state.model, z_s, z_a)) / OBS
    expected = -2.5 * q.mean() / np.abs(q).mean() + penalties
    assert metrics["loss/actor"] == pytest.approx(expected, rel=1e-4)


def test_no_penalty_has_the_cloning_of_td3_bc(drawn):
    agent = Descending(**SIZES, quantile=0.6, noise_share=0.5, constraint="cloning")
    state = started(agent)
    batch, after, metrics = updated(agent, state)
    action = policy(state.actor, batch.obs)
    z_s, z_a = encode(state.model, batch.obs, action)
    epsilon, _, kept = drawn
    q = np.concatenate([
        q_values(after.critic, z_s, z_a).min(0),
        q_values(after.critic, z_s + epsilon, z_a).min(0)[kept],
    ])  # fmt: skip
    expected = -2.5 * q.mean() / np.abs(q).mean() + np.mean((action - batch.action) ** 2)
    assert metrics["loss/actor"] == pytest.approx(expected, rel=1e-4)
    assert metrics["loss/symmetry"] == 0.0


def test_without_all_three_it_is_td3_bc_with_the_lesser_critic():
    sizes = {"hidden": 4, "layers": 2, "batch_size": BATCH, "learning_rate": 1e-2}
    plain = TD3BC(**sizes)
    agent = TSRL(**sizes, dropout=0.0, augment=False, latent_critic=False, constraint="cloning")
    theirs, ours = (a.init(random_dataset(), key=jr.key(0)) for a in (plain, agent))
    twins = jax.tree.map(lambda x: jnp.stack([x[0], x[0]]), theirs.critic)  # Q₁ is the lesser one
    shared = {name: getattr(theirs, name) for name in ("actor", "target_actor")}
    shared |= {"critic": twins, "target_critic": twins}
    theirs, ours = (replace(s, **shared) for s in (theirs, ours))
    batch = random_batch()
    steps = [eqx.filter_jit(a.update) for a in (plain, agent)]
    for at in range(2):
        halves = jr.key(at)
        theirs, _ = steps[0](theirs, batch, key=halves)
        ours, _ = steps[1](ours, batch, key=halves)
        if at == 0:
            # each agent splits its key in its own way, so the noise on target actions differs
            ours = replace(ours, critic=theirs.critic, opt_critic=theirs.opt_critic)
    before = theirs.actor
    for a, b in zip(*map(jax.tree.leaves, (before, ours.actor)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_dropout_scales_what_it_keeps_and_needs_a_key():
    actor = TanhActor(OBS, ACTION, 64, 2, dropout=0.25, key=jr.key(0))
    obs = jnp.asarray(np.random.default_rng(0).normal(size=(4000, OBS)), jnp.float32)
    obs = jnp.broadcast_to(obs[:1], obs.shape)
    first = actor.net.layers[0]
    read = eqx.tree_at(  # a second hidden layer that passes the first one on, then their sum
        lambda a: [leaf for layer in a.net.layers[1:] for leaf in (layer.weight, layer.bias)],
        actor,
        [jnp.eye(64), jnp.zeros(64), jnp.full((64, ACTION), 1e-3), jnp.zeros(ACTION)],
    )  # fmt: skip
    plain = np.asarray(jax.jit(lambda o: read.batch(o))(obs[:1]), np.float64)
    hidden = np.maximum(np.asarray(obs[0], np.float64) @ np.asarray(first.weight) + first.bias, 0)
    np.testing.assert_allclose(np.arctanh(plain), 1e-3 * hidden.sum(), rtol=1e-4)
    dropped = np.asarray(jax.jit(lambda o: read.batch(o, key=jr.key(1)))(obs), np.float64)
    sums = 1e3 * np.arctanh(dropped[:, 0])
    assert sums.mean() == pytest.approx(hidden.sum(), rel=0.01)  # kept units are scaled up
    # two layers of masks, each unit kept with 0.75² and then 1/0.75² times as large
    variance = np.sum(hidden**2) * (1 / 0.75**2 - 1)
    assert sums.var() == pytest.approx(variance, rel=0.1)


def test_dropout_is_off_in_the_policy_and_in_target_actions():
    plain = Descending(**SIZES, **WEIGHTS, noise_share=0.5, discount=0.9)
    agent = replace(plain, dropout=0.5)
    state = started(agent)
    batch, after, metrics = updated(agent, state)
    for at in (0, 1):
        action, _ = agent.policy(after)(batch.obs[0].astype(np.float32) + jnp.zeros(OBS), None,
                                        key=jr.key(at))  # fmt: skip
        np.testing.assert_allclose(action, policy(after.actor, batch.obs[:1])[0], rtol=1e-4)
    _, epsilon_after, _ = augmented(state, batch, jr.split(jr.key(0), 3)[1])
    y = np.concatenate([td_target(state, batch), td_target(state, batch, epsilon_after)])
    assert metrics["value"] == pytest.approx(y.mean(), rel=1e-4)
    _, other, _ = updated(agent, replace(state, update_count=jnp.ones((), jnp.int32)), key=1)
    moved = [np.asarray(s.actor.net.layers[0].weight) for s in (after, other)]
    assert np.abs(moved[0] - moved[1]).max() > 0  # but the actor trains with it


@pytest.mark.parametrize(
    ("name", "env", "quantile", "weight"),
    [
        ("walker2d-medium-v2-10k", None, 0.5, 200.0),
        ("hopper-medium-v2-10k", None, 0.7, 100.0),
        ("halfcheetah-expert-v2-10k", None, 0.7, 100.0),
        ("toolkit/walker2d-medium", None, 0.5, 200.0),
        ("mine", "Walker2d-v5", 0.5, 200.0),
        ("mine", "Hopper-v4", 0.7, 100.0),
        ("pen-human-v1", None, 0.5, 1e4),
        ("hammer-cloned-v1", None, 0.5, 1e4),
        ("door-human-v1", None, 0.5, 1e4),
        ("relocate-cloned-v1", None, 0.5, 1e4),
        ("D4RL/pen/human-v2", "AdroitHandPen-v1", 0.5, 1e4),
        ("D4RL/relocate/cloned-v2", "AdroitHandRelocate-v1", 0.5, 1e4),
        ("arrays", None, 0.7, 100.0),
    ],
)
def test_what_is_left_open_is_the_papers_for_the_robot(name, env, quantile, weight):
    data = random_dataset(source=Source(name, env=env))
    fitted = TSRL().fitted_to(data)
    assert (fitted.quantile, fitted.action_weight) == (quantile, weight)
    chosen = TSRL(quantile=0.9, action_weight=5.0).fitted_to(data)
    assert (chosen.quantile, chosen.action_weight) == (0.9, 5.0)
    assert TSRL(quantile=0.0, action_weight=0.0).fitted_to(data).quantile == 0.0


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"quantile": 1.5}, r"`quantile` must lie in 0\.\.1, got 1.5"),
        ({"quantile": -0.1}, r"`quantile` must lie in 0\.\.1, got -0.1"),
        ({"dropout": 1.0}, r"`dropout` must lie in 0\.\.1, below 1, got 1.0"),
        ({"action_weight": -1.0}, "`action_weight` must not be negative, got -1.0"),
        ({"latent_critic": False}, "`augment` makes latent samples, which need `latent_critic`"),
    ],
)
def test_settings_out_of_range_are_refused(option, sentence):
    with pytest.raises(UserError, match=sentence):
        TSRL(**({"batch_size": 4} | option)).prepare(random_dataset())


def test_joined_batches_keep_their_order():
    first, second = random_batch(0), random_batch(1)
    both = as_float64(join(first, second))
    np.testing.assert_allclose(both.obs[:BATCH], first.obs)
    np.testing.assert_allclose(both.reward[BATCH:], second.reward)
    assert both.terminal.shape == (2 * BATCH,)


def test_what_is_known_of_a_trained_model_sizes_the_state():
    data = random_dataset(64)
    narrow = TDMLearner(width=8, activation="tanh")
    agent = TSRL(hidden=4, batch_size=8).fitted_to_model({"width": 8, "activation": "tanh"})
    blank = agent.init(data, key=jr.key(1))
    built = agent.build_on(blank, narrow.network(data, key=jr.key(0)), data)
    assert jax.tree.structure(blank.model) == jax.tree.structure(built.model)  # activation too
    assert [x.shape for x in jax.tree.leaves(blank.model)] == [
        x.shape for x in jax.tree.leaves(built.model)
    ]


def test_an_agent_whose_settings_are_left_to_the_data_says_so():
    data = random_dataset(64)
    agent = TSRL(hidden=4, batch_size=8, policy_every=1)
    model = TDM(OBS, ACTION, encoder_widths=(8,), dynamics_widths=(8,), key=jr.key(0))
    state = agent.build_on(agent.init(data, key=jr.key(1)), model, data)
    batch = agent.sample(agent.prepare(data), key=jr.key(2))
    with pytest.raises(UserError, match="`action_weight` is left to the data"):
        agent.update(state, batch, key=jr.key(3))
