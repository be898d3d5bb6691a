"""Prediction through the interface, on a model small enough to unroll by hand."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from toolkit.data import Window
from toolkit.dynamics import (
    AbstractDynamics,
    Heads,
    Steps,
    consistency_loss,
    dynamics_terms,
    prediction_loss,
    unroll,
)
from toolkit.errors import UserError
from toolkit.nn import num_parameters
from toolkit.spectral import KoopmanDynamics, Spectrum
from toolkit.spectral.koopman import to_complex, to_real

OBS, ACTION, MODES, TIME = 3, 2, 4, 11


def make_model(**options):
    keys = jr.split(jr.key(5), 3)
    heads = Heads(OBS, 2 * MODES, hidden=8, reward_mean=2.0, reward_std=0.5, key=keys[0])
    spectrum = Spectrum(MODES, key=keys[1])
    return KoopmanDynamics(heads, spectrum, OBS, ACTION, key=keys[2], **options)


@pytest.fixture
def model():
    return make_model()


@eqx.filter_jit
def predict(model, obs, actions, every=None):
    return model.predict(obs, actions, reencode_every=every)


terms_of = eqx.filter_jit(dynamics_terms)
unrolled_by = eqx.filter_jit(unroll)


@pytest.fixture
def sample(getkey):
    return jr.normal(getkey(), (OBS,)), jr.normal(getkey(), (TIME, ACTION))


@pytest.fixture
def window(getkey):
    return Window(
        jr.normal(getkey(), (TIME + 1, 5, OBS)),
        jr.normal(getkey(), (TIME, 5, ACTION)),
        jr.normal(getkey(), (TIME, 5)),
    )


def by_hand(model, obs, actions):
    """The model's equations in NumPy, one step after the other."""
    multipliers = np.asarray(model.spectrum.multipliers, complex)
    gain = np.asarray(model.spectrum.input_gain, complex)
    gain = gain / np.abs(gain).mean()
    state = np.asarray(to_complex(model.encode(obs)), complex)
    missing = np.asarray(obs - model.decode(model.encode(obs)))
    states, rewards = [np.asarray(obs)], []
    for k, action in enumerate(actions, 1):
        control = np.asarray(to_complex(model.action_encoder(action)), complex)
        state = multipliers * state + gain * control
        latent = to_real(jnp.asarray(state, jnp.complex64))
        kept = np.exp(-k * np.log1p(np.exp(np.asarray(model.memory))))
        states.append(np.asarray(model.decode(latent)) + kept * missing)
        rewards.append(float(model.heads.reward(latent)))
    return np.array(states), np.array(rewards)


def test_prediction_equals_the_equations_step_by_step(model, sample):
    predicted = predict(model, *sample)
    states, rewards = by_hand(model, *sample)
    assert predicted.obs.shape == (TIME + 1, OBS)
    np.testing.assert_allclose(predicted.obs, states, atol=1e-5)
    np.testing.assert_allclose(predicted.reward, rewards, atol=1e-5)


@pytest.mark.parametrize(("count", "ends"), [(1, True), (3, True), (3, False), (11, False)])
@pytest.mark.parametrize("hidden", [0, 5])
def test_strided_states_are_those_of_the_recurrence(count, ends, hidden, sample, getkey):
    """One product per stride gives the states, and the gradients, of a visit to every step."""
    model = make_model(action_hidden=hidden)
    latent, cotangent = jr.normal(getkey(), (2 * MODES,)), jr.normal(getkey(), (2 * MODES,))

    def reached(kind, given, steps):
        model, latent, actions = given
        states = kind.drive_to(model, latent, kind.controls_to(model, actions, steps), steps)
        return jnp.sum(states * cotangent[None]), states

    @eqx.filter_jit
    def both(key):
        steps = Steps.spread(TIME - ends, count, key=key)
        steps = steps.to_end(TIME) if ends else steps
        gradient = eqx.filter_value_and_grad(
            lambda given, kind: reached(kind, given, steps), has_aux=True
        )
        given = (model, latent, sample[1])
        return gradient(given, KoopmanDynamics), gradient(given, AbstractDynamics)

    for key in jr.split(getkey(), 6):
        found, expected = (jax.tree.leaves(part) for part in both(key))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_batches_equal_single_samples(model, getkey):
    obs, actions = jr.normal(getkey(), (4, OBS)), jr.normal(getkey(), (4, TIME, ACTION))
    batch = jax.jit(jax.vmap(model.predict))(obs, actions)
    for i in range(4):
        np.testing.assert_allclose(batch.obs[i], predict(model, obs[i], actions[i]).obs, atol=1e-5)


