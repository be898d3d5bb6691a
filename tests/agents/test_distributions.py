"""The squashed Gaussian against numerical integration and float64 formulas."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

from toolkit.agents.distributions import TanhNormal


def make(mean, log_std):
    return TanhNormal(jnp.asarray(mean, jnp.float32), jnp.asarray(log_std, jnp.float32))


log_prob = eqx.filter_jit(lambda d, a: d.log_prob(a))
sample = eqx.filter_jit(lambda d, k: d.sample_with_log_prob(key=k))


def exact_log_prob(mean, log_std, action):
    """The change of variables in float64."""
    mean, log_std, action = (np.asarray(x, np.float64) for x in (mean, log_std, action))
    u = np.arctanh(action)
    return (stats.norm.logpdf(u, mean, np.exp(log_std)) - np.log1p(-np.square(action))).sum()


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, 0.0), (0.7, -1.0), (-1.5, 0.3)])
def test_the_density_integrates_to_one(mean, log_std):
    distribution = make([mean], [log_std])
    density = lambda a: float(np.exp(log_prob(distribution, jnp.full(1, a, jnp.float32))))
    total, _ = integrate.quad(density, -0.999999, 0.999999, limit=200, epsabs=1e-5)
    assert total == pytest.approx(1.0, abs=2e-3)


def test_log_density_equals_the_change_of_variables():
    mean, log_std, action = [0.3, -2.0, 0.0], [-0.5, 0.2, -3.0], [0.1, -0.95, 0.05]
    found = float(log_prob(make(mean, log_std), jnp.asarray(action, jnp.float32)))
    assert found == pytest.approx(exact_log_prob(mean, log_std, action), rel=1e-4)


def test_a_sample_carries_its_own_log_density(getkey):
    distribution = make([0.5, -0.3], [-1.0, 0.0])
    for _ in range(5):
        action, found = sample(distribution, getkey())
        assert np.abs(action).max() < 1
        assert float(found) == pytest.approx(float(log_prob(distribution, action)), abs=2e-3)


def test_far_in_the_tails_the_log_density_stays_finite_with_finite_gradients():
    def of_mean(mean):
        return TanhNormal(mean, jnp.zeros(1)).sample_with_log_prob(key=jax.random.key(0))[1]

    value, slope = jax.jit(jax.value_and_grad(of_mean))(jnp.full(1, 30.0))
    assert np.isfinite(value) and np.isfinite(slope).all()
    assert np.isfinite(log_prob(make([0.0], [0.0]), jnp.ones(1)))


def test_samples_have_the_distribution(getkey):
    distribution = make([0.4], [-0.7])
    actions = jax.jit(jax.vmap(lambda k: distribution.sample(key=k)))(
        jax.random.split(getkey(), 4000)
    )
    u = np.arctanh(np.asarray(actions, np.float64))[:, 0]
    assert stats.kstest(u, stats.norm(0.4, np.exp(-0.7)).cdf).pvalue > 1e-3


def test_the_mode_is_the_squashed_mean():
    np.testing.assert_allclose(make([0.5, -9.0], [0.0, 0.0]).mode, np.tanh([0.5, -9.0]), rtol=1e-6)
