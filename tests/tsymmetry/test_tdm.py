"""The TDM's terms against the equations, with whole Jacobians and nothing shared between them."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from tests.tsymmetry.by_hand import ByHand, norm2
from toolkit import tsymmetry
from toolkit.nn import num_parameters
from toolkit.tsymmetry import TDM, Latent

OBS, ACTION = 4, 2


@pytest.fixture(scope="module")
def model():
    """Smooth, so that finite differences see every derivative."""
    return TDM(
        OBS, ACTION, encoder_widths=(16, 8), dynamics_widths=(16, 16), activation=jnp.tanh,
        key=jr.key(0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def row():
    keys = jr.split(jr.key(1), 3)
    return jr.normal(keys[0], (OBS,)), jr.normal(keys[1], (ACTION,)), jr.normal(keys[2], (OBS,))


def equations(model, row):
    """Eq. 3–7 and what 13 adds, as written."""
    hand, (s, a, s2) = ByHand(model), (np.asarray(x, float) for x in row)
    rate, z, z2 = s2 - s, hand.phi(s, a), hand.phi(s2, a)
    f = hand.f(z)
    return {
        "reconstruction": norm2(s - hand.psi_s(z[0], 0)) + norm2(a - hand.psi_a(z[1])),
        "forward": norm2(hand.jacobian(lambda x: hand.phi(x, a)[0], s) @ rate - f),
        "decoded_rate": norm2(rate - hand.psi_s(f, 1)),
        "reverse": norm2(hand.jacobian(lambda x: hand.phi(x, a)[0], s2) @ -rate - hand.g(z2)),
        "symmetry": norm2(f + hand.g((z[0] + f, z[1]))),
        "at_next": norm2(f + hand.g((z2[0], z[1]))),
    }


def test_each_term_is_its_equation(model, row):
    obs, action, _ = row
    latent = model.encode(obs, action)
    alone = {
        "reconstruction": tsymmetry.reconstruction_loss(model, obs, action),
        "forward": tsymmetry.forward_loss(model, *row),
        "decoded_rate": tsymmetry.decoded_rate_loss(model, *row),
        "reverse": tsymmetry.reverse_loss(model, *row),
        "symmetry": tsymmetry.symmetry_violation(model, latent),
        "at_next": tsymmetry.consistency_at_next(model, *row),
    }
    together = vars(tsymmetry.tdm_terms(model, *row))
    for name, value in equations(model, row).items():
        np.testing.assert_allclose(alone[name], value, rtol=1e-4, err_msg=name)
        np.testing.assert_allclose(together[name], value, rtol=1e-4, err_msg=name)


def test_the_published_codes_terms(model, row):
    """Decoding by the decoder's Jacobian, and symmetry about the encoded next state."""
    hand, (s, a, s2) = ByHand(model), (np.asarray(x, float) for x in row)
    rate, z, z2 = s2 - s, hand.phi(s, a), hand.phi(s2, a)
    f, g = hand.f(z), hand.g(z2)
    decode = lambda x: hand.psi_s(x, 0)
    expected = equations(model, row) | {
        "decoded_rate": norm2(rate - hand.jacobian(decode, z[0]) @ f)
        + norm2(-rate - hand.jacobian(decode, z2[0]) @ g),
        "symmetry": norm2(z2[0] + hand.g((z[0] + f, z[1])) - z[0]),
        "at_next": norm2(f + g),
    }
    terms = vars(tsymmetry.published_terms(model, *row))
    assert expected.keys() == terms.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, err_msg=name)


def test_gradients_flow_through_the_chain_rule_into_the_encoder(model, row):
    """Targets are not detached: the gradient of Eq. 4 matches a difference of Eq. 4."""

    def loss(shift):
        first = model.encoder.layers[0].weight
        moved = eqx.tree_at(lambda m: m.encoder.layers[0].weight, model, first + shift * direction)
        return tsymmetry.forward_loss(moved, *row)

    direction = jr.normal(jr.key(2), model.encoder.layers[0].weight.shape)
    step = 1e-2
    slope = (loss(step) - loss(-step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(loss)(0.0), slope, rtol=2e-2)


def test_a_reverse_model_that_undoes_the_forward_one_violates_nothing():
    """f constant, g its negative: Eq. 7 and the addition of Eq. 13 vanish, everywhere."""
    model = TDM(OBS, ACTION, encoder_widths=(8,), dynamics_widths=(8,), key=jr.key(0))
    drift = jnp.arange(1.0, OBS + 1)
    for name, sign in (("forward", 1.0), ("reverse", -1.0)):
        last = lambda m, name=name: getattr(m, name).layers[-1]
        model = eqx.tree_at(lambda m, at=last: at(m).weight, model, replace_fn=jnp.zeros_like)
        model = eqx.tree_at(lambda m, at=last: at(m).bias, model, sign * drift)
    latent = Latent(jnp.ones(OBS), jnp.ones(ACTION))
    assert tsymmetry.symmetry_violation(model, latent) == 0
    np.testing.assert_allclose(latent.moved(model.forward_rate(latent)).state, 1 + drift)
    doubled = eqx.tree_at(lambda m: m.reverse.layers[-1].bias, model, -2 * drift)
    expected = norm2(np.asarray(drift))
    np.testing.assert_allclose(tsymmetry.symmetry_violation(doubled, latent), expected)


def test_the_indicator_tells_states_from_rates(model):
    z = jnp.linspace(-1.0, 1.0, OBS)
    assert not np.allclose(model.decode_state(z), model.decode_state(z, is_rate=True))


def test_sizes_are_the_papers_and_the_penalty_counts_both_dynamics():
    model = TDM(11, 3, key=jr.key(0))
    widths = [layer.weight.shape for layer in model.encoder.layers]
    assert widths == [(14, 512), (512, 256), (256, 128), (128, 14)]
    assert [layer.weight.shape[1] for layer in model.state_decoder.layers] == [128, 256, 512, 11]
    assert [layer.weight.shape[1] for layer in model.forward.layers] == [512, 512, 512, 11]
    ones = jax.tree.map(lambda x: -jnp.ones_like(x), eqx.filter(model, eqx.is_array))
    both = num_parameters(model.forward) + num_parameters(model.reverse)
    assert tsymmetry.l1_penalty(eqx.combine(ones, model)) == both