def test_a_late_action_leaves_earlier_predictions_alone(model, sample):
    obs, actions = sample
    before, after = predict(model, obs, actions), predict(model, obs, actions.at[6].add(1.0))
    np.testing.assert_array_equal(before.obs[:7], after.obs[:7])
    assert np.abs(np.asarray(before.obs[7] - after.obs[7])).max() > 1e-4


@pytest.mark.parametrize("every", [1, 4, 11, 30])
def test_reencoding_equals_predicting_again_from_the_last_prediction(model, sample, every):
    obs, actions = sample
    pieces, start = [obs[None]], obs
    for first in range(0, TIME, every):
        piece = predict(model, start, actions[first : first + every]).obs[1:]
        start = piece[-1]
        pieces.append(piece)
    predicted = predict(model, obs, actions, every)
    np.testing.assert_allclose(predicted.obs, jnp.concatenate(pieces), atol=1e-5)
    assert predicted.reward.shape == (TIME,)


def test_training_in_pieces_equals_prediction_in_pieces(window):
    """The losses see what `predict` will do: same pieces, same starts."""
    pieces = make_model(reencode_every=4)
    short = Window(window.obs[:9], window.action[:8], window.reward[:8])
    unrolled = unrolled_by(pieces, short, Steps(jnp.array([1, 3, 4])))
    np.testing.assert_array_equal(unrolled.steps, [1, 3, 4, 5, 7, 8])
    for i in range(5):
        predicted = predict(pieces, short.obs[0, i], short.action[:, i])
        np.testing.assert_allclose(unrolled.obs[:, i], predicted.obs[unrolled.steps], atol=1e-5)


def test_a_negative_interval_is_refused(model, sample):
    with pytest.raises(UserError, match="`reencode_every` must not be negative, got -1"):
        model.predict(*sample, reencode_every=-1)


def test_losses_equal_their_sums_by_hand(model, window):
    steps = Steps(jnp.array([2, 5, 11]))
    terms = terms_of(model, window, steps)
    advance = eqx.filter_jit(model.advance)
    state, reward, latent = [], [], []
    for i in range(5):
        predicted = predict(model, window.obs[0, i], window.action[:, i])
        latents = advance(model.encode(window.obs[0, i]), window.action[:, i])
        for k in (2, 5, 11):
            state.append(np.square(predicted.obs[k] - window.obs[k, i]))
            reward.append(np.square((predicted.reward[k - 1] - window.reward[k - 1, i]) / 0.5))
            latent.append(np.square(latents[k - 1] - model.encode(window.obs[k, i])))
    np.testing.assert_allclose(terms.prediction, np.mean(state), rtol=1e-4)
    np.testing.assert_allclose(terms.reward, np.mean(reward), rtol=1e-4)
    np.testing.assert_allclose(terms.consistency, np.mean(latent), rtol=1e-4)


def test_consistency_teaches_the_encoder_on_both_sides(model, window):
    """Eq. 7 has no stop-gradient: detaching the target changes the encoder's gradient."""
    steps = Steps(jnp.array([3]))

    def attached(heads, detached_heads=None):
        moved = eqx.tree_at(lambda m: m.heads, model, heads)
        target = moved if detached_heads is None else model
        return consistency_loss(target, unroll(moved, window, steps), window)

    both = jax.jit(jax.grad(attached))(model.heads).encoder.layers[0].weight
    one = (
        jax.jit(jax.grad(lambda heads: attached(heads, model.heads)))(model.heads)
        .encoder.layers[0]
        .weight
    )
    assert float(jnp.abs(both - one).max()) > 1e-6


def test_a_perfect_prediction_costs_nothing(model, window):
    unrolled = unrolled_by(model, window, Steps.every(TIME))
    perfect = Window(jnp.concatenate([window.obs[:1], unrolled.obs]), window.action, window.reward)
    again = unrolled_by(model, perfect, Steps.every(TIME))
    assert float(prediction_loss(again, perfect)) < 1e-10


def test_complex_and_real_are_inverse(getkey):
    x = jr.normal(getkey(), (6, 8))
    np.testing.assert_array_equal(to_real(to_complex(x)), x)
    real, imag = np.split(np.asarray(x), 2, axis=1)
    np.testing.assert_array_equal(to_complex(x), real + 1j * imag)


def test_parameters_are_counted(model):
    dense = lambda i, o: i * o + o
    heads = dense(3, 8) + dense(8, 8) + dense(8, 8) + dense(8, 3) + dense(8, 64) + dense(64, 1)
    expected = heads + 2 + 3 + (4 + 4 + 1) + dense(2, 64) + dense(64, 8)
    assert num_parameters(model) == expected
