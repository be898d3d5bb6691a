"""Initialisation, bounds and zero-order hold, against closed forms and a matrix exponential."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jax import lax
from scipy.linalg import expm

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.spectral import Spectrum, initial_frequencies, phi1
from toolkit.spectral.spectrum import DECAY_BOUNDS, LIFETIMES


def test_increasing_frequencies_are_multiples_of_pi(getkey):
    np.testing.assert_allclose(
        initial_frequencies("increasing", 4, key=getkey()), np.pi * np.r_[1:5]
    )


def test_random_frequencies_fill_the_same_band(getkey):
    frequencies = np.asarray(initial_frequencies("random", 4000, key=getkey()))
    assert frequencies.min() >= 0 and frequencies.max() <= 4000 * np.pi
    assert abs(frequencies.mean() / (2000 * np.pi) - 1) < 0.05


def test_hippo_frequencies_crowd_near_zero_and_share_the_largest(getkey):
    frequencies = np.asarray(initial_frequencies("hippo", 64, key=getkey()))
    assert frequencies.max() == pytest.approx(64 * np.pi, rel=1e-5)
    assert np.median(np.abs(frequencies)) < 0.05 * frequencies.max()
    assert np.all(np.diff(frequencies) < 0)


def test_defaults_are_the_papers_and_free_of_aliasing(getkey):
    spectrum = Spectrum(16, key=getkey())
    np.testing.assert_allclose(spectrum.eigenvalues.real, -0.2, rtol=1e-6)
    np.testing.assert_allclose(spectrum.eigenvalues.imag, np.pi * np.r_[1:17], rtol=1e-6)
    assert float((spectrum.step * spectrum.eigenvalues.imag).max()) <= np.pi * (1 + 1e-6)


@settings(max_examples=50, deadline=None)
@given(st.floats(-80, 80, width=32))
def test_a_bounded_decay_stays_inside_whatever_the_optimiser_does(raw):
    spectrum = Spectrum(3, real_part="bounded", key=jax.random.key(0))
    spectrum = eqx.tree_at(lambda s: s.raw_real, spectrum, jnp.full(3, raw, jnp.float32))
    low, high = DECAY_BOUNDS
    real = np.asarray(spectrum.eigenvalues.real)
    assert np.all((real >= low - 1e-6) & (real <= high + 1e-6))


def test_what_is_constant_gets_no_gradient_and_what_is_free_does(getkey):
    def slopes(**options):
        spectrum = Spectrum(4, key=getkey(), **options)
        return eqx.filter_jit(jax.grad(lambda s: jnp.abs(s.vandermonde(5) - 1).sum()))(spectrum)

    constant = slopes(train_imag=False, step_size="fixed")
    assert not np.any(constant.raw_real) and not np.any(constant.imag)
    assert not np.any(constant.log_step)
    free = slopes(real_part="free")
    assert np.all(np.abs(free.raw_real) > 0) and np.all(np.abs(free.imag) > 0)
    assert np.all(np.abs(free.log_step) > 0)
    assert slopes(step_size="mode").log_step.shape == (4,)


def test_phi1_is_exact_at_zero_and_smooth_across_its_seam():
    radius = np.logspace(-8, 1, 200)
    z = np.concatenate([[0], radius * np.exp(1j * np.linspace(0, 2 * np.pi, 200))])
    exact = np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z))
    actual = phi1(jnp.asarray(z, jnp.complex64))
    assert actual[0] == 1.0
    np.testing.assert_allclose(actual, exact, rtol=2e-6)


def test_phi1_has_a_finite_slope_at_zero():
    slope = jax.grad(lambda x: phi1(lax.complex(x, 0.0)).real)(0.0)
    assert slope == pytest.approx(0.5)


def test_zero_order_hold_equals_the_matrix_exponential_of_the_augmented_system(getkey):
    """exp([[λ, 1], [0, 0]]·Δt) holds λ̄ and the input gain, in float64, and at λ = 0 too."""
    spectrum = Spectrum(6, decay=-0.7, step_init=0.3, real_part="free", key=getkey())
    spectrum = eqx.tree_at(
        lambda s: (s.imag, s.raw_real), spectrum,
        (spectrum.imag.at[0].set(0.0), spectrum.raw_real.at[0].set(0.0)),
    )  # fmt: skip
    for eigenvalue, multiplier, gain in zip(
        np.asarray(spectrum.eigenvalues), spectrum.multipliers, spectrum.input_gain, strict=True
    ):
        step = float(spectrum.step[0])
        exact = expm(np.array([[eigenvalue, 1], [0, 0]]) * step)
        np.testing.assert_allclose([multiplier, gain], exact[0], rtol=3e-6, atol=1e-7)


def test_two_half_steps_equal_one(getkey):
    whole = Spectrum(7, step_init=0.1, key=getkey())
    half = Spectrum(7, step_init=0.05, key=getkey())
    np.testing.assert_allclose(half.multipliers**2, whole.multipliers, rtol=1e-5, atol=1e-6)


def test_vandermonde_holds_powers_from_one(getkey):
    spectrum = Spectrum(5, key=getkey())
    powers = np.asarray(spectrum.multipliers, complex)[:, None] ** np.arange(1, 31)[None]
    np.testing.assert_allclose(spectrum.vandermonde(30), powers, atol=2e-5)


def test_impulse_response_is_the_rollout_of_one_kick(getkey):
    spectrum = Spectrum(5, key=getkey())
    state, states = np.asarray(spectrum.input_gain, complex), []
    for _ in range(12):
        states.append(state)
        state = state * np.asarray(spectrum.multipliers)
    np.testing.assert_allclose(spectrum.impulse_response(12).T, states, rtol=1e-4, atol=1e-7)


def test_frequency_and_lifetime_in_hertz_and_seconds(getkey):
    """A mode that turns 0.3 rad and keeps 90 % a step of 20 ms: 2.387 Hz, 0.1898 s."""
    spectrum = Spectrum(1, real_part="free", step_init=1.0, decay=float(np.log(0.9)), key=getkey())
    spectrum = eqx.tree_at(lambda s: s.imag, spectrum, jnp.array([0.3]))
    assert float(spectrum.frequencies(0.02)[0]) == pytest.approx(0.3 / (2 * np.pi * 0.02), rel=1e-5)
    assert float(spectrum.lifetimes(0.02)[0]) == pytest.approx(-0.02 / np.log(0.9), rel=1e-5)


def test_a_pure_rotation_lives_for_ever(getkey):
    assert np.isposinf(Spectrum(2, decay=0.0, key=getkey()).lifetimes(0.1)).all()


def test_a_spread_spectrum_has_no_common_decay(getkey):
    with pytest.raises(UserError, match=r"`decay` is where one common real part starts.*got -0.9"):
        Spectrum(2, real_part="spread", decay=-0.9, key=getkey())


def test_a_turn_of_more_than_half_a_circle_is_seen_as_a_slower_one(getkey):
    spectrum = Spectrum(1, step_init=1.0, key=getkey())
    spectrum = eqx.tree_at(lambda s: s.imag, spectrum, jnp.array([2 * np.pi * 0.9]))
    assert float(spectrum.frequencies(1.0)[0]) == pytest.approx(-0.1, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": 0}, "`modes` must be at least 1, got 0"),
        ({"modes": 2, "step_init": -1.0}, "`step_init` must be positive, got -1.0"),
        ({"modes": 2, "real_part": "big"}, "`real_part` must be .* got 'big'"),
        ({"modes": 2, "imag_part": "odd"}, "`imag_part` must be .* got 'odd'"),
        ({"modes": 2, "real_part": "bounded", "decay": -1.0}, r"must lie in \(-0.3, -0.1\)"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with unchecked(), pytest.raises(UserError, match=message):
        Spectrum(**options, key=jax.random.key(0))


def test_a_spread_spectrum_lives_from_steps_to_hundreds_and_never_grows():
    """Lifetimes are log-uniform over their range, and no gradient step can make one negative."""
    spectrum = Spectrum(2000, real_part="spread", step_init=0.01, key=jax.random.key(0))
    lives = np.log(np.asarray(-1 / np.log(np.abs(spectrum.multipliers)), float))
    low, high = np.log(LIFETIMES)
    assert low - 1e-3 <= lives.min() and lives.max() <= high + 2e-2
    share = np.sort((lives - low) / (high - low))
    assert np.abs(share - (np.arange(2000) + 0.5) / 2000).max() < 0.04  # Kolmogorov's distance
    moved = eqx.tree_at(lambda s: s.raw_real, spectrum, spectrum.raw_real + 5.0)
    assert float(moved.eigenvalues.real.max()) < 0
