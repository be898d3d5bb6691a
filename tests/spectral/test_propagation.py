"""The recurrence in every form against a float64 loop; causality; the laws of Theorem 3.1."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax import lax

from tests.helpers import unchecked
from toolkit.errors import UserError
from toolkit.spectral import choose_form, propagate

FORMS = ["auto", "sequential", "associative", "fft", "toeplitz"]
LENGTHS = [1, 2, 7, 100, 500, 4096]


def problem(horizon: int, *, modes: int = 6, batch: int = 3, seed: int = 0):
    """Random stable multipliers, start, inputs and cotangents in complex64."""
    rng = np.random.default_rng(seed)
    normal = lambda *shape: (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8")
    multipliers = np.exp(-rng.uniform(0, 0.05, modes) + 1j * rng.uniform(-np.pi, np.pi, modes))
    shape = (batch, modes)
    return (
        multipliers.astype("c8"),
        normal(*shape),
        normal(horizon, *shape),
        normal(horizon, *shape),
    )


def reference(multipliers, start, inputs):
    """z ← λ̄ z + c in complex128, one step at a time."""
    states, state = [], start.astype(complex)
    for control in inputs.astype(complex):
        state = multipliers.astype(complex) * state + control
        states.append(state)
    return np.array(states)


def reference_adjoint(multipliers, start, states, cotangents):
    """The transposed recurrence in complex128: gradients of Σ g·z without conjugation."""
    weights = multipliers.astype(complex)
    before = np.concatenate([start[None].astype(complex), states[:-1]])
    adjoint, slope, controls = 0, 0, np.zeros_like(states)
    for k in reversed(range(len(states))):
        adjoint = weights * adjoint + cotangents[k]
        controls[k] = adjoint
        slope = slope + (before[k] * adjoint).sum(0)
    return slope, weights * adjoint, controls


@partial(jax.jit, static_argnums=0)
def states_and_gradients(form, multipliers, start, inputs, cotangents):
    run = lambda *operands: propagate(*operands, form)
    states, transpose = jax.vjp(run, multipliers, start, inputs)
    return states, transpose(cotangents)


@partial(jax.jit, static_argnums=0)
def run(form, multipliers, start, inputs):
    return propagate(multipliers, start, inputs, form)


def relative(actual, expected) -> float:
    return float(np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("horizon", LENGTHS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_equals_the_float64_loop(form, horizon):
    sizes = {"modes": 2, "batch": 2} if horizon > 1000 else {}
    multipliers, start, inputs, cotangents = problem(horizon, **sizes)
    states, gradients = states_and_gradients(form, multipliers, start, inputs, cotangents)
    expected = reference(multipliers, start, inputs)
    assert relative(states, expected) < 1e-5
    for actual, wanted in zip(
        gradients, reference_adjoint(multipliers, start, expected, cotangents), strict=True
    ):
        assert relative(actual, wanted) < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_own_reverse_rule_equals_autodiff_of_a_plain_scan(form):
    multipliers, start, inputs, _ = map(jnp.asarray, problem(20))

    def plain(multipliers, start, inputs):
        step = lambda z, c: (multipliers[None] * z + c,) * 2
        return lax.scan(step, start, inputs)[1]

    def loss(run, *operands):
        states = run(*operands)
        return jnp.sum(jnp.sin(states.real) + jnp.square(states.imag))

    operands = (multipliers, start, inputs)
    ours = jax.jit(jax.grad(lambda *o: loss(partial(run, form), *o), argnums=(0, 1, 2)))
    autodiff = jax.jit(jax.grad(lambda *o: loss(plain, *o), argnums=(0, 1, 2)))
    for actual, expected in zip(ours(*operands), autodiff(*operands), strict=True):
        assert relative(actual, np.asarray(expected)) < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_an_action_acts_on_the_next_state_and_never_earlier(form):
    multipliers, start, inputs, _ = map(jnp.asarray, problem(40))
    kicked = inputs.at[17].add(1.0)
    difference = np.asarray(
        run(form, multipliers, start, kicked) - run(form, multipliers, start, inputs)
    )
    assert np.abs(difference[:17]).max() < 1e-5  # state 17 is the first that may feel input 17
    np.testing.assert_allclose(difference[17], 1.0, atol=1e-5)
    np.testing.assert_allclose(difference[18], np.broadcast_to(multipliers, (3, 6)), atol=1e-5)


def test_fft_without_padding_would_wrap_around():
    """The padding is what keeps late inputs out of early states: undo it and causality breaks."""
    multipliers, start, inputs, _ = problem(16)
    powers = multipliers[None] ** np.arange(16)[:, None]
    wrapped = (
        np.fft.ifft(np.fft.fft(powers, axis=0)[:, None] * np.fft.fft(inputs, axis=0), axis=0)
        + (powers * multipliers)[:, None] * start
    )
    padded = np.asarray(run("fft", multipliers, start, inputs))
    assert relative(padded, reference(multipliers, start, inputs)) < 1e-5
    assert relative(wrapped, reference(multipliers, start, inputs)) > 1e-2


@pytest.mark.parametrize("form", FORMS)
def test_vmap_and_batch_axes_agree_with_single_samples(form):
    multipliers, start, inputs, _ = map(jnp.asarray, problem(12))
    whole = run(form, multipliers, start, inputs)
    one = lambda z, c: propagate(multipliers, z, c, form)
    mapped = jax.jit(jax.vmap(one, in_axes=(0, 1), out_axes=1))(start, inputs)
    single = run(form, multipliers, start[1], inputs[:, 1])
    np.testing.assert_allclose(mapped, whole, atol=2e-5)
    np.testing.assert_allclose(single, whole[:, 1], atol=2e-5)


@pytest.mark.parametrize("form", FORMS)
def test_theorem_3_1_gradient_scale_factors(form, getkey):
    """|∂ℒ_k/∂x_t| = e^{kΔtμ}·|∂ℒ_k/∂x̂_{t+k}|, and e^{(k−l)Δtμ} for the control of step l."""
    k, modes = 60, 5
    real = -jr.uniform(getkey(), (modes,), maxval=0.1)
    exponent = lax.complex(real, jr.uniform(getkey(), (modes,), maxval=3.0))
    start = lax.complex(jr.normal(getkey(), (modes,)), jr.normal(getkey(), (modes,)))
    inputs = lax.complex(jr.normal(getkey(), (k, modes)), jr.normal(getkey(), (k, modes)))
    cotangent = lax.complex(jr.normal(getkey(), (modes,)), jr.normal(getkey(), (modes,)))
    cotangents = jnp.zeros((k, modes), jnp.complex64).at[k - 1].set(cotangent)
    multipliers = jnp.exp(exponent)
    _, slopes = states_and_gradients(form, multipliers, start, inputs, cotangents)
    _, start_slope, input_slopes = slopes
    size = np.abs(np.asarray(cotangent))
    decay = np.asarray(real, np.float64)
    np.testing.assert_allclose(np.abs(start_slope), np.exp(k * decay) * size, rtol=1e-5)
    lag = k - np.arange(1, k + 1)[:, None]
    np.testing.assert_allclose(np.abs(input_slopes), np.exp(lag * decay) * size, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_dead_mode_forgets_at_once(form):
    inputs = jnp.ones((5, 1), jnp.complex64) * jnp.arange(1.0, 6.0).astype(jnp.complex64)[:, None]
    states = run(form, jnp.zeros(1, "c8"), jnp.full(1, 9 + 9j, "c8"), inputs)
    np.testing.assert_allclose(states, inputs, atol=1e-5)


def test_rotations_keep_their_norm_over_500_steps():
    multipliers = jnp.exp(lax.complex(jnp.zeros(8), jnp.linspace(0.1, 3.0, 8)))
    states = propagate(multipliers, jnp.ones(8, jnp.complex64), jnp.zeros((500, 8), jnp.complex64))
    np.testing.assert_allclose(np.abs(states), 1.0, rtol=1e-4)


def test_the_choice_follows_platform_and_length():
    assert choose_form("cpu", 5) == choose_form("cpu", 4096) == "sequential"
    assert choose_form("gpu", 5) == "toeplitz"
    assert choose_form("gpu", 500) == "associative"


def test_an_unknown_form_is_refused_by_name():
    with unchecked(), pytest.raises(UserError, match="'auto' or one of .*, got 'magic'"):
        run("magic", *problem(3)[:3])
